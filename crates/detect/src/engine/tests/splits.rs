//! Streams cut at random: what is found does not depend on where.

use super::{encoded, streamed};
use crate::{Catalogue, Engine, template::Filler};
use terms::{Control, Direction};

/// Cuts that are tried; `MERESTONE_LONG` tries a million.
const CUTS: u32 = 4_000;
const CUTS_LONG: u32 = 1_000_000;

/// Numbers without end, the same for the same beginning.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // Marsaglia, Xorshift RNGs, 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn cut<'t>(text: &'t str, pieces: usize, numbers: &mut Numbers) -> Vec<&'t str> {
    let mut at: Vec<usize> = (1..pieces).map(|_| numbers.below(text.len() + 1)).collect();
    at.retain(|at| text.is_char_boundary(*at));
    at.extend([0, text.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

#[test]
fn no_cut_of_any_detectors_example_changes_what_is_found() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let controls = Control::ALL.iter();
    let samples = controls.flat_map(|control| engine.samples(*control, Direction::Reply));
    let samples: Vec<String> = samples.map(|sample| sample.text).collect();
    assert!(samples.len() > 300);
    let cuts = match std::env::var_os("MERESTONE_LONG") {
        Some(_) => CUTS_LONG,
        None => CUTS,
    };
    let seed = std::env::var("MERESTONE_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut known: Option<(String, _)> = None;
    let mut found = 0_u32;
    for number in 0..cuts {
        // Each text is cut several times.
        if number % 8 == 0 {
            let sample = &samples[numbers.below(samples.len())];
            let how = [0, 0, 0, 1, 3, 4, 6, 7][numbers.below(8)];
            let lead =
                ["", "Sure: ", "see\n  ", "\u{e9}t\u{e9} 12 \"", "name = '"][numbers.below(5)];
            let text = format!("{lead}{} and on.", encoded(sample, how));
            let whole = streamed(&engine, &[&text]);
            assert_eq!(whole.0, text);
            found += u32::from(!whole.1.is_empty());
            known = Some((text, whole));
        }
        let (text, whole) = known.as_ref().unwrap();
        let most = [2, 3, 6, 40][numbers.below(4)];
        let pieces = cut(text, most, &mut numbers);
        let lengths: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
        assert_eq!(
            &streamed(&engine, &pieces),
            whole,
            "cut {number}: {lengths:?}"
        );
    }
    // Most texts are examples, and most are found.
    assert!(found * 2 > cuts / 8, "{found}");
}

#[test]
fn no_cut_of_cards_and_constants_changes_what_is_found() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let mut numbers = Numbers(0x5eed);
    let mut filler = Filler::new(0x5eed);
    let (mut found, mut spared) = (0, 0);
    for _ in 0..500 {
        let gap = [
            ", ",
            ",\n    ",
            ",",
            "\n",
            " ",
            ", \u{200b}",
            "u64, ",
            "&#44; ",
        ][numbers.below(8)];
        let lead = ["card ", "[\n    ", "x = 0x", "PT", "", "a@b.example "][numbers.below(6)];
        let forms = [
            "{luhn:4:16}",
            "{luhn:4:16}",
            "{digits:16}",
            "{digits:20}",
            "{digits:15}",
            "{digits:8} {digits:8}",
        ];
        let row: Vec<String> = (0..1 + numbers.below(6))
            .map(|_| filler.fill(forms[numbers.below(forms.len())]))
            .collect();
        let end = ["", "]", " and on.", "H", "ULL", "."][numbers.below(6)];
        let text = format!("{lead}{}{end}", row.join(gap));
        let whole = streamed(&engine, &[&text]);
        found += usize::from(!whole.1.is_empty());
        spared += usize::from(whole.1.is_empty());
        for _ in 0..12 {
            let most = [2, 3, 6, 40][numbers.below(4)];
            let pieces = cut(&text, most, &mut numbers);
            assert_eq!(streamed(&engine, &pieces), whole, "{pieces:?}");
        }
    }
    assert!(found > 50 && spared > 50, "{found} {spared}");
}

#[test]
fn no_cut_of_a_value_beside_its_name_changes_what_is_found() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let mut numbers = Numbers(0x0a11);
    let mut filler = Filler::new(0x0a11);
    for form in [
        "env:\n  - name: MISTRAL_API_KEY\n    value: {alnum:32}\n  - name: B\n",
        "service,token,owner\nMistral,{alnum:32},ops\n",
        "bob: what's the Mistral token\namy: {alnum:32}\nbob: thx",
        "const Mistral = `{alnum:32}`;",
        "Mistral 토큰은 {alnum:32}입니다.",
        "the token is _hf_{lower:34}_ or so",
        "KEY=fc-{hex:14}=\n{hex:18} and on",
        "caf=c3=a9 a@b=\n.example =fc-",
    ] {
        let text = filler.fill(form);
        let whole = streamed(&engine, &[&text]);
        assert!(!whole.1.is_empty(), "{form}");
        for _ in 0..200 {
            let most = [2, 3, 6, 40][numbers.below(4)];
            let pieces = cut(&text, most, &mut numbers);
            assert_eq!(streamed(&engine, &pieces), whole, "{pieces:?}");
        }
    }
}

/// `\%` and `\\` are whole escapes, and their last mark may begin another one.
#[test]
fn an_escape_is_read_whole_where_its_end_may_begin_another() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let address = Filler::new(7).fill("{lower:6}.{lower:5}@{lower:7}.org");
    for lead in [
        "(\\%,\u{e9},a\u{200b}%\u{200b}\\%",
        "see a%\\%",
        "see a\\=b\\=",
        "see a\\&b\\&",
        "see a\\_b\\\\x62\\\\x63",
    ] {
        let text = format!("{lead}{address} and on.");
        let whole = streamed(&engine, &[&text]);
        assert_eq!(whole.1.len(), 1, "{lead}");
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (left, right) = text.split_at(at);
            assert_eq!(streamed(&engine, &[left, right]), whole, "{lead} at {at}");
        }
    }
}

fn hexed(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}

fn percents(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// How an escape is read depends on nothing that stands far behind it.
#[test]
fn what_was_let_go_is_read_alike_whatever_follows() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let mut filler = Filler::new(8);
    // With three digits more it is another number with a right sum.
    let goes_on = |number: &String| crate::validate::luhn(&format!("{number}323"));
    let number = std::iter::repeat_with(|| filler.fill("{luhn:4509:16}")).find(goes_on);
    let number = number.unwrap();
    let spaced = number
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group));
    let spaced = spaced.collect::<Vec<_>>().join(" ");
    let jwt = filler.fill("eyJhbGciOiJIUzI1NiJ9.eyJ{alnum:320}.{alnum:43}");
    let dot = jwt.rfind('.').unwrap();
    let token = filler.fill("github_pat_{alnum:22}_{alnum:59}");
    let ssn = filler.fill("219-09-{digits:3}3");
    let percent = percents(&format!("0{ssn}"));
    let letters = filler.fill("{lower:76}");
    let wide = hexed(&number);
    let wide_letters = hexed(&letters.repeat(3).replace('e', " "));
    let far = percents(&letters);
    let coded = percents(&number);
    let fat: String = number
        .chars()
        .filter_map(|digit| char::from_u32(u32::from(digit) + 0xfee0))
        .collect();
    for text in [
        // A byte that is no character alone, and one that tells, far behind.
        format!("%a0{fat} <{wide} %{fat} "),
        // Read from the middle on, a number with a digit before it is one.
        format!("0{percent} {far} \\%4509 {number} "),
        // The next group makes a longer number with a right sum.
        format!("{number} 3231392d30392d35353033 "),
        // A soft line break of mail says something if the line goes on.
        format!("caf=C3=A9, pay {} =\n{} now", &spaced[..14], &spaced[15..]),
        format!("pay {} =\r\n{} now", &spaced[..14], &spaced[15..]),
        // Two kinds of escapes in one value, and more of them far around.
        format!(
            "see \\\"%65{}\\u002e{} and %20x",
            &jwt[1..dot],
            &jwt[dot + 1..]
        ),
        format!(
            "%20{letters} see \\\"{}%5Cu002e{} end",
            &jwt[..dot],
            &jwt[dot + 1..]
        ),
        format!("%20{wide_letters}{}%5Cx41 and on.", hexed(&token)),
        // What is no text parts what it is glued to.
        format!("a=x%20y%00{number}%00"),
        format!("Nr.%A0{number} = 5"),
        format!("a=x%20y%00{spaced}"),
        format!("x %u0000{number} y"),
        format!("x =00=00{token} y"),
        format!("%41{}{ssn} and on.", "%00".repeat(900)),
        format!("x%00{ssn} and on."),
        format!("{}{coded} y", "%00".repeat(1_024)),
        format!("{}{coded} y", "%00".repeat(1_500)),
        // A group that spells three bytes, of which the first is none.
        ", \\\u{200b}<%2bmJwdXpnLnRrb2Z1QGxwaWNrYmEub3Jn ".into(),
    ] {
        let whole = streamed(&engine, &[&text]);
        assert!(!whole.1.is_empty(), "{text}");
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (left, right) = text.split_at(at);
            assert_eq!(streamed(&engine, &[left, right]), whole, "{text} at {at}");
        }
    }
}
