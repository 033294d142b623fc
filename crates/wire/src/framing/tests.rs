use bytes::BytesMut;
use proptest::prelude::*;

use super::{Framing, FramingFault, HeadLimits};

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 512,
    lines_max: 8,
};

fn taken(bytes: &[u8], cuts: &[usize]) -> (Result<(), FramingFault>, Vec<u8>, u64) {
    let mut framing = Framing::new(LIMITS);
    let mut out = BytesMut::new();
    let mut rest = bytes;
    for cut in cuts {
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        if let Err(fault) = framing.push(now, &mut out) {
            return (Err(fault.fault), out.to_vec(), framing.heads());
        }
        rest = later;
    }
    let ended = framing.push(rest, &mut out);
    (
        ended.map_err(|misframed| misframed.fault),
        out.to_vec(),
        framing.heads(),
    )
}

fn verdict(text: &str) -> Result<(), FramingFault> {
    taken(text.as_bytes(), &[]).0
}

#[test]
fn good_messages_pass_as_they_are() {
    for text in [
        "GET /a HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /a?b=c HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nsum: 1\r\n\r\n",
        "POST http://x/a HTTP/1.0\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nempty:\r\nhost:\tx \r\n\r\n",
    ] {
        let twice = [text, text].concat();
        assert_eq!(
            taken(twice.as_bytes(), &[]),
            (Ok(()), twice.into_bytes(), 2)
        );
    }
    let (ended, out, heads) = taken(b"\r\nGET / HTTP/1.1\r\n\r\n", &[]);
    assert_eq!(
        (ended, out.as_slice(), heads),
        (Ok(()), b"GET / HTTP/1.1\r\n\r\n".as_slice(), 1)
    );
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let with = |line: &str| format!("POST / HTTP/1.1\r\nhost: x\r\n{line}\r\n\r\n");
    for text in [
        "GET / HTTP/1.1\nhost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: x\n\n".to_owned(),
        "GET / HTTP/1.1\rhost: x\r\n\r\n".to_owned(),
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET  / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1 \r\n\r\n".to_owned(),
        " GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET\t/ HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/2.0\r\n\r\n".to_owned(),
        "GET / HTTP/0.9\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        "GET /#a HTTP/1.1\r\n\r\n".to_owned(),
        "GET /\u{e4} HTTP/1.1\r\n\r\n".to_owned(),
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        with("content-length: 3\r\ncontent-length: 3"),
        with("content-length: 3, 3"),
        with("content-length: +3"),
        with("content-length: 3 3"),
        with("content-length:"),
        with("content-length: 0x3"),
        with("content-length: 99999999999999999999"),
        with("content-length: 3\r\ntransfer-encoding: chunked"),
        with("transfer-encoding: chunked\r\ncontent-length: 3"),
        with("transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        with("transfer-encoding: gzip, chunked"),
        with("transfer-encoding: xchunked"),
        with("transfer-encoding: identity"),
        with("transfer-encoding:\u{b}chunked"),
        with("transfer-encoding : chunked"),
        with(" folded"),
        with("a: b\r\n folded"),
        with(": nameless"),
        with("no colon"),
        with("a\u{0}b: c"),
        with("a: b\u{0}c"),
        with("a: b\u{7f}c"),
        with("a b: c"),
    ] {
        assert_eq!(verdict(&text), Err(FramingFault::Malformed), "{text:?}");
    }
    let chunked =
        |chunks: &str| format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "5;a\u{0}\r\nhello\r\n0\r\n\r\n",
        "0\r\nfolded\r\n\r\n",
        "0\r\n\n",
    ] {
        assert_eq!(
            verdict(&chunked(chunks)),
            Err(FramingFault::Malformed),
            "{chunks:?}"
        );
    }
}

#[test]
fn a_request_goes_on_until_its_last_byte_and_after_a_fault() {
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    for (head, body) in [
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", ""),
        (
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n",
            "hello",
        ),
        (chunked, "5\r\nhello\r\n0\r\na: b\r\n\r\n"),
    ] {
        let (mut framing, mut out) = (Framing::new(LIMITS), BytesMut::new());
        framing.push(head.as_bytes(), &mut out).unwrap();
        for byte in body.as_bytes() {
            assert!(framing.goes_on(), "{body}");
            framing.push(&[*byte], &mut out).unwrap();
        }
        assert!(!framing.goes_on(), "{body}");
        framing.push(b" / HTTP/1.1\r\n\r\n", &mut out).unwrap_err();
        assert!(framing.goes_on());
    }
}

#[test]
fn heads_are_bounded_in_bytes_and_lines() {
    let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(600));
    assert_eq!(verdict(&long), Err(FramingFault::HeadTooLarge));
    let endless = "a".repeat(2_000);
    assert_eq!(verdict(&endless), Err(FramingFault::HeadTooLarge));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(9));
    assert_eq!(verdict(&many), Err(FramingFault::HeadTooLarge));
    let fits = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(8));
    assert_eq!(verdict(&fits), Ok(()));
    let exact = 512 - "GET / HTTP/1.1\r\na: \r\n\r\n".len();
    for more in [0, 1] {
        let text = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(exact + more));
        assert_eq!(verdict(&text).is_ok(), more == 0);
    }
    let trailers = format!(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}\r\n",
        "a: b\r\n".repeat(200)
    );
    assert_eq!(verdict(&trailers), Err(FramingFault::HeadTooLarge));
}

#[test]
fn nothing_is_taken_after_a_fault() {
    let mut framing = Framing::new(LIMITS);
    let mut out = BytesMut::new();
    let first = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\n\n";
    let misframed = framing.push(first, &mut out).unwrap_err();
    assert!(misframed.in_head);
    assert_eq!(out.as_ref(), b"GET /a HTTP/1.1\r\n\r\n");
    assert_eq!(
        framing.push(b"GET /c HTTP/1.1\r\n\r\n", &mut out),
        Err(misframed)
    );
    assert_eq!((out.len(), framing.heads()), (19, 1));
    let mut framing = Framing::new(LIMITS);
    let body = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx";
    framing.push(body, &mut out).unwrap();
    assert!(!framing.push(b"\r\n", &mut out).unwrap_err().in_head);
}

/// Pieces of messages, good and bad, in any order.
fn bits() -> impl Strategy<Value = Vec<u8>> {
    let bit = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "host: x\r\n",
        "content-length: 3\r\n",
        "transfer-encoding: chunked\r\n",
        "\r\n",
        "\n",
        "\r",
        "abc",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "5;e\r\nhello\r\n",
        "a: b\r\n",
        " ",
        "\u{0}",
    ]);
    prop::collection::vec(bit, 0..24).prop_map(|bits| bits.concat().into_bytes())
}

proptest! {
    #[test]
    fn splits_change_nothing(bytes in bits(), cuts in prop::collection::vec(0_usize..9, 0..80)) {
        let (whole, split) = (taken(&bytes, &[]), taken(&bytes, &cuts));
        prop_assert_eq!(&whole.0, &split.0);
        prop_assert_eq!(&whole.1, &split.1);
        prop_assert_eq!(whole.2, split.2);
    }

    #[test]
    fn what_passes_stands_in_the_input_in_order(bytes in bits()) {
        let (_, out, _) = taken(&bytes, &[]);
        let mut rest = bytes.iter();
        prop_assert!(out.iter().all(|byte| rest.any(|other| other == byte)));
    }

    #[test]
    fn skipping_is_the_same_as_pushing(bytes in bits()) {
        let mut framing = Framing::new(LIMITS);
        let (mut out, mut rest, mut ended) = (BytesMut::new(), bytes.as_slice(), Ok(()));
        while !rest.is_empty() && ended.is_ok() {
            let plain = usize::try_from(framing.plain()).unwrap().min(rest.len());
            if plain > 0 {
                out.extend_from_slice(&rest[..plain]);
                framing.skip(plain as u64);
                rest = &rest[plain..];
            } else {
                ended = framing.push(&rest[..1], &mut out);
                rest = &rest[1..];
            }
        }
        let ended = ended.map_err(|misframed| misframed.fault);
        prop_assert_eq!((ended, out.to_vec()), (taken(&bytes, &[]).0, taken(&bytes, &[]).1));
    }
}
