//! How far the exports of the ledger's events are.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// One export at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportReading {
    /// Its name in the configuration.
    pub name: String,
    /// Entries that are not delivered.
    pub lag_entries: u64,
    /// Milliseconds since the first of them was made.
    pub lag_ms: u64,
    /// Events that were confirmed.
    pub delivered: u64,
    /// Events that were set aside because the sink refuses them.
    pub set_aside: u64,
    /// Entries that were pruned before they were sent.
    pub pruned: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Whether it has stopped until somebody looks.
    pub stopped: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExportLabels {
    export: String,
}

type Gauges = Family<ExportLabels, Gauge<u64, AtomicU64>>;
type Counters = Family<ExportLabels, Counter>;

pub(super) fn enter(registry: &mut Registry, readings: &[ExportReading]) {
    if readings.is_empty() {
        return;
    }
    let (lag, seconds, stopped) = (Gauges::default(), Gauges::default(), Gauges::default());
    let (delivered, set_aside) = (Counters::default(), Counters::default());
    let (pruned, failures) = (Counters::default(), Counters::default());
    for reading in readings {
        let labels = ExportLabels {
            export: reading.name.clone(),
        };
        lag.get_or_create(&labels).set(reading.lag_entries);
        seconds.get_or_create(&labels).set(reading.lag_ms / 1_000);
        stopped
            .get_or_create(&labels)
            .set(u64::from(reading.stopped));
        delivered.get_or_create(&labels).inc_by(reading.delivered);
        set_aside.get_or_create(&labels).inc_by(reading.set_aside);
        pruned.get_or_create(&labels).inc_by(reading.pruned);
        failures.get_or_create(&labels).inc_by(reading.failures);
    }
    registry.register(
        "export_lag_entries",
        "Entries that an export has not delivered",
        lag,
    );
    registry.register_with_unit(
        "export_lag",
        "Since the first entry that an export has not delivered was made",
        Unit::Seconds,
        seconds,
    );
    registry.register(
        "export_stopped",
        "Whether an export has stopped until somebody looks",
        stopped,
    );
    registry.register(
        "export_delivered",
        "Events that a sink confirmed, over all starts",
        delivered,
    );
    registry.register(
        "export_set_aside",
        "Events that a sink refused and that were set aside, over all starts",
        set_aside,
    );
    registry.register(
        "export_pruned_entries",
        "Entries that were pruned before they were sent, over all starts",
        pruned,
    );
    registry.register("export_failures", "Deliveries that failed", failures);
}
