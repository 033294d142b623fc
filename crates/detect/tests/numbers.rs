//! Numbers in source code: checksums, ids, timestamps, hashes, constants,
//! versions and places, made from a seed. None of them is anybody's number,
//! and hardly one may be taken for one; cards in lists are all found.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "tests; they tell their figures with --no-capture"
)]

use std::collections::BTreeMap;

use detect::{Catalogue, Engine, resolve, template::Filler};
use terms::Direction;

/// Bytes of code that are looked at.
const CODE_BYTES: usize = 600_000;
/// Findings of a number's kind in them.
const FINDINGS_MAX: usize = 10;
/// Kinds of numbers.
const KINDS: &[&str] = &[
    "bank", "card", "crypto", "cvv", "health", "iban", "imei", "licence", "mac", "natid",
    "passport", "phone", "ssn", "taxid", "vehicle",
];

/// Lines as they stand in sources, settings, locks and logs.
const LINES: &[&str] = &[
    "checksum = \"{hex:64}\"",
    "    \"integrity\": \"sha512-{base64:86}==\",",
    "SHA256 ({lower:8}-1.{digits:2}.tar.gz) = {hex:64}",
    "{hex:32}  {lower:10}.jar",
    "commit {hex:40}",
    "index {hex:7}..{hex:7} 100644",
    "const ID: u64 = 1{digits:18};",
    "static long serialVersionUID = -{digits:18}L;",
    "private static final long serialVersionUID = 5{digits:18}L;",
    "order_id: 4{digits:15}1",
    "INSERT INTO events VALUES (1{digits:9}, '{lower:6}', {digits:6}, 17{digits:8});",
    "created_at=17{digits:8} updated_at=17{digits:11}",
    "\"timestamp\": 17{digits:17},",
    "2026-1{digits:1}-0{digits:1}T0{digits:1}:1{digits:1}:2{digits:1}.{digits:6}Z level=info span={hex:16}",
    "trace_id={hex:32} span_id={hex:16} dur={digits:3}.{digits:6}ms",
    "    {digits:16}, {digits:16}, {digits:15},",
    "        {digits:15},\n        {digits:16},\n        {digits:16},",
    "    0x{hex:8}, 0x{hex:8}, 0x{hex:8}, 0x{hex:8},",
    "let mask = 0x{digits:16};",
    "let limb = {digits:16}u64;",
    "pub const SCALE: f64 = 0.{digits:16};",
    "assert_eq!(value, -{digits:2}.{digits:15});",
    "<path d=\"M{digits:2}.{digits:3} {digits:2}.{digits:2}c-1.{digits:3} 0-{digits:1}.{digits:2} {digits:2}.{digits:3}z\"/>",
    "{hex:8}-{hex:4}-4{hex:3}-a{hex:3}-{hex:12}",
    "    id: \"{digits:18}\", # snowflake",
    "version = \"{digits:1}.{digits:2}.{digits:3}\"",
    "Revision: {digits:6}, build {digits:4}.{digits:5}.{digits:3}",
    "#define VERSION_CODE {digits:9}",
    "EXPECT_EQ({digits:10}, crc32(\"{lower:9}\"));",
    "static const uint32_t table[] = {{ {digits:10}, {digits:10}, {digits:10} }};",
    "at {lower:6}.{lower:8}({upper:1}{lower:7}.java:{digits:4})",
    "[{digits:5}.{digits:6}] usb 1-{digits:1}: new device number {digits:2}",
    "ETag: \"{hex:32}-{digits:2}\"",
    "msgid_{digits:12}_{digits:6}",
    "ISBN 978{digits:10}, EAN {digits:13}",
    "GET /v1/items/{digits:9}?page={digits:2} 200 {digits:5} {digits:3}ms",
    "port={digits:4} pid={digits:5} uid={digits:4}",
    "color: #{hex:6}; margin: {digits:2}px {digits:2}px;",
    "oid 1.3.6.1.4.1.{digits:5}.{digits:2}.{digits:1}.{digits:3}",
    "vector: [{digits:3}, {digits:3}, {digits:3}, {digits:3}, {digits:3}, {digits:3}]",
    "{digits:8} {digits:8} {digits:8} {digits:8}",
    "R_X86_64_PC32 {hex:16} {digits:8} + {digits:3}",
    "pkg:{lower:6}@{digits:1}.{digits:1}.{digits:1}+build.{digits:10}",
    "seed: {digits:10}, salt: {digits:12}, nonce: {digits:15}",
];

#[test]
fn numbers_of_code_are_nobodys() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let mut filler = Filler::new(600);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut bytes = 0;
    while bytes < CODE_BYTES {
        let mut file = String::from("//! A file of numbers.\n\nuse std::fmt;\n\n");
        for line in LINES {
            file.push_str(&filler.fill(line));
            file.push('\n');
        }
        bytes += file.len();
        for finding in resolve(engine.scan(&file, Direction::Request).findings) {
            if KINDS.contains(&finding.kind.as_str()) {
                *found
                    .entry(finding.detector.as_str().to_owned())
                    .or_default() += 1;
            }
        }
    }
    let findings: usize = found.values().sum();
    println!("{findings} in {bytes} bytes of code: {found:?}");
    assert!(findings <= FINDINGS_MAX, "{found:?}");
}

/// Forms in which lists and single cards stand; `{}` stands for a card, and
/// lines of a list are repeated.
const CARDS: &[&str] = &[
    "{}\n",
    "{},12/28,{digits:3}\n",
    "{digits:3}, {}, Jane Doe, 2027-01\n",
    "{digits:16},{},17{digits:11}\n",
    "\"{}\",",
    "{}, ",
    "{}; ",
    "{}\t",
    "{\"number\": \"{}\", \"id\": {digits:9}},",
    "({}, 17{digits:8}, 'paid'),\n",
    "please charge {} now. ",
    "{} 12/27 {digits:3}. ",
    "客户卡号{}已过期。",
    "https://shop.example/pay?pan={}&n=1\n",
];
const NUMBERS: &[&str] = &[
    "{luhn:4:16}",
    "{luhn:51:16}",
    "{luhn:2221:16}",
    "{luhn:37:15}",
    "{luhn:6011:16}",
    "{luhn:3528:16}",
    "{luhn:36:14}",
    "{luhn:62:19}",
];

#[test]
fn cards_in_lists_are_found_to_the_last() {
    let engine = Engine::new(Catalogue::embedded().unwrap()).unwrap();
    let mut filler = Filler::new(42);
    for form in CARDS {
        let mut text = String::from("[");
        let mut cards = Vec::new();
        for number in NUMBERS.iter().cycle().take(40) {
            let card = filler.fill(number);
            text.push_str(&filler.fill(&form.replace("{}", &card)));
            cards.push(card);
        }
        text.push(']');
        let findings = resolve(engine.scan(&text, Direction::Request).findings);
        let found: Vec<&str> = findings
            .iter()
            .filter(|finding| finding.kind.as_str() == "card")
            .map(|finding| &text[finding.span.clone()])
            .filter(|found| cards.iter().any(|card| card == found))
            .collect();
        assert_eq!(found, cards, "{form}");
    }
}
