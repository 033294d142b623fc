use proptest::prelude::*;
use serde_json::{Value, json};
use terms::{Act, Event, Leaf, RECORD_VERSION, UncleanStart};

use super::*;
use crate::{
    count::tests::{NOON_MS, admitted, closed},
    usage::UsageRow,
};

const DAY_MS: u64 = 86_400_000;

fn today() -> Day {
    Day::of_ms(NOON_MS)
}

/// What the vendor counted on a day, for one model.
fn row(day: Day, requests: u64, input: u64, output: u64) -> UsageRow {
    UsageRow {
        from_seconds: day.starts_seconds(),
        until_seconds: day.next().starts_seconds(),
        key: Some("key_gate".into()),
        model: Some("gpt-1".into()),
        requests: Some(requests),
        input_tokens: input,
        output_tokens: output,
        cached_tokens: 0,
        cache_written_tokens: 0,
    }
}

fn export(rows: Vec<UsageRow>) -> UsageExport {
    UsageExport {
        exporter: Exporter::OpenAi,
        spans: rows
            .iter()
            .map(|row| (row.from_seconds, row.until_seconds))
            .collect(),
        rows,
    }
}

fn ask() -> Ask {
    Ask {
        vendors: ["openai".to_owned()].into(),
        ..Ask::default()
    }
}

fn against(export: UsageExport, ask: Ask, leaves: &[Leaf]) -> Reconciliation {
    let mut work = Reconciling::new(export, ask).unwrap();
    leaves.iter().for_each(|leaf| work.add(leaf));
    work.end()
}

fn reconcile(rows: Vec<UsageRow>, leaves: &[Leaf]) -> Reconciliation {
    against(export(rows), ask(), leaves)
}

/// Whole exchanges of 10 and 4 tokens.
fn whole(count: u64) -> Vec<Leaf> {
    (1..=count)
        .flat_map(|seed| [admitted(seed, &[]), closed(seed, &[])])
        .collect()
}

/// Reasons of a measure, what they account for, and what is left.
fn of(done: &Reconciliation, measure: Measure) -> (Vec<(Reason, u64)>, u64, Option<Reason>) {
    let found = done.differences.iter().find(|one| one.measure == measure);
    found.map_or_else(Default::default, |one| {
        (one.explained.clone(), one.unexplained, one.named)
    })
}

fn cut_short(seed: u64) -> [Leaf; 2] {
    let ended: &[(&str, Value)] = &[
        ("/outcome", json!("caller-gone")),
        ("/usage", json!(null)),
        ("/vendor", json!({"sent": true, "status": 200})),
    ];
    let begun: &[(&str, Value)] = &[("/request/output_tokens_max", json!(50))];
    [admitted(seed, begun), closed(seed, ended)]
}

#[test]
fn equal_counts_have_no_difference() {
    let done = reconcile(vec![row(today(), 3, 30, 12)], &whole(3));
    assert!(done.explained && done.differences.is_empty(), "{done:?}");
    assert_eq!(done.ledger.requests, Some(3));
    assert_eq!(done.vendor, done.ledger);
    let alias = done
        .remarks
        .iter()
        .find(|one| one.reason == Reason::ModelAlias);
    assert!(alias.unwrap().says.contains("gpt was asked for and gpt-1"));
}

#[test]
fn what_only_the_vendor_counted_went_past_the_gate() {
    let done = reconcile(vec![row(today(), 4, 47, 15)], &whole(3));
    assert!(!done.explained);
    for (measure, left) in [
        (Measure::Requests, 1),
        (Measure::InputTokens, 17),
        (Measure::OutputTokens, 3),
    ] {
        assert_eq!(of(&done, measure), (vec![], left, Some(Reason::VendorOnly)));
    }
}

#[test]
fn what_only_the_ledger_has_is_named_so() {
    let done = reconcile(vec![row(today(), 2, 20, 8)], &whole(3));
    assert!(!done.explained);
    assert_eq!(
        of(&done, Measure::Requests),
        (vec![], 1, Some(Reason::LedgerOnly))
    );
    // A retry may have been counted once.
    let mut leaves = whole(2);
    leaves.extend([admitted(3, &[("/request/retry", json!(1))]), closed(3, &[])]);
    let done = reconcile(vec![row(today(), 2, 20, 8)], &leaves);
    assert!(done.explained);
    assert_eq!(of(&done, Measure::Requests).0, [(Reason::Retry, 1)]);
}

#[test]
fn a_reply_cut_short_explains_as_much_as_it_can_have_used() {
    let mut leaves = whole(1);
    leaves.extend(cut_short(2));
    let done = reconcile(vec![row(today(), 2, 60, 54)], &leaves);
    assert!(done.explained, "{done:?}");
    assert_eq!(of(&done, Measure::Requests).0, [(Reason::CutShort, 1)]);
    assert_eq!(of(&done, Measure::OutputTokens).0, [(Reason::CutShort, 50)]);
    // The vendor need not have counted it.
    assert!(reconcile(vec![row(today(), 1, 10, 4)], &leaves).explained);
    // 100 bytes were sent, and 50 tokens were allowed.
    let done = reconcile(vec![row(today(), 2, 111, 55)], &leaves);
    let left = Some(Reason::VendorOnly);
    assert_eq!(
        of(&done, Measure::InputTokens),
        (vec![(Reason::CutShort, 100)], 1, left)
    );
    assert_eq!(
        of(&done, Measure::OutputTokens),
        (vec![(Reason::CutShort, 50)], 1, left)
    );
}

#[test]
fn open_stopped_refused_and_silent_exchanges_are_told_apart() {
    let mut leaves = vec![admitted(1, &[])];
    let nothing = ("/usage", json!(null));
    let stopped = [
        ("/outcome", json!("node-stopped")),
        nothing.clone(),
        ("/vendor", json!({"sent": false})),
    ];
    leaves.extend([admitted(2, &[]), closed(2, &stopped)]);
    let refused = [
        ("/outcome", json!("vendor-error")),
        nothing.clone(),
        ("/vendor", json!({"sent": true, "status": 429})),
    ];
    leaves.extend([admitted(3, &[]), closed(3, &refused)]);
    leaves.extend([admitted(4, &[]), closed(4, &[nothing])]);
    let done = reconcile(vec![row(today(), 4, 7, 0)], &leaves);
    assert!(done.explained, "{done:?}");
    let reasons = [Reason::Open, Reason::NodeStopped, Reason::VendorRefused].map(|one| (one, 1));
    assert_eq!(of(&done, Measure::Requests).0, reasons);
    // The silent one's request is certain; its tokens are not.
    let done = reconcile(vec![row(today(), 1, 7, 0)], &leaves[5..]);
    assert_eq!(
        of(&done, Measure::InputTokens).0,
        [(Reason::WithoutUsage, 7)]
    );
    assert!(done.explained);
}

#[test]
fn an_unclean_stop_and_unrecorded_exchanges_explain_no_more_than_they_can() {
    let unclean = Leaf::UncleanStart(UncleanStart {
        v: RECORD_VERSION,
        at_ms: NOON_MS + 9_000,
        from_ms: NOON_MS + 10,
        open: 0,
    });
    let mut leaves = whole(2);
    leaves.push(unclean);
    let done = reconcile(vec![row(today(), 3, 40, 14)], &leaves);
    assert!(done.explained, "{done:?}");
    assert_eq!(of(&done, Measure::Requests).0, [(Reason::UncleanStart, 1)]);
    let done = reconcile(vec![row(today(), 4, 40, 14)], &leaves);
    assert_eq!(of(&done, Measure::Requests).1, 1);
    let degraded = Leaf::Event(Event {
        v: RECORD_VERSION,
        at_ms: NOON_MS + 9_000,
        act: Act::Degraded,
        by: "node".into(),
        subject: "evidence".into(),
        facts: [
            ("unrecorded", "7"),
            ("from_ms", "1795694400000"),
            ("to_ms", "1795694401000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    });
    let mut leaves = whole(2);
    leaves.push(degraded);
    let done = reconcile(vec![row(today(), 9, 700, 14)], &leaves);
    assert_eq!(
        of(&done, Measure::Requests),
        (vec![(Reason::Unrecorded, 7)], 0, None)
    );
    assert_eq!(
        of(
            &reconcile(vec![row(today(), 10, 700, 14)], &leaves),
            Measure::Requests
        )
        .1,
        1
    );
}

#[test]
fn a_key_that_the_gate_does_not_use_is_named() {
    let mut other = row(today(), 5, 50, 5);
    other.key = Some("key_other".into());
    let rows = vec![row(today(), 3, 30, 12), other];
    let asked = Ask {
        gate_keys: ["key_gate".to_owned()].into(),
        ..ask()
    };
    let done = against(export(rows.clone()), asked, &whole(3));
    assert!(!done.explained && done.differences.is_empty());
    assert_eq!(done.bypassed.len(), 1);
    assert_eq!(
        (done.bypassed[0].key.as_str(), done.bypassed[0].requests),
        ("key_other", Some(5))
    );
    // Without a word about keys, it is the vendor's excess.
    let done = reconcile(rows, &whole(3));
    assert_eq!(of(&done, Measure::Requests).1, 5);
}

#[test]
fn names_asked_for_and_exports_without_models_fit_too() {
    let mut asked = row(today(), 3, 30, 12);
    asked.model = Some("gpt".into());
    assert!(reconcile(vec![asked.clone()], &whole(3)).explained);
    // A reply cut short told no model: it belongs to the one that answers.
    let mut leaves = whole(1);
    leaves.extend(cut_short(2));
    assert!(reconcile(vec![row(today(), 2, 20, 8)], &leaves).explained);
    asked.model = None;
    let mut leaves = whole(2);
    leaves.extend([
        admitted(3, &[]),
        closed(3, &[("/vendor/model", json!("gpt-2"))]),
    ]);
    let done = reconcile(vec![asked], &leaves);
    assert!(done.explained && done.differences.is_empty(), "{done:?}");
}

#[test]
fn the_edge_of_a_day_moves_an_exchange_and_no_more() {
    let midnight = today().next().starts_seconds() * 1_000;
    let at = |seed: u64, at_ms: u64| {
        let at = [("/at_ms", json!(at_ms))];
        [admitted(seed, &at), closed(seed, &at)]
    };
    let leaves: Vec<Leaf> = [at(1, NOON_MS), at(2, midnight - 10_000)].concat();
    let rows = vec![row(today(), 1, 10, 4), row(today().next(), 1, 10, 4)];
    let done = reconcile(rows.clone(), &leaves);
    assert!(done.explained, "{done:?}");
    let reasons: Vec<_> = done
        .differences
        .iter()
        .flat_map(|one| &one.explained)
        .collect();
    assert!(reasons.iter().all(|(reason, _)| *reason == Reason::DayEdge) && reasons.len() == 6);
    // Hours from the edge, the same counts are another cut of the days.
    let leaves: Vec<Leaf> = [at(1, NOON_MS), at(2, NOON_MS + 1)].concat();
    let done = reconcile(rows, &leaves);
    let reasons: Vec<_> = done
        .differences
        .iter()
        .flat_map(|one| &one.explained)
        .collect();
    assert!(
        done.explained
            && reasons
                .iter()
                .all(|(reason, _)| *reason == Reason::TimeZone)
    );
    // And what does not come out even is not.
    let rows = vec![row(today(), 1, 10, 4), row(today().next(), 1, 11, 4)];
    let done = reconcile(rows, &leaves);
    assert!(!done.explained);
}

#[test]
fn days_of_another_time_zone_are_counted_as_they_are_cut() {
    let begin = today().starts_seconds() + 8 * 3_600;
    let mut first = row(today(), 1, 10, 4);
    (first.from_seconds, first.until_seconds) = (begin - 86_400, begin);
    let mut second = row(today(), 1, 10, 4);
    (second.from_seconds, second.until_seconds) = (begin, begin + 86_400);
    let at = |seed: u64, at_ms: u64| {
        let at = [("/at_ms", json!(at_ms))];
        [admitted(seed, &at), closed(seed, &at)]
    };
    let leaves = [at(1, begin * 1_000 - 3_600_000), at(2, NOON_MS)].concat();
    let done = reconcile(vec![first.clone(), second.clone()], &leaves);
    assert!(done.explained && done.differences.is_empty(), "{done:?}");
    assert_eq!(done.days_begin_seconds, 8 * 3_600);
    assert!(
        done.remarks
            .iter()
            .any(|one| one.says.contains("08:00 UTC"))
    );
    second.until_seconds += 3_600;
    let fault = |rows| Reconciling::new(export(rows), ask()).unwrap_err();
    assert_eq!(fault(vec![second.clone()]), ReconcileFault::LongerThanDays);
    second.until_seconds -= 3_600;
    second.from_seconds += 3_600;
    second.until_seconds += 3_600;
    assert_eq!(fault(vec![first, second]), ReconcileFault::ShiftingDays);
    assert_eq!(fault(vec![]), ReconcileFault::NoDays);
    let mut ancient = row(today(), 1, 1, 1);
    (ancient.from_seconds, ancient.until_seconds) = (0, 86_400);
    let rows = vec![ancient, row(today(), 1, 1, 1)];
    assert_eq!(fault(rows), ReconcileFault::TooManyDays);
}

#[test]
fn hours_and_days_without_use_count_as_days() {
    let mut hour = row(today(), 3, 30, 12);
    hour.from_seconds += 12 * 3_600;
    hour.until_seconds = hour.from_seconds + 3_600;
    assert!(reconcile(vec![hour], &whole(3)).explained);
    // A table has no line for a day on which the vendor counted nothing.
    let days = Days {
        since: Some(today()),
        until: Some(today()),
    };
    let asked = Ask { days, ..ask() };
    let before = row(today().before(), 1, 1, 1);
    let done = against(export(vec![before]), asked, &whole(3));
    assert_eq!(of(&done, Measure::Requests).2, Some(Reason::LedgerOnly));
}

#[test]
fn before_the_ledger_began_nothing_is_explained() {
    let rows = vec![row(today().before(), 1, 10, 4), row(today(), 1, 10, 4)];
    let done = reconcile(rows, &whole(1));
    assert_eq!(of(&done, Measure::Requests).2, Some(Reason::BeforeLedger));
    assert!(!done.explained);
}

#[test]
fn counting_requests_and_other_vendors_are_left_out_and_cached_tokens_are_held_apart() {
    let mut leaves = whole(1);
    let counting = [("/request/dialect", json!("anthropic-count-tokens"))];
    leaves.extend([admitted(2, &counting), closed(2, &[])]);
    leaves.extend([
        admitted(3, &[("/request/vendor", json!("else"))]),
        closed(3, &[]),
    ]);
    let done = reconcile(vec![row(today(), 1, 10, 4)], &leaves);
    assert!(done.explained && done.differences.is_empty(), "{done:?}");
    assert!(
        done.remarks
            .iter()
            .any(|one| one.reason == Reason::Counting)
    );
    // A record from before cached tokens were counted.
    let mut cached = row(today(), 1, 10, 4);
    cached.cached_tokens = 6;
    let old = [("/usage", json!({"input_tokens": 10, "output_tokens": 4}))];
    let leaves = [admitted(1, &[]), closed(1, &old)];
    let done = reconcile(vec![cached.clone()], &leaves);
    assert_eq!(
        of(&done, Measure::CachedTokens).0,
        [(Reason::CachedApart, 6)]
    );
    assert!(done.explained);
    // With the count, it must fit.
    assert!(!reconcile(vec![cached], &whole(1)).explained);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Whatever passed and was recorded whole: what bypassed the gate is told
    /// to the last token, and nothing else is.
    #[test]
    fn the_vendors_excess_is_found_to_the_last_token(
        tokens in prop::collection::vec((0_u64..2, 0_u64..10_000, 0_u64..10_000), 0..20),
        past in (0_u64..3, 0_u64..1_000, 0_u64..1_000),
    ) {
        let mut leaves = Vec::new();
        let mut sums = [(0, 0, 0); 2];
        for (seed, (day, input, output)) in (1..).zip(&tokens) {
            let at = ("/at_ms", json!(NOON_MS + day * DAY_MS));
            let usage = ("/usage", json!({"input_tokens": input, "output_tokens": output, "cached_tokens": 0}));
            leaves.extend([admitted(seed, std::slice::from_ref(&at)), closed(seed, &[at, usage])]);
            let sum = &mut sums[*day as usize];
            *sum = (sum.0 + 1, sum.1 + input, sum.2 + output);
        }
        let days = [today(), today().next()];
        let mut rows: Vec<UsageRow> = days.iter().zip(sums).map(|(day, sum)| row(*day, sum.0, sum.1, sum.2)).collect();
        prop_assert!(reconcile(rows.clone(), &leaves).explained);
        let bypassing = row(today(), past.0, past.1, past.2);
        rows.push(bypassing);
        let done = reconcile(rows, &leaves);
        prop_assert_eq!(of(&done, Measure::Requests).1, past.0);
        prop_assert_eq!(of(&done, Measure::InputTokens).1, past.1);
        prop_assert_eq!(of(&done, Measure::OutputTokens).1, past.2);
        prop_assert_eq!(done.explained, past == (0, 0, 0));
    }
}

/// The entries of a day were pruned, and its head-count stands for them.
#[test]
fn a_pruned_day_is_held_against_its_head_count() {
    use crate::count::{Counting, Days, leaves};
    let log = whole(2);
    let mut counting = Counting::new(Days::default());
    log.iter().for_each(|leaf| counting.add(leaf));
    let count = leaves(today(), &counting.end(), NOON_MS + DAY_MS, (0, 4), &|_| {
        true
    });
    let count = Leaf::HeadCount(Box::new(count[0].clone()));
    // Of the day itself, the second exchange is left.
    let left = [log[2].clone(), log[3].clone(), count];
    let judged = |pruned: bool, requests: u64| {
        let rows = vec![row(today(), requests, 10 * requests, 4 * requests)];
        let mut work = Reconciling::new(export(rows), ask()).unwrap();
        if pruned {
            work.pruned();
        }
        left.iter().for_each(|leaf| work.add(leaf));
        work.end()
    };
    let done = judged(true, 2);
    assert!(done.explained, "{done:?}");
    assert_eq!(done.ledger.requests, Some(2));
    assert!(
        done.remarks
            .iter()
            .any(|remark| remark.reason == Reason::HeadCount)
    );
    // What went past the gate is told of such a day as well.
    let done = judged(true, 3);
    assert!(!done.explained);
    assert_eq!(done.differences[0].named, Some(Reason::VendorOnly));
    // Without it, and where nothing was pruned, the entries count.
    assert!(!judged(false, 2).explained);
    assert!(judged(false, 1).explained);
}
