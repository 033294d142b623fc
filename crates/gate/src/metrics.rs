//! Counts and times for Prometheus. Every label has a bounded set of values:
//! words of this program and names of the configuration, nothing that a caller
//! sent.

mod cause;
mod export;
mod summary;
mod vault;

use std::sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use terms::{Closed, Code, ControlRun, Direction};
use wire::Dialect;

pub(crate) use cause::Cause;
pub use export::ExportReading;
pub use summary::Summary;
use summary::Tally;
use vault::VaultCounts;
pub use vault::VaultDid;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExchangeLabels {
    vendor: String,
    route: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControlLabels {
    control: &'static str,
    direction: &'static str,
    mode: &'static str,
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VendorLabels {
    vendor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    vendor: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    vendor: String,
    kind: &'static str,
}

/// How far the log is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckpointReading {
    /// Entries that the newest checkpoint covers.
    pub entries: u64,
    /// Milliseconds since it was signed, or was found at the start.
    pub age_ms: u64,
    /// Milliseconds since when there is one that no witness cosigned.
    pub unwitnessed_ms: u64,
    /// Whether the last one could not be made.
    pub failed: bool,
}

/// What is read off when somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// Exchanges now.
    pub in_flight: u64,
    /// Connections now.
    pub connections: u64,
    /// Entries that wait for the disk.
    pub ledger_waiting: u64,
    /// Whether the ledger failed.
    pub ledger_failed: bool,
    /// The log's newest checkpoint.
    pub checkpoint: CheckpointReading,
    /// Sources that are locked out.
    pub sources_locked: u64,
    /// Switches that are off.
    pub switches_off: u64,
    /// Milliseconds since the store last confirmed the keys.
    pub keys_age_ms: u64,
    /// Vendors: name, whether it is left alone, age of its key in parts of
    /// what is allowed.
    pub vendors: Vec<(String, bool, Option<f64>)>,
    /// How far the exports are.
    pub exports: Vec<ExportReading>,
}

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    exchanges: Family<ExchangeLabels, Counter>,
    refusals: Family<CodeLabels, Counter>,
    verdicts: Family<ControlLabels, Counter>,
    findings: Family<ControlLabels, Counter>,
    statuses: Family<StatusLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    first_byte: Family<VendorLabels, Histogram>,
    total: Family<VendorLabels, Histogram>,
    append: Histogram,
    uninspected_bytes: Counter,
    reloads: Family<CodeLabels, Counter>,
    connections_ended: Family<CauseLabels, Counter>,
    unfetched: Counter,
    unrecorded: Counter,
    unseen: Counter,
    vault: VaultCounts,
    tally: Mutex<Tally>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 18))
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            exchanges: Family::default(),
            refusals: Family::default(),
            verdicts: Family::default(),
            findings: Family::default(),
            statuses: Family::default(),
            tokens: Family::default(),
            first_byte: Family::new_with_constructor(seconds),
            total: Family::new_with_constructor(seconds),
            append: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
            uninspected_bytes: Counter::default(),
            reloads: Family::default(),
            connections_ended: Family::default(),
            unfetched: Counter::default(),
            unrecorded: Counter::default(),
            unseen: Counter::default(),
            vault: VaultCounts::default(),
            tally: Mutex::default(),
        }
    }
}

impl Metrics {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts since the start and times of the newest exchanges.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.tally().summary()
    }

    pub(crate) fn refused(&self, code: Code) {
        self.tally().refused(code);
        let labels = CodeLabels { code: code.word() };
        self.refusals.get_or_create(&labels).inc();
    }

    pub(crate) fn judged(&self, direction: Direction, runs: &[ControlRun]) {
        self.tally().judged(runs);
        for run in runs {
            let labels = ControlLabels {
                control: run.control.word(),
                direction: direction.word(),
                mode: run.mode.word(),
                verdict: run.would.word(),
            };
            self.verdicts.get_or_create(&labels).inc();
            self.findings
                .get_or_create(&labels)
                .inc_by(u64::from(run.findings));
        }
    }

    pub(crate) fn closed(&self, vendor: &str, dialect: Dialect, closed: &Closed) {
        self.judged(Direction::Reply, &closed.controls);
        self.tally().closed(vendor, closed);
        let labels = ExchangeLabels {
            vendor: vendor.to_owned(),
            route: dialect.name(),
            outcome: closed.outcome.word(),
        };
        self.exchanges.get_or_create(&labels).inc();
        if let Some(code) = closed.code {
            self.refused(code);
        }
        if let Some(status) = closed.vendor.status {
            let labels = StatusLabels {
                vendor: vendor.to_owned(),
                status: class(status),
            };
            self.statuses.get_or_create(&labels).inc();
        }
        for (kind, count) in closed.usage.into_iter().flat_map(|usage| {
            [
                ("input", usage.input_tokens),
                ("output", usage.output_tokens),
            ]
        }) {
            let labels = TokenLabels {
                vendor: vendor.to_owned(),
                kind,
            };
            self.tokens.get_or_create(&labels).inc_by(count);
        }
        let inspected = &closed.inspected;
        self.uninspected_bytes
            .inc_by(inspected.media_bytes.saturating_add(inspected.opaque_bytes));
        let labels = VendorLabels {
            vendor: vendor.to_owned(),
        };
        if let Some(first_byte_us) = closed.timings.first_byte_us {
            self.first_byte
                .get_or_create(&labels)
                .observe(as_seconds(first_byte_us));
        }
        self.total
            .get_or_create(&labels)
            .observe(as_seconds(closed.timings.total_us));
    }

    pub(crate) fn appended(&self, took_us: u64) {
        self.append.observe(as_seconds(took_us));
        self.tally().appended(took_us);
    }

    pub(crate) fn connection_ended(&self, cause: Cause) {
        let labels = CauseLabels {
            cause: cause.word(),
        };
        self.connections_ended.get_or_create(&labels).inc();
    }

    /// A reply was not fetched by its caller, and taken back.
    pub(crate) fn unfetched(&self) {
        self.unfetched.inc();
    }

    /// An exchange passes without a record, as the operator wants it.
    pub(crate) fn unrecorded(&self) {
        self.unrecorded.inc();
    }

    /// So many texts pass that no control could look through.
    pub(crate) fn unseen(&self, texts: u32) {
        self.unseen.inc_by(u64::from(texts));
    }

    /// So many values went into the vault, or came out, or did not.
    pub fn vault(&self, did: VaultDid, values: u64) {
        self.vault.count(did, values);
    }

    /// A reload took hold, or did not.
    pub fn reloaded(&self, held: bool) {
        let labels = CodeLabels {
            code: if held { "ok" } else { "refused" },
        };
        self.reloads.get_or_create(&labels).inc();
    }

    /// The text that Prometheus reads (OpenMetrics 1.0).
    #[must_use]
    pub fn text(&self, readings: &Readings) -> String {
        let mut registry = Registry::with_prefix("merestone");
        self.enter(&mut registry);
        self.enter_exceptions(&mut registry);
        self.vault.enter(&mut registry);
        enter_readings(&mut registry, readings);
        export::enter(&mut registry, &readings.exports);
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    fn enter(&self, registry: &mut Registry) {
        registry.register(
            "exchanges",
            "Exchanges that ended, by how",
            self.exchanges.clone(),
        );
        registry.register("refusals", "Refusals, by code", self.refusals.clone());
        registry.register(
            "verdicts",
            "Verdicts of each control",
            self.verdicts.clone(),
        );
        registry.register(
            "findings",
            "Findings of each control",
            self.findings.clone(),
        );
        registry.register(
            "vendor_replies",
            "Replies of vendors, by class of status",
            self.statuses.clone(),
        );
        registry.register(
            "tokens",
            "Tokens as vendors counted them",
            self.tokens.clone(),
        );
        registry.register_with_unit(
            "first_byte",
            "From arrival to the vendor's first byte",
            Unit::Seconds,
            self.first_byte.clone(),
        );
        registry.register_with_unit(
            "exchange",
            "From arrival to the end",
            Unit::Seconds,
            self.total.clone(),
        );
        registry.register_with_unit(
            "ledger_append",
            "Until an entry is durable",
            Unit::Seconds,
            self.append.clone(),
        );
        registry.register_with_unit(
            "uninspected",
            "Bytes of replies that passed uninspected",
            Unit::Bytes,
            self.uninspected_bytes.clone(),
        );
        registry.register("reloads", "Reloads, held and refused", self.reloads.clone());
    }

    /// What ended or passed other than it should.
    fn enter_exceptions(&self, registry: &mut Registry) {
        registry.register(
            "connections_ended",
            "Connections that the gate ended unanswered, by cause",
            self.connections_ended.clone(),
        );
        registry.register(
            "replies_unfetched",
            "Whole replies that their callers did not fetch in time",
            self.unfetched.clone(),
        );
        registry.register(
            "exchanges_unrecorded",
            "Exchanges that passed without a record, by when_down.evidence",
            self.unrecorded.clone(),
        );
        registry.register(
            "texts_unseen",
            "Texts that passed without a whole look, by [when_down]",
            self.unseen.clone(),
        );
    }
}

fn enter_gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge: Gauge<u64, AtomicU64> = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn enter_checkpoint(registry: &mut Registry, checkpoint: &CheckpointReading) {
    let mut gauge = |name, help, value| enter_gauge(registry, name, help, value);
    gauge(
        "checkpoint_entries",
        "Entries that the newest checkpoint covers",
        checkpoint.entries,
    );
    gauge(
        "checkpoint_age_milliseconds",
        "Since the newest checkpoint was signed",
        checkpoint.age_ms,
    );
    gauge(
        "checkpoint_unwitnessed_milliseconds",
        "Since when there is a checkpoint that no witness cosigned",
        checkpoint.unwitnessed_ms,
    );
    gauge(
        "checkpoint_failed",
        "Whether the last checkpoint could not be made",
        u64::from(checkpoint.failed),
    );
}

fn enter_readings(registry: &mut Registry, readings: &Readings) {
    enter_checkpoint(registry, &readings.checkpoint);
    let mut gauge = |name, help, value| enter_gauge(registry, name, help, value);
    gauge("in_flight", "Exchanges now", readings.in_flight);
    gauge("connections", "Connections now", readings.connections);
    gauge(
        "ledger_waiting",
        "Entries that wait for the disk",
        readings.ledger_waiting,
    );
    gauge(
        "ledger_failed",
        "Whether the ledger failed",
        u64::from(readings.ledger_failed),
    );
    gauge(
        "sources_locked",
        "Sources that are locked out",
        readings.sources_locked,
    );
    gauge(
        "switches_off",
        "Switches that are off",
        readings.switches_off,
    );
    gauge(
        "keys_age_milliseconds",
        "Since the store last confirmed the keys",
        readings.keys_age_ms,
    );
    let open: Family<VendorLabels, Gauge<u64, AtomicU64>> = Family::default();
    let ages: Family<VendorLabels, Gauge<f64, AtomicU64>> = Family::default();
    for (vendor, is_open, age) in &readings.vendors {
        let labels = VendorLabels {
            vendor: vendor.clone(),
        };
        open.get_or_create(&labels).set(u64::from(*is_open));
        if let Some(age) = age {
            ages.get_or_create(&labels).set(*age);
        }
    }
    registry.register("vendor_left_alone", "Whether a vendor is left alone", open);
    registry.register(
        "vendor_key_age_ratio",
        "Age of a vendor's key in parts of what is allowed",
        ages,
    );
}

const fn class(status: u16) -> &'static str {
    match status {
        200..300 => "2xx",
        300..400 => "3xx",
        401 => "401",
        403 => "403",
        429 => "429",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a time in a histogram needs no more than 52 bits"
)]
fn as_seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
