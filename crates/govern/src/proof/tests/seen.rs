//! What was seen of vendors, keys and findings, and how it is told.

use terms::{Act, Action, Code, Control, Mode, Outcome, RECORD_VERSION, RefusedSummary, Verdict};

use crate::{
    State,
    proof::{count, sentence},
    sample::{NOW_MS, Sample, key, note, run, version},
};

#[test]
fn what_was_not_inspected_is_said() {
    let mut sample = Sample::started();
    sample.exchange_with(|leaf| leaf.inspected.media_bytes = 4_096, |_| {});
    let row = sample.row(25);
    assert_eq!(row.coverage().not_inspected_bytes, 4_096);
    assert!(
        row.reason()
            .contains("4096 bytes of media or opaque values passed uninspected"),
        "{}",
        row.reason()
    );
    assert_eq!(sample.row(23).coverage().not_inspected_bytes, 0);
}

#[test]
fn redaction_counts_by_kind_and_says_what_it_does_not_reach() {
    let mut sample = Sample::started();
    sample.exchange_with(
        |leaf| {
            leaf.controls[1] = run(Control::Redaction, Mode::Enforce, Verdict::Redact);
            leaf.findings = vec![
                note("card", Action::Redact, 2),
                note("ssn", Action::Redact, 1),
                note("phone", Action::Flag, 3),
            ];
        },
        |_| {},
    );
    let reason = sample.row(57).reason().to_owned();
    assert!(
        reason.contains("redacted: card 2, ssn 1; passed on with a flag: phone 3"),
        "{reason}"
    );
    assert!(
        sample
            .row(63)
            .reason()
            .contains("2 replaced before sending"),
        "{}",
        sample.row(63).reason()
    );
    let row = sample.row(25);
    assert!(
        row.reason()
            .contains("Not proved by this: a scan of training data"),
        "{}",
        row.reason()
    );
    // A dialect that nobody has judged may carry training data.
    sample.exchange_with(
        |leaf| leaf.request.dialect = "openai-files".to_owned(),
        |_| {},
    );
    sample.expect_gap(25, "may carry training data");
    sample.expect(&[57], State::Enforced);
}

#[test]
fn key_grants_need_known_keys_and_a_restriction() {
    let mut sample = Sample::new();
    sample.key(key(1), &[("vendors", "*"), ("models", "")]);
    sample.exchange();
    sample.expect_gap(47, "no key is limited");
    sample.refused(Code::ModelDenied, |_| {});
    sample.expect(&[47], State::Enforced);
    let mut sample = Sample::new();
    sample.key(key(1), &[("restricted", "true")]);
    sample.exchange();
    sample.expect(&[47], State::Enforced);
    let mut sample = Sample::running();
    sample.exchange_with(|leaf| leaf.caller.key = key(2), |_| {});
    sample.expect_gap(47, "whose making is not in the ledger");
    sample.expect_gap(9, "whose making is not in the ledger");
    let mut sample = Sample::running();
    sample.event(Act::KeyRevoked, key(1).as_str(), &[]);
    sample.expect_gap(47, "no key is limited");
    sample.refused(Code::VendorDenied, |_| {});
    sample.expect(&[47], State::Enforced);
    sample.at_ms += 1_001;
    sample.exchange();
    sample.expect_gap(47, "after the revocation");
}

/// Row 47 with one more key, used or not, and what its reason says.
fn with_second_key(facts: &[(&str, &str)], used: bool) -> Sample {
    let mut sample = Sample::new();
    sample.key(key(1), &[("restricted", "false")]);
    sample.key(key(2), facts);
    sample.exchange();
    if used {
        sample.exchange_with(|leaf| leaf.caller.key = key(2), |_| {});
    }
    sample
}

#[test]
fn only_exchanges_under_a_restriction_in_force_prove_row_47() {
    let narrow = ("models", "gpt-*");
    let later = (NOW_MS + 1).to_string();
    let soon = (NOW_MS - 1).to_string();
    let unused = with_second_key(&[narrow], false);
    unused.expect_gap(47, "no exchange came under a key that is limited");
    let used = with_second_key(&[narrow, ("expires_ms", &later)], true);
    used.expect(&[47], State::Enforced);
    let row = used.row(47);
    assert_eq!(row.population(), 1, "{row:?}");
    assert_eq!(
        (row.evidence().first, row.evidence().last),
        (Some(4), Some(4))
    );
    assert!(
        row.reason()
            .contains("ll of 2 exchanges came under keys of the ledger that were in force; 1 of them under 1 key still in force"),
        "{}",
        row.reason()
    );
    // Expired by now, and in use while it was not.
    let expired = with_second_key(&[narrow, ("expires_ms", &soon)], true);
    expired.expect_gap(47, "no key is limited");
    let unreadable = with_second_key(&[narrow, ("expires_ms", "soon")], true);
    unreadable.expect_gap(47, "no key is limited");
    for everything in ["*", "**", "all", "", "gpt-*,*"] {
        let facts = [
            ("restricted", "true"),
            ("vendors", "all"),
            ("models", everything),
        ];
        with_second_key(&facts, true).expect_gap(47, "no key is limited");
    }
    let one_vendor = [
        ("restricted", "true"),
        ("vendors", "openai"),
        ("models", "*"),
    ];
    with_second_key(&one_vendor, true).expect(&[47], State::Enforced);
    // A refusal is a restriction at work, and a part of the population.
    let mut refused = with_second_key(&[narrow], false);
    refused.refused(Code::ModelDenied, |_| {});
    refused.expect(&[47], State::Enforced);
    assert_eq!(refused.row(47).population(), 1);
    assert_eq!(refused.row(47).evidence().first, Some(4));
}

/// The order of the ledger decides: a request that had arrived before its key
/// was revoked and was admitted after it should have been refused.
#[test]
fn an_exchange_admitted_after_the_revocation_is_a_violation_whenever_it_arrived() {
    let mut sample = Sample::running();
    sample.refused(Code::ModelDenied, |_| {});
    sample.expect(&[9, 47], State::Enforced);
    sample.event(Act::KeyRevoked, key(1).as_str(), &[]);
    sample.expect(&[9, 47], State::Enforced);
    sample.exchange_with(|leaf| leaf.at_ms -= 30_000, |_| {});
    for row in [9, 24, 47] {
        sample.expect_gap(row, "1 exchange came after the revocation of the key");
    }
}

#[test]
fn an_exchange_that_came_after_the_end_of_its_key_is_a_violation() {
    let end = (NOW_MS - 60_000).to_string();
    let after = (NOW_MS - 59_999).to_string();
    let mut sample = Sample::running();
    sample.key(key(2), &[("expires_ms", &after)]);
    sample.exchange_with(|leaf| leaf.caller.key = key(2), |_| {});
    sample.expect(&[9, 47], State::Enforced);
    sample.key(key(3), &[("expires_ms", &end)]);
    sample.exchange_with(|leaf| leaf.caller.key = key(3), |_| {});
    for row in [9, 24, 47] {
        sample.expect_gap(row, "1 exchange came after the end of the key's time");
    }
}

#[test]
fn the_vendor_is_observed_and_never_enforced() {
    let mut sample = Sample::running();
    sample.expect(&[19, 40], State::Gap);
    assert!(
        sample
            .row(46)
            .reason()
            .contains("a bad credential was not seen"),
        "{}",
        sample.row(46).reason()
    );
    sample.exchange_with(
        |_| {},
        |leaf| {
            leaf.outcome = Outcome::VendorError;
            leaf.vendor.status = Some(401);
            leaf.vendor.rate_limits =
                [("x-ratelimit-limit-requests".to_owned(), "60".to_owned())].into();
        },
    );
    sample.exchange_with(
        |_| {},
        |leaf| {
            leaf.vendor.finish = vec!["content_filter".to_owned()];
            leaf.vendor.model = Some("gpt-x-2026-01-01".to_owned());
        },
    );
    sample.expect(&[8, 19, 40, 46], State::Observed);
    assert_eq!(sample.row(46).population(), 3);
    assert!(
        sample.row(46).reason().contains("refused 1 with 401"),
        "{}",
        sample.row(46).reason()
    );
    assert_eq!(sample.row(8).population(), 3);
    assert_eq!(sample.row(40).population(), 1);
    assert!(
        sample
            .row(42)
            .reason()
            .contains("announced its limits on 1 of 3"),
        "{}",
        sample.row(42).reason()
    );
    assert!(
        sample
            .row(54)
            .reason()
            .contains("2 replies named the model asked for, 1 named another"),
        "{}",
        sample.row(54).reason()
    );
    // The vendor's rows do not depend on what our controls do.
    sample.version = version(2);
    sample.config(
        &Control::ALL
            .iter()
            .map(|control| (*control, Mode::Off))
            .collect::<Vec<_>>(),
    );
    sample.expect(&[8, 19, 40, 46], State::Observed);
}

#[test]
fn a_vendor_that_was_not_reached_was_not_observed() {
    let mut sample = Sample::started();
    sample.exchange_with(
        |_| {},
        |leaf| {
            leaf.outcome = Outcome::VendorFailed;
            leaf.reply_bytes = 0;
            leaf.vendor.status = None;
        },
    );
    sample.expect_gap(8, "none of 1 call was answered");
    sample.expect(&[19, 40, 46], State::Gap);
}

#[test]
fn strangers_are_counted_and_prove_nothing() {
    let mut sample = Sample::running();
    sample
        .leaves
        .push(terms::Leaf::RefusedSummary(RefusedSummary {
            v: RECORD_VERSION,
            from_ms: NOW_MS - 1_000,
            to_ms: NOW_MS,
            code: Code::KeyUnknown,
            reference: terms::ExchangeId::new(
                &terms::FixedClock::new(1),
                &terms::SeededEntropy::new(1),
            ),
            network: terms::Commitment([7; 32]),
            key: None,
            count: 12,
        }));
    sample.expect_gap(59, "12 calls without a valid key were refused");
}

#[test]
fn words_are_counted_and_sentences_ended() {
    assert_eq!(count(1, "reply"), "1 reply");
    assert_eq!(count(2, "reply"), "2 replies");
    assert_eq!(count(0, "ledger entry"), "0 ledger entries");
    assert_eq!(count(3, "key"), "3 keys");
    assert_eq!(sentence("one; two"), "One; two.");
}
