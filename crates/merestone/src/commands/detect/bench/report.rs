//! What was measured, as tables and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Measured,
    score::{Rates, Types, share},
};
use crate::present;

/// A million bytes.
const MB: f64 = 1e6;

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes and counts are far below 2^52"
)]
fn per_mb(count: u64, bytes: u64) -> Option<f64> {
    (bytes > 0).then(|| count as f64 / (bytes as f64 / MB))
}

#[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^52")]
fn speed(bytes: u64, cpu: Duration) -> Option<f64> {
    let seconds = cpu.as_secs_f64();
    (seconds > 0.0).then(|| bytes as f64 / MB / seconds)
}

/// The share `per_mille` of the sorted times lies at or below this.
fn at_share(sorted: &[u32], per_mille: usize) -> Option<u32> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get(last * per_mille / 1_000).copied()
}

pub(super) fn json(measured: &Measured, types: &Types) -> anyhow::Result<()> {
    let score = &measured.score;
    let rows: Vec<Value> = score
        .types
        .iter()
        .map(|(name, counts)| {
            let mut row = rates_json(score.rates(name, types));
            if let Some(members) = row.as_object_mut() {
                members.insert("type".to_owned(), json!(name));
                members.insert("kinds".to_owned(), json!(types.kinds(name)));
                members.insert("spans".to_owned(), json!(counts.spans));
                members.insert("touched".to_owned(), json!(counts.touched));
                members.insert("covered".to_owned(), json!(counts.covered));
                members.insert("right".to_owned(), json!(counts.right));
            }
            row
        })
        .collect();
    let wrong = score.wrong(types);
    let clean = &measured.clean;
    let all = json!({
        "build_ms": measured.build.as_secs_f64() * 1e3,
        "resident_bytes": measured.resident_bytes,
        "degraded": measured.degraded,
        "texts": score.texts,
        "bytes": measured.bytes,
        "mb_per_cpu_second": speed(measured.bytes, measured.cpu),
        "p50_us": at_share(&measured.latencies_us, 500),
        "p99_us": at_share(&measured.latencies_us, 990),
        "types": rows,
        "all": rates_json(score.all(types)),
        "wrong": wrong,
        "wrong_per_mb": per_mb(wrong.values().sum(), measured.bytes),
        "labels": {
            "positive": { "texts": score.positive.0, "found": score.positive.1 },
            "negative": { "texts": score.negative.0, "found": score.negative.1, "findings": score.negative_findings },
        },
        "clean": {
            "files": clean.files,
            "bytes": clean.bytes,
            "mb_per_cpu_second": speed(clean.bytes, clean.cpu),
            "findings": clean.by_detector,
            "findings_per_mb": per_mb(clean.by_detector.values().sum(), clean.bytes),
        },
    });
    present::say!("{all}")
}

fn rates_json(rates: Rates) -> Value {
    json!({
        "precision": rates.precision,
        "recall": rates.recall,
        "recall_covered": rates.recall_covered,
        "f1": rates.f1,
        "f1_covered": rates.f1_covered,
    })
}

pub(super) fn tables(measured: &Measured, types: &Types) -> anyhow::Result<()> {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    present::say!(
        "built in {:.1} ms; resident at most {}",
        measured.build.as_secs_f64() * 1e3,
        measured
            .resident_bytes
            .map_or("unknown".to_owned(), mebibytes)
    )?;
    if measured.degraded > 0 {
        present::say!("{} texts could not be looked at wholly", measured.degraded)?;
    }
    if measured.score.texts > 0 {
        data(measured, types)?;
    }
    if measured.clean.files > 0 {
        clean(measured)?;
    }
    Ok(())
}

fn data(measured: &Measured, types: &Types) -> anyhow::Result<()> {
    let score = &measured.score;
    if !score.types.is_empty() {
        by_type(measured, types)?;
    }
    for (word, (texts, found)) in [("something", score.positive), ("nothing", score.negative)] {
        if texts > 0 {
            present::say!(
                "of {texts} texts that hold {word}, something was found in {found} ({})",
                number(share(found, texts))
            )?;
        }
    }
    present::say!(
        "{} texts, {} bytes: {} MB per CPU second; p50 {} µs, p99 {} µs a text",
        score.texts,
        measured.bytes,
        number(speed(measured.bytes, measured.cpu)),
        at_share(&measured.latencies_us, 500).unwrap_or(0),
        at_share(&measured.latencies_us, 990).unwrap_or(0),
    )
}

fn by_type(measured: &Measured, types: &Types) -> anyhow::Result<()> {
    let score = &measured.score;
    let mut table = present::table(&[
        "type",
        "kinds",
        "spans",
        "precision",
        "recall",
        "covered",
        "F1",
        "F1 covered",
    ]);
    let row = |name: &str, kinds: &str, spans: String, rates: Rates| {
        let mut row = vec![present::plain(name), kinds.to_owned(), spans];
        row.push(number(rates.precision));
        row.push(number(rates.recall));
        row.push(number(rates.recall_covered));
        row.push(number(rates.f1));
        row.push(number(rates.f1_covered));
        row
    };
    for (name, counts) in &score.types {
        let kinds = types.kinds(name);
        let spans = counts.spans.to_string();
        if kinds.is_empty() {
            table.add_row([present::plain(name), "none".to_owned(), spans]);
        } else {
            let rates = score.rates(name, types);
            table.add_row(row(name, &kinds.join(", "), spans, rates));
        }
    }
    let all = score.all(types);
    table.add_row(row("all that have a kind", "", String::new(), all));
    present::say!("{table}")?;
    let wrong = score.wrong(types);
    let each: Vec<String> = wrong
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let each = if each.is_empty() {
        "none".to_owned()
    } else {
        each.join(", ")
    };
    let rate = per_mb(wrong.values().sum(), measured.bytes);
    present::say!(
        "wrong findings of these kinds: {} a MB ({each})",
        number(rate)
    )
}

fn clean(measured: &Measured) -> anyhow::Result<()> {
    let clean = &measured.clean;
    let mut table = present::table(&["detector", "findings", "a MB"]);
    for (detector, count) in &clean.by_detector {
        let rate = number(per_mb(*count, clean.bytes));
        table.add_row([present::plain(detector), count.to_string(), rate]);
    }
    let sum: u64 = clean.by_detector.values().sum();
    table.add_row([
        "all".to_owned(),
        sum.to_string(),
        number(per_mb(sum, clean.bytes)),
    ]);
    present::say!("clean text:\n{table}")?;
    present::say!(
        "{} files, {} bytes: {} MB per CPU second",
        clean.files,
        clean.bytes,
        number(speed(clean.bytes, clean.cpu))
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{at_share, per_mb, speed};

    #[test]
    fn shares_of_times_and_of_bytes() {
        let sorted: Vec<u32> = (1..=1_000).collect();
        assert_eq!(
            (at_share(&sorted, 500), at_share(&sorted, 990)),
            (Some(500), Some(990))
        );
        assert_eq!((at_share(&[7], 990), at_share(&[], 500)), (Some(7), None));
        assert_eq!(per_mb(3, 1_500_000), Some(2.0));
        assert_eq!(speed(5_000_000, Duration::from_millis(500)), Some(10.0));
        assert_eq!(speed(1, Duration::ZERO), None);
    }
}
