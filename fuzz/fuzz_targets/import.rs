//! Any text as a rule file of another scanner, applied to any text: refused,
//! reported or used; never a panic, and every span a piece of the text.
#![no_main]

use detect::import::{Reading, Rules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str, bool)| {
    let (file, text, wide) = data;
    let reading = if wide { Reading::Wider } else { Reading::Exact };
    let Ok((rules, _)) = Rules::read(file, reading) else { return };
    let found = rules.look(text, Some("src/a.rs"));
    let suppressed = found.suppressed.iter().map(|each| &each.finding);
    for finding in found.findings.iter().chain(suppressed) {
        assert!(text.get(finding.span.clone()).is_some_and(|secret| !secret.is_empty()));
        assert!(text.get(finding.matched.clone()).is_some());
    }
});
