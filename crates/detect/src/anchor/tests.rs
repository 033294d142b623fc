use super::*;

fn of(pattern: &str, words: bool) -> Option<Vec<Anchor>> {
    anchors(&regex_syntax::parse(pattern).unwrap(), words)
}

fn texts(pattern: &str) -> Vec<(Vec<String>, RangeInclusive<usize>)> {
    let anchors = of(pattern, false).unwrap().into_iter();
    anchors
        .map(|anchor| match anchor {
            Anchor::Literals { texts, before, .. } => {
                let texts = texts
                    .into_iter()
                    .map(|text| String::from_utf8(text).unwrap());
                (texts.collect(), before)
            }
            other => (vec![format!("{other:?}")], 0..=0),
        })
        .collect()
}

#[test]
fn literals_are_spelled_out_where_a_match_begins() {
    assert_eq!(
        texts("ghp_[A-Za-z0-9]{36}"),
        [(vec!["ghp_".to_owned()], 0..=0)]
    );
    assert_eq!(
        texts("(?i-u:sk-(?:proj|admin)-[a-z]{40})"),
        [(vec!["sk-admin-".to_owned(), "sk-proj-".to_owned()], 0..=0)]
    );
    assert_eq!(
        texts("-{5}BEGIN [A-Z ]{0,9}KEY"),
        [(vec![format!("{}BEGIN ", "-".repeat(5))], 0..=0)]
    );
    // A small letter is either case, and a few digits are spelled out.
    assert_eq!(
        texts("AC[Kk][89][0-9a-f]{32}"),
        [(vec!["ACk8".to_owned(), "ACk9".to_owned()], 0..=0)]
    );
    assert_eq!(
        texts("</?(?:svg|math)[ >]"),
        [(
            [
                "</math ", "</math>", "</svg ", "</svg>", "<math ", "<math>", "<svg ", "<svg>"
            ]
            .map(str::to_owned)
            .to_vec(),
            0..=0
        )]
    );
    // Each branch has its own.
    assert_eq!(texts("abcd[0-9]{4}|wxyz[0-9]{4}").len(), 2);
}

#[test]
fn literals_inside_say_how_far_they_are_from_the_start() {
    assert_eq!(
        texts("[A-Za-z0-9]{1,64}@[a-z]{2,9}"),
        [(vec!["@".to_owned()], 1..=64)]
    );
    assert_eq!(
        texts("(?i-u:[a-z]{2,9}://[!-~]{1,9})"),
        [(vec!["://".to_owned()], 2..=9)]
    );
    // Too far away to be of use.
    assert_eq!(of("[a-z]{1,400}://[a-z]", false), None);
}

#[test]
fn numbers_are_found_by_their_digits_and_bare_values_by_words_alone() {
    assert_eq!(
        of("[0-9]{3}-[0-9]{2}", false),
        Some(vec![Anchor::Digits { before: 0..=0 }])
    );
    assert_eq!(
        of("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", false),
        Some(vec![Anchor::Digits { before: 2..=2 }])
    );
    assert_eq!(
        of("[(]?[0-9]{1,3}[ -][0-9]{4}", false),
        Some(vec![Anchor::Digits { before: 0..=1 }])
    );
    // The row of digits begins with the one that the pattern itself has.
    assert_ne!(
        of("B2[0-9]{8}", false),
        Some(vec![Anchor::Digits { before: 2..=2 }])
    );
    assert_eq!(of("[A-Za-z0-9/+=]{40}", false), None);
    assert_eq!(of("[A-Za-z0-9/+=]{40}", true), Some(vec![Anchor::Words]));
}

proptest::proptest! {
    // Whatever matches has an anchor where it is said to be.
    #[test]
    fn every_match_has_its_anchor(which in 0_usize..9, seed: u64) {
        let (pattern, template) = [
            ("ghp_[A-Za-z0-9]{36}", "ghp_{alnum:36}"),
            ("(?i:[a-z]{2,6}k-[0-9]{4})", "{lower:4}K-{digits:4}"),
            ("(?i-u:(?:api[_-]?)?key=[a-z]{8})", "API_KEY={lower:8}"),
            ("[a-z]{1,8}(?:ab|cde){2}[0-9]", "{lower:5}abcde{digits:1}"),
            ("(?:x{3}|yz?)q[0-9]{3}", "xxxq{digits:3}"),
            ("[A-Z]{2}[0-9]{4}", "QQ{digits:4}"),
            ("(?:one|two)-[a-z]{3}|[0-9]{4}", "{digits:4}"),
            ("[a-z0-9]{1,9}\\.example", "{lower:5}.example"),
            ("A[Kk][Zz9][0-9]{4}", "Akz{digits:4}"),
        ][which];
        let text = crate::template::Filler::new(seed).fill(template).into_bytes();
        let is = |(found, wanted): (&u8, &u8)| found == wanted || found.to_ascii_lowercase() == *wanted;
        let begins = |rest: &[u8], literal: &[u8]| {
            rest.len() >= literal.len() && rest.iter().zip(literal).all(is)
        };
        let here = |anchor: Anchor| match anchor {
            Anchor::Literals { texts, before, within } => before.into_iter().any(|at| {
                texts.iter().any(|literal| text.get(at..).is_some_and(|rest| begins(rest, literal)))
                    && text[..at].iter().all(|byte| within.has(*byte))
            }),
            Anchor::Digits { mut before } => before.any(|at| text.get(at).is_some_and(u8::is_ascii_digit)),
            Anchor::Words => false,
        };
        proptest::prop_assert!(of(pattern, false).unwrap().into_iter().any(here));
    }
}
