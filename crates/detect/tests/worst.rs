//! The worst inputs: each is held to its stated bounds of counted work and of
//! memory for each byte, and what was reached is printed as the table of
//! `docs/attacks.md`.
//!
//! Work is what `Scan::work` counts: bytes that are read, in all views, by the
//! index and by each pattern that is tried, and a fixed sum for each check.
//! Memory is the most that a scan has on the heap at one time, its result
//! included, the text and what an engine keeps between texts aside.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

use std::{fmt::Write as _, sync::LazyLock, thread};

use detect::{Catalogue, Engine, FINDINGS_MAX, Scan, StreamLimits, WORK_FACTOR, template::Filler};
use peak_alloc::PeakAlloc;
use terms::Direction;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(Catalogue::embedded().unwrap()).unwrap());

/// Bytes of each input; `MERESTONE_LONG` takes ten million.
fn bytes() -> usize {
    match std::env::var_os("MERESTONE_LONG") {
        Some(_) => 10_000_000,
        None => 300_000,
    }
}

/// An input, and the bounds that it is held to.
struct Worst {
    name: &'static str,
    /// LIMIT: counted work for each byte.
    work_max: usize,
    /// LIMIT: bytes of memory for each byte.
    memory_max: usize,
    text: fn(usize) -> String,
}

const WORST: &[Worst] = &[
    worst("digits without an end", 8, 4, |bytes| {
        repeat(bytes, "4111111111111111")
    }),
    worst("random digits", 16, 32, |bytes| digits(bytes, "")),
    worst("digits in groups of four", 512, 16, |bytes| {
        digits(bytes, " ")
    }),
    worst("digits and full stops", 512, 8, |bytes| digits(bytes, ".")),
    worst("digits behind context words", 64, 32, |bytes| {
        fill(
            bytes,
            "card ssn iban passport phone tax account licence {digits:9} ",
        )
    }),
    worst("base64 of base64 of base64", 32, 16, |bytes| {
        chain(bytes, &[base64, base64, base64])
    }),
    worst("hexadecimal of base64 of escapes", 64, 16, |bytes| {
        chain(bytes, &[escaped, base64, hex])
    }),
    worst("percent escapes of percent escapes", 32, 32, |bytes| {
        chain(bytes, &[percent, percent])
    }),
    worst("escapes of three sorts in one another", 32, 32, |bytes| {
        repeat(bytes, "%5cu0034&#x5c;u0034=5Cu0034")
    }),
    worst("many short runs of base64", 16, 16, |bytes| {
        fill(bytes, "{alnum:44} {alnum:32}\n")
    }),
    worst("full-width digits and letters", 16, 16, |bytes| {
        repeat(bytes, "４１１１ ａｋｉａ")
    }),
    worst("letters that fold into eighteen", 64, 32, |bytes| {
        repeat(bytes, "\u{fdfa}")
    }),
    worst("invisible characters in every word", 64, 32, |bytes| {
        repeat(
            bytes,
            "4\u{200b}1\u{200b}1\u{200b}1 g\u{200b}h\u{200b}p\u{200b}_\u{200b}",
        )
    }),
    worst("look-alikes of other alphabets", 16, 32, |bytes| {
        repeat(bytes, "\u{430}\u{435}\u{43e}\u{440} \u{455}\u{456} ")
    }),
    worst("a percent escape before each full stop", 64, 64, |bytes| {
        repeat(bytes, "%41.")
    }),
    worst(
        "an invisible character behind each letter",
        64,
        32,
        |bytes| repeat(bytes, "a\u{200b}"),
    ),
    worst("an escape on each line, lines escaped", 64, 64, |bytes| {
        repeat(bytes, "%41\\n")
    }),
    worst("JSON in a string of JSON", 64, 32, |bytes| {
        repeat(bytes, "line\\n of \\\"json\\\" ")
    }),
    worst("pairs of hexadecimal digits", 512, 32, |bytes| {
        repeat(bytes, "34 ")
    }),
    worst("context words alone", 64, 16, |bytes| {
        repeat(bytes, "card ssn iban passport phone tax account licence ")
    }),
    worst("an address every seven bytes", 256, 128, |bytes| {
        repeat(bytes, "a@b.co ")
    }),
    worst("a card every seventeen bytes", 256, 32, |bytes| {
        repeat(bytes, "4111111111111111 ")
    }),
    worst("openers without closers", 64, 16, |bytes| {
        fill(bytes, "{dash}BEGIN PRIVATE KEY{dash}\n")
    }),
    worst("brackets, tags and addresses begun", 64, 16, |bytes| {
        repeat(bytes, "![<a href=\"http://@")
    }),
    worst("names of secrets without values", 128, 32, |bytes| {
        repeat(bytes, "password: secret= api_key token: passwd=\"")
    }),
    worst("near-matches of every rule, each alone", 128, 16, |bytes| {
        near(bytes, 3)
    }),
    worst("near-matches of every rule, in a row", 128, 16, |bytes| {
        near(bytes, 12)
    }),
];

const fn worst(
    name: &'static str,
    work_max: usize,
    memory_max: usize,
    text: fn(usize) -> String,
) -> Worst {
    Worst {
        name,
        work_max,
        memory_max,
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

/// What was reached, for each byte, rounded up.
struct Reached {
    work: usize,
    memory: usize,
    whole: bool,
}

/// A scan, and the most memory that it had at one time.
fn scan(text: &str, direction: Direction) -> (Scan, usize) {
    let scan = || {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let scan = ENGINE.scan(text, direction);
        (scan, MEMORY.peak_usage().saturating_sub(before))
    };
    // A thread of its own: none has lists yet that it uses again.
    thread::scope(|scope| scope.spawn(scan).join().unwrap())
}

fn reached(worst: &Worst) -> Reached {
    let directions = [Direction::Request, Direction::Reply];
    // Patterns are made when they are first tried, and stay.
    for direction in directions {
        scan(&(worst.text)(20_000), direction);
    }
    let text = (worst.text)(bytes());
    assert!(text.len() >= bytes(), "{}", worst.name);
    let scans = directions.map(|direction| scan(&text, direction));
    let work = scans.iter().map(|(scan, _)| scan.work).max().unwrap();
    let memory = scans.iter().map(|(_, memory)| *memory).max().unwrap();
    Reached {
        work: usize::try_from(work).unwrap().div_ceil(text.len()),
        memory: memory.div_ceil(text.len()),
        whole: scans.iter().all(|(scan, _)| !scan.work_exceeded),
    }
}

#[test]
fn every_worst_input_stays_within_its_bounds() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/attacks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut wrong = Vec::new();
    println!(
        "| input | bound, work for each byte | reached | bound, bytes of memory for each byte \
         | reached | looked through |\n|---|---|---|---|---|---|"
    );
    for worst in WORST {
        let (name, work_max, memory_max) = (worst.name, worst.work_max, worst.memory_max);
        assert!(work_max <= WORK_FACTOR, "{name}");
        let Reached {
            work,
            memory,
            whole,
        } = reached(worst);
        let whole = if whole { "whole" } else { "refused" };
        println!("| {name} | {work_max} | {work} | {memory_max} | {memory} | {whole} |");
        if work > work_max || memory > memory_max {
            wrong.push(format!(
                "{name}: {work} of {work_max}, {memory} of {memory_max}"
            ));
        }
        let columns: Vec<&str> = page
            .lines()
            .find(|line| line.starts_with(&format!("| {name} | {work_max} | ")))
            .map(|line| line.split(" | ").collect())
            .unwrap_or_default();
        if columns.get(3) != Some(&memory_max.to_string().as_str()) {
            wrong.push(format!(
                "docs/attacks.md has no such row or bounds of {name}"
            ));
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

#[test]
fn a_text_of_more_findings_than_are_kept_is_not_looked_through() {
    for (addresses, whole) in [(FINDINGS_MAX / 4, true), (2 * FINDINGS_MAX, false)] {
        let scan = ENGINE.scan(&"a@b.co ".repeat(addresses), Direction::Request);
        assert_eq!(!scan.work_exceeded, whole, "{addresses}");
        assert!(scan.findings.len() <= FINDINGS_MAX);
        assert!(!whole || scan.findings.len() == addresses);
    }
}

#[test]
fn findings_of_many_runs_are_as_many_as_those_of_one() {
    let run = String::from_utf8(base64("a@b.co ".repeat(999).as_bytes())).unwrap();
    for (runs, whole) in [(20, true), (2 * FINDINGS_MAX / 999, false)] {
        let text = format!("{run}, ").repeat(runs);
        let scan = ENGINE.scan(&text, Direction::Reply);
        assert_eq!(!scan.work_exceeded, whole, "{runs}");
        let held_bytes_max = 0;
        let mut stream = ENGINE.stream(Direction::Reply, StreamLimits { held_bytes_max });
        stream.whole(&text);
        assert_eq!(!stream.work_exceeded(), whole, "{runs} in a stream");
    }
}

#[test]
fn a_long_text_that_no_reading_changes_is_looked_through() {
    // Of no character beyond the basic plane it is known beforehand that it
    // stays as it is.
    let scan = ENGINE.scan(&"\u{1f600}a".repeat(1_100_000), Direction::Request);
    assert!(!scan.work_exceeded);
}

#[test]
fn of_a_text_with_too_many_findings_no_views_are_made() {
    let made_of = |part: &str| part.repeat(FINDINGS_MAX + 1_000);
    // Beside each address stands an escape, so that there is a view of all.
    let scans = ["a@b.co %41 ", "a@b.co x41 "].map(|part| {
        let text = made_of(part);
        let mut stream = ENGINE.stream(Direction::Reply, StreamLimits { held_bytes_max: 0 });
        stream.whole(&text);
        assert!(stream.work_exceeded());
        ENGINE.scan(&text, Direction::Reply)
    });
    assert!(scans.iter().all(|scan| scan.work_exceeded));
    let [escaped, plain] = scans.map(|scan| scan.work);
    assert!(escaped < plain + plain / 8, "{escaped} and {plain}");
}

#[test]
fn what_is_full_of_placeholders_is_too_much() {
    for (count, whole) in [(60_000, true), (70_000, false)] {
        let mut stream = ENGINE.stream(Direction::Reply, StreamLimits { held_bytes_max: 0 });
        stream.whole(&"MSEMAILabcdef ".repeat(count));
        assert_eq!(!stream.work_exceeded(), whole, "{count}");
    }
}
