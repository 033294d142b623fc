//! What one look shows, as text.

use std::collections::BTreeMap;

use crate::{admin::Stats, present};

/// LIMIT: lines of one table.
const LINES_MAX: usize = 12;

/// The whole screen. Rates are since the look before; without one they are
/// left out.
pub(super) fn screen(stats: &Stats, before: Option<&Stats>, width: usize) -> String {
    let mut out = headline(stats, before);
    out.push('\n');
    out.push_str(&vendors(stats, before, width));
    out.push_str("\n\n");
    out.push_str(&verdicts(stats));
    out.push_str("\n\n");
    out.push_str(&parties(stats, width));
    out
}

fn ended(stats: &Stats) -> u64 {
    stats
        .summary
        .exchanges
        .values()
        .flat_map(BTreeMap::values)
        .sum()
}

fn refused(stats: &Stats) -> u64 {
    stats.summary.refusals.values().sum()
}

/// How much a count grew in a second.
fn rate(now: u64, before: u64, stats: &Stats, earlier: &Stats) -> String {
    let ms = stats.at_ms.saturating_sub(earlier.at_ms).max(1);
    let tenths = now.saturating_sub(before).saturating_mul(10_000) / ms;
    format!("{}.{}/s", tenths / 10, tenths % 10)
}

fn headline(stats: &Stats, before: Option<&Stats>) -> String {
    let rates = before.map_or_else(String::new, |earlier| {
        format!(
            "   ended {}   refused {}",
            rate(ended(stats), ended(earlier), stats, earlier),
            rate(refused(stats), refused(earlier), stats, earlier)
        )
    });
    format!(
        "merestone  {}\nrunning {}   ended {}   refused {}{rates}\nwaiting for the disk {}   keys confirmed {} ms ago   locked out {}   switched off {}\ntotal {}   first byte {}   on the disk {}\n",
        present::time(stats.at_ms),
        stats.in_flight,
        ended(stats),
        refused(stats),
        stats.ledger_waiting,
        stats.keys_age_ms,
        stats.sources_locked,
        stats.switches_off,
        times(stats.summary.total_us),
        times(stats.summary.first_byte_us),
        times(stats.summary.append_us),
    )
}

/// Median, 90 % and 99 %, in milliseconds.
fn times(quantiles: Option<[u64; 3]>) -> String {
    quantiles.map_or_else(
        || "–".to_owned(),
        |quantiles| {
            let [p50, p90, p99] =
                quantiles.map(|us| format!("{}.{:02}", us / 1_000, us % 1_000 / 10));
            format!("{p50} / {p90} / {p99} ms")
        },
    )
}

fn vendors(stats: &Stats, before: Option<&Stats>, width: usize) -> String {
    let mut table = present::table(&["vendor", "state", "ended", "rate", "how"]);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    for vendor in stats.vendors.iter().take(LINES_MAX) {
        let outcomes = stats.summary.exchanges.get(&vendor.name);
        let sum = |stats: &Stats| -> u64 {
            let outcomes = stats.summary.exchanges.get(&vendor.name);
            outcomes.map_or(0, |outcomes| outcomes.values().sum())
        };
        let how = outcomes.map_or_else(String::new, |outcomes| {
            let words = outcomes
                .iter()
                .map(|(outcome, count)| format!("{outcome} {count}"));
            words.collect::<Vec<_>>().join(", ")
        });
        let mut state = if vendor.left_alone {
            "left alone".to_owned()
        } else {
            "asked".to_owned()
        };
        if let Some(ratio) = vendor.key_age_ratio.filter(|ratio| *ratio >= 0.8) {
            state.push_str(&format!(", key at {:.0} % of its time", ratio * 100.0));
        }
        table.add_row([
            vendor.name.clone(),
            state,
            sum(stats).to_string(),
            before.map_or_else(String::new, |earlier| {
                rate(sum(stats), sum(earlier), stats, earlier)
            }),
            how,
        ]);
    }
    table.to_string()
}

fn verdicts(stats: &Stats) -> String {
    let controls = stats.summary.verdicts.iter().map(|(control, verdicts)| {
        let words = verdicts
            .iter()
            .map(|(verdict, count)| format!("{verdict} {count}"));
        format!("{control}: {}", words.collect::<Vec<_>>().join(", "))
    });
    let mut refusals: Vec<(&String, &u64)> = stats.summary.refusals.iter().collect();
    refusals.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let refusals = refusals
        .iter()
        .take(LINES_MAX)
        .map(|(code, count)| format!("{code} {count}"));
    let or = |text: String| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            text
        }
    };
    format!(
        "verdicts  {}\nrefusals  {}",
        or(controls.collect::<Vec<_>>().join("   ")),
        or(refusals.collect::<Vec<_>>().join("   "))
    )
}

fn parties(stats: &Stats, width: usize) -> String {
    let mut table = present::table(&["last minute", "", "requests", "tokens", "now"]);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    for party in stats.parties.iter().take(LINES_MAX) {
        table.add_row([
            party.sort.clone(),
            party.name.clone(),
            party.requests.to_string(),
            party.tokens.to_string(),
            party.in_flight.to_string(),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::stats_sample;

    #[test]
    fn a_look_shows_rates_quantiles_and_who() {
        let (before, now) = (stats_sample(1_000, 10), stats_sample(2_000, 35));
        let screen = screen(&now, Some(&before), 100);
        assert!(screen.contains("25.0/s"), "{screen}");
        assert!(screen.contains("1.50 / 2.00 / 3.00 ms"), "{screen}");
        assert!(screen.contains("openai/gpt-5"), "{screen}");
        assert!(screen.contains("redact 4"), "{screen}");
        assert!(screen.contains("key at 90 % of its time"), "{screen}");
    }
}
