use proptest::prelude::*;

use super::*;

fn hits(index: &Index, text: &str) -> Vec<(usize, usize)> {
    let mut hits = Vec::new();
    index.look(text.as_bytes(), None, |hit| {
        hits.push((hit.text(), hit.start()))
    });
    hits.sort_unstable();
    hits
}

fn texts<const N: usize>(texts: [(&str, [bool; 2]); N]) -> Vec<(Vec<u8>, Role)> {
    let role = |begins| Role {
        looks: [true; 2],
        begins,
        sides: None,
    };
    texts
        .map(|(text, begins)| (text.as_bytes().to_vec(), role(begins)))
        .into()
}

#[test]
fn texts_are_found_also_in_each_other_and_begun_ones_at_the_end() {
    let all = ["ghp_", "hp", "sk-proj-"].map(|text| (text, [true; 2]));
    let index = Index::new(&texts(all)).unwrap();
    assert_eq!(hits(&index, "xGHP_ sk-pr"), [(0, 1), (1, 2)]);
    assert_eq!(begun(&index, b"xGHP_ sk-pr"), [5, 5]);
    assert_eq!(begun(&index, b"a gh"), [2, 2]);
    assert_eq!(begun(&index, b"a ghp_"), [4, 4]);
    assert_eq!(begun(&index, b"a sk-x"), [0, 0]);
    assert_eq!(begun(&index, b""), [0, 0]);
    // What only stands before a match does not begin one.
    let some = [
        ("sk-", [false, true]),
        ("task", [true, false]),
        ("disk", [false; 2]),
    ];
    let index = Index::new(&texts(some)).unwrap();
    assert_eq!(index.begun(b"my tas", Some(Direction::Reply)), 1);
    assert_eq!(hits(&index, "my task"), [(1, 3)]);
    assert_eq!(index.begun(b"my task", Some(Direction::Reply)), 2);
    assert_eq!(index.begun(b"my ta", Some(Direction::Reply)), 0);
}

#[test]
fn capitals_stand_for_themselves_and_texts_for_their_direction() {
    let looks = [[true, false], [false, true]];
    let roles = looks.map(|looks| Role {
        looks,
        begins: looks,
        sides: None,
    });
    let texts = [
        (b"AKid".to_vec(), roles[0].clone()),
        (b"<x".to_vec(), roles[1].clone()),
    ];
    let index = Index::new(&texts).unwrap();
    let text = "AKID akid AKid <X";
    assert_eq!(hits(&index, text), [(0, 0), (0, 10), (1, 15)]);
    let mut seen = Vec::new();
    index.look(text.as_bytes(), Some(Direction::Reply), |hit| {
        seen.push(hit.start())
    });
    assert_eq!(seen, [15]);
    assert_eq!(begun(&index, b"a<"), [0, 1]);
    assert_eq!(begun(&index, b"a ak"), [2, 0]);
}

fn begun(index: &Index, text: &[u8]) -> [usize; 2] {
    [Direction::Request, Direction::Reply].map(|direction| index.begun(text, Some(direction)))
}

proptest! {
    #[test]
    fn every_text_is_found_wherever_it_stands(
        wanted in prop::collection::btree_set("[ab=\u{e9}]{1,7}", 1..30),
        text in "([abAB=\u{e9}]{0,9}|x{1000,1030}){0,6}",
    ) {
        let wanted: Vec<Vec<u8>> = wanted.into_iter().map(String::into_bytes).collect();
        let role = Role { looks: [true; 2], begins: [true, false], sides: None };
        let texts: Vec<_> = wanted.iter().map(|text| (text.clone(), role.clone())).collect();
        let index = Index::new(&texts).unwrap();
        let lower = text.to_ascii_lowercase();
        let mut expected = Vec::new();
        for (number, wanted) in wanted.iter().enumerate() {
            let windows = lower.as_bytes().windows(wanted.len()).enumerate();
            let places = windows.filter(|(_, window)| window == wanted);
            expected.extend(places.map(|(at, _)| (number, at)));
        }
        prop_assert_eq!(hits(&index, &text), expected);
        let begun = (0..lower.len()).find(|from| {
            let end = &lower.as_bytes()[*from..];
            wanted.iter().any(|text| text.starts_with(end))
        });
        prop_assert_eq!(index.begun(text.as_bytes(), Some(Direction::Request)), begun.map_or(0, |from| lower.len() - from));
    }
}
