use std::io::Cursor;

use super::*;

const SMALL: Sizes = Sizes {
    piece: 64,
    overlap: 16,
    line: 8,
    input: 1_000,
};

/// What each piece owns, put together, and the places where pieces begin.
fn owned(input: &[u8], sizes: Sizes) -> (Vec<u8>, Vec<u64>, Passed) {
    let (mut all, mut bases) = (Vec::new(), Vec::new());
    let passed = each_of(Cursor::new(input), sizes, |piece| {
        assert_eq!(piece.text.len(), piece.bytes.len());
        assert_eq!(piece.base as usize + piece.own.start, all.len());
        assert_eq!(
            &input[piece.base as usize..][..piece.bytes.len()],
            piece.bytes
        );
        all.extend_from_slice(&piece.bytes[piece.own.clone()]);
        bases.push(piece.base);
        Ok(())
    })
    .unwrap();
    (all, bases, passed)
}

#[test]
fn every_byte_is_owned_once_whatever_it_is() {
    let texts = [
        String::new(),
        "short".to_owned(),
        "a line of words\n".repeat(20),
        "x".repeat(700),
        "東京é\u{1f980}".repeat(60),
        "\n".repeat(300),
    ];
    for text in &texts {
        let (all, _, passed) = owned(text.as_bytes(), SMALL);
        assert_eq!(all, text.as_bytes());
        assert_eq!((passed.foreign, passed.more), (0, false));
    }
    let binary: Vec<u8> = (0..900_u32).map(|at| (at * 7 % 256) as u8).collect();
    let (all, _, passed) = owned(&binary, SMALL);
    assert_eq!(all, binary);
    assert!(passed.foreign > 100 && passed.foreign < 900);
}

#[test]
fn pieces_begin_at_lines_and_see_both_sides_of_a_seam() {
    let text = "12345\n".repeat(100);
    let (_, bases, _) = owned(text.as_bytes(), SMALL);
    assert!(bases.len() > 10 && bases.iter().all(|base| base.is_multiple_of(6)));
    let mut seen = 0;
    each_of(Cursor::new("x".repeat(500)), SMALL, |piece| {
        let room = SMALL.overlap / 2;
        let first = piece.base == 0;
        let last = piece.next == piece.bytes.len();
        assert!(first || piece.own.start >= room);
        assert!(last || piece.bytes.len() - piece.own.end >= room);
        seen += 1;
        Ok(())
    })
    .unwrap();
    assert!(seen > 5);
}

#[test]
fn what_lies_behind_the_limit_is_not_read_and_said() {
    let (all, _, passed) = owned(&[b'x'; 1_000], SMALL);
    assert_eq!((all.len(), passed.more), (1_000, false));
    let input = [b'x'; 1_500];
    let (all, _, passed) = owned(&input, SMALL);
    assert_eq!((all.len(), passed.bytes, passed.more), (1_000, 1_000, true));
}

#[test]
fn bytes_that_are_no_text_keep_their_places() {
    let input = b"ab\xff\xc3\xa9\xe2\x82z\n";
    let (text, foreign) = as_text(input, 0..input.len());
    assert_eq!(text, "ab\u{1a}é\u{1a}\u{1a}z\n");
    assert_eq!((text.len(), foreign), (input.len(), 3));
}
