//! The worst inputs: each is held to its stated bound of counted work for each
//! byte, and what was reached is printed as the table of `docs/attacks.md`.
//!
//! Work is what `Scan::work` counts: bytes that are read, in all views, by the
//! index and by each pattern that is tried, and a fixed sum for each check.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

use std::{fmt::Write as _, sync::LazyLock};

use detect::{Catalogue, Engine, WORK_FACTOR, template::Filler};
use terms::Direction;

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(Catalogue::embedded().unwrap()).unwrap());

/// Bytes of each input; `MERESTONE_LONG` takes ten million.
fn bytes() -> usize {
    match std::env::var_os("MERESTONE_LONG") {
        Some(_) => 10_000_000,
        None => 300_000,
    }
}

/// An input, and the bound that it is held to.
struct Worst {
    name: &'static str,
    /// LIMIT: counted work for each byte.
    work_max: usize,
    text: fn(usize) -> String,
}

const WORST: &[Worst] = &[
    worst("digits without an end", 8, |bytes| {
        repeat(bytes, "4111111111111111")
    }),
    worst("random digits", 16, |bytes| digits(bytes, "")),
    worst("digits in groups of four", 512, |bytes| digits(bytes, " ")),
    worst("digits and full stops", 512, |bytes| digits(bytes, ".")),
    worst("digits behind context words", 64, |bytes| {
        fill(
            bytes,
            "card ssn iban passport phone tax account licence {digits:9} ",
        )
    }),
    worst("base64 of base64 of base64", 32, |bytes| {
        chain(bytes, &[base64, base64, base64])
    }),
    worst("hexadecimal of base64 of escapes", 64, |bytes| {
        chain(bytes, &[escaped, base64, hex])
    }),
    worst("percent escapes of percent escapes", 32, |bytes| {
        chain(bytes, &[percent, percent])
    }),
    worst("escapes of three sorts in one another", 32, |bytes| {
        repeat(bytes, "%5cu0034&#x5c;u0034=5Cu0034")
    }),
    worst("many short runs of base64", 16, |bytes| {
        fill(bytes, "{alnum:44} {alnum:32}\n")
    }),
    worst("full-width digits and letters", 16, |bytes| {
        repeat(bytes, "４１１１ ａｋｉａ")
    }),
    worst("letters that fold into eighteen", 64, |bytes| {
        repeat(bytes, "\u{fdfa}")
    }),
    worst("invisible characters in every word", 64, |bytes| {
        repeat(
            bytes,
            "4\u{200b}1\u{200b}1\u{200b}1 g\u{200b}h\u{200b}p\u{200b}_\u{200b}",
        )
    }),
    worst("look-alikes of other alphabets", 16, |bytes| {
        repeat(bytes, "\u{430}\u{435}\u{43e}\u{440} \u{455}\u{456} ")
    }),
    worst("openers without closers", 64, |bytes| {
        fill(bytes, "{dash}BEGIN PRIVATE KEY{dash}\n")
    }),
    worst("brackets, tags and addresses begun", 64, |bytes| {
        repeat(bytes, "![<a href=\"http://@")
    }),
    worst("names of secrets without values", 128, |bytes| {
        repeat(bytes, "password: secret= api_key token: passwd=\"")
    }),
    worst("near-matches of every rule, each alone", 128, |bytes| {
        near(bytes, 3)
    }),
    worst("near-matches of every rule, in a row", 128, |bytes| {
        near(bytes, 12)
    }),
];

const fn worst(name: &'static str, work_max: usize, text: fn(usize) -> String) -> Worst {
    Worst {
        name,
        work_max,
        text,
    }
}

fn repeat(bytes: usize, text: &str) -> String {
    text.repeat(bytes.div_ceil(text.len()))
}

fn fill(bytes: usize, template: &str) -> String {
    let mut filler = Filler::new(7);
    let mut out = String::with_capacity(bytes + template.len());
    while out.len() < bytes {
        out.push_str(&filler.fill(template));
    }
    out
}

fn digits(bytes: usize, between: &str) -> String {
    fill(bytes, &format!("{{digits:4}}{between}"))
}

fn base64(text: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunks = text.chunks(3).flat_map(|three| {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        [18, 12, 6, 0].map(|shift| LETTERS[(bits >> shift) as usize & 63])
    });
    chunks.collect()
}

fn hex(text: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    text.iter()
        .for_each(|byte| write!(out, "{byte:02x}").unwrap());
    out.into_bytes()
}

fn percent(text: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    text.iter()
        .for_each(|byte| write!(out, "%{byte:02X}").unwrap());
    out.into_bytes()
}

fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    text.iter()
        .for_each(|byte| write!(out, "\\u{byte:04x}").unwrap());
    out.into_bytes()
}

/// Bytes of what is encoded.
const SEED_BYTES: usize = 24_000;

/// Encodes bytes.
type Encoding = fn(&[u8]) -> Vec<u8>;

/// Near-matches, encoded again and again, up to so many bytes.
fn chain(bytes: usize, steps: &[Encoding]) -> String {
    let seed = near(1, 3).into_bytes();
    let seed = seed[..SEED_BYTES].to_vec();
    let encoded = steps.iter().fold(seed, |text, step| step(&text));
    let once = String::from_utf8(encoded).unwrap();
    let mut out = String::with_capacity(bytes + once.len());
    while out.len() < bytes {
        out.push_str(&once);
        out.push('\n');
    }
    out.truncate(bytes);
    out
}

/// What every detector nearly finds: its counter-examples, and its examples
/// with their last letter gone, another one added, or one in the middle
/// exchanged. So many of each in a row, and all of them at least once.
fn near(bytes: usize, each: usize) -> String {
    let catalogue = Catalogue::embedded().unwrap();
    let mut filler = Filler::new(11);
    let mut out = String::with_capacity(bytes + 4_096);
    while out.len() < bytes {
        for detector in catalogue.detectors() {
            for number in 0..each {
                let examples = detector.examples.iter();
                for template in examples.chain(&detector.counter_examples) {
                    let text = filler.fill(template);
                    push_near(&mut out, &text, number);
                }
            }
        }
    }
    out
}

fn push_near(out: &mut String, text: &str, number: usize) {
    let chars: Vec<char> = text.chars().collect();
    let middle = chars.len() / 2;
    let other = |char: char| if char == '7' { '3' } else { '7' };
    match number % 3 {
        0 => out.extend(&chars[..chars.len().saturating_sub(1)]),
        1 => {
            out.push_str(text);
            out.push('x');
        }
        _ => out.extend(
            chars
                .iter()
                .enumerate()
                .map(|(at, char)| if at == middle { other(*char) } else { *char }),
        ),
    }
    out.push(' ');
}

/// Work for each byte, rounded up, and whether all was looked at.
fn reached(worst: &Worst) -> (usize, bool) {
    let text = (worst.text)(bytes());
    assert!(text.len() >= bytes(), "{}", worst.name);
    let directions = [Direction::Request, Direction::Reply];
    let scans = directions.map(|direction| ENGINE.scan(&text, direction));
    let most = scans.iter().map(|scan| scan.work).max().unwrap();
    let whole = scans.iter().all(|scan| !scan.work_exceeded);
    (usize::try_from(most).unwrap().div_ceil(text.len()), whole)
}

#[test]
fn every_worst_input_stays_within_its_bound() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/attacks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut wrong = Vec::new();
    println!("| input | bound, work for each byte | reached | looked through |\n|---|---|---|---|");
    for worst in WORST {
        assert!(worst.work_max <= WORK_FACTOR, "{}", worst.name);
        let (work, whole) = reached(worst);
        let whole = if whole { "whole" } else { "refused" };
        println!("| {} | {} | {work} | {whole} |", worst.name, worst.work_max);
        if work > worst.work_max {
            wrong.push(format!("{}: {work} of {}", worst.name, worst.work_max));
        }
        let row = format!("| {} | {} |", worst.name, worst.work_max);
        if !page.contains(&row) {
            wrong.push(format!("docs/attacks.md has no row {row}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_input_is_more_work_than_the_bound_of_all() {
    // The bound holds for what is refused as well: little is read beyond it.
    for worst in WORST {
        let text = (worst.text)(20_000);
        let scan = ENGINE.scan(&text, Direction::Request);
        let floor = 4 << 20;
        let most = (text.len() * WORK_FACTOR).max(floor) as u64;
        assert!(
            scan.work <= most + (64 << 10),
            "{}: {}",
            worst.name,
            scan.work
        );
    }
}
