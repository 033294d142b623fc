//! The exporter: a span and a few measurements for each exchange.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use gate::{Ended, Observer};
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, MeterProvider},
    trace::{Span, SpanKind, Status, Tracer, TracerProvider},
};
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::SdkTracerProvider,
};
use terms::Outcome;

/// How often measurements are sent.
const SEND_EVERY: Duration = Duration::from_secs(5);
/// For the collector to answer.
const SEND_TIME: Duration = Duration::from_secs(5);

/// Sends to one collector. Its queues are bounded; what does not fit is left out.
pub(super) struct Exporter {
    traces: SdkTracerProvider,
    meters: SdkMeterProvider,
    tracer: opentelemetry_sdk::trace::SdkTracer,
    duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    tokens: Histogram<u64>,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter(..)")
    }
}

impl Exporter {
    /// To the collector at this address, as `http://127.0.0.1:4318`.
    pub(super) fn new(address: &str, node: &str) -> anyhow::Result<Self> {
        let address = address.trim_end_matches('/');
        let unusable = "the collector's address cannot be used";
        let spans = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{address}/v1/traces"))
            .with_timeout(SEND_TIME)
            .build()
            .context(unusable)?;
        let measurements = MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{address}/v1/metrics"))
            .with_timeout(SEND_TIME)
            .build()
            .context(unusable)?;
        let resource = Resource::builder()
            .with_service_name("merestone")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", node.to_owned()),
            ])
            .build();
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(spans)
            .build();
        let reader = PeriodicReader::builder(measurements)
            .with_interval(SEND_EVERY)
            .build();
        let meters = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(reader)
            .build();
        let meter = meters.meter("merestone");
        let in_seconds = |name: &'static str| meter.f64_histogram(name).with_unit("s").build();
        Ok(Self {
            tracer: traces.tracer("merestone"),
            duration: in_seconds("gen_ai.client.operation.duration"),
            first_chunk: in_seconds("gen_ai.client.operation.time_to_first_chunk"),
            tokens: meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_unit("{token}")
                .build(),
            traces,
            meters,
        })
    }

    fn measure(&self, ended: &Ended<'_>) {
        let common = common(ended);
        let timings = &ended.closed.timings;
        self.duration.record(seconds(timings.total_us), &common);
        if let Some(first_byte_us) = timings.first_byte_us.filter(|_| ended.stream) {
            self.first_chunk.record(seconds(first_byte_us), &common);
        }
        let Some(usage) = ended.closed.usage else {
            return;
        };
        for (kind, count) in [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
        ] {
            let mut attributes = common.clone();
            attributes.push(KeyValue::new("gen_ai.token.type", kind));
            self.tokens.record(count, &attributes);
        }
    }
}

impl Observer for Exporter {
    fn ended(&self, ended: &Ended<'_>) {
        let begun = UNIX_EPOCH + Duration::from_millis(ended.arrived_ms);
        let end: SystemTime = begun + Duration::from_micros(ended.closed.timings.total_us);
        let operation = operation(ended);
        let mut attributes = common(ended);
        attributes.extend(of_the_span(ended));
        let mut span = self
            .tracer
            .span_builder(format!("{operation} {}", ended.model))
            .with_kind(SpanKind::Client)
            .with_start_time(begun)
            .with_attributes(attributes)
            .start(&self.tracer);
        if !matches!(ended.closed.outcome, Outcome::Complete) {
            span.set_status(Status::error(ended.closed.outcome.word()));
        }
        span.end_with_timestamp(end);
        self.measure(ended);
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // What cannot be sent is lost: the ledger, not this, is the record.
        let _ = self.traces.shutdown();
        let _ = self.meters.shutdown();
    }
}

const fn operation(ended: &Ended<'_>) -> &'static str {
    match ended.dialect {
        wire::Dialect::OpenAiChat | wire::Dialect::AnthropicMessages => "chat",
        wire::Dialect::AnthropicCountTokens => "count_tokens",
    }
}

/// What measurements and spans have in common: a bounded set of values, but
/// for the models.
fn common(ended: &Ended<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", operation(ended)),
        KeyValue::new("gen_ai.provider.name", ended.dialect.api().name()),
        KeyValue::new("gen_ai.request.model", ended.model.to_owned()),
        KeyValue::new("server.address", ended.address.to_owned()),
    ];
    if let Some(model) = &ended.closed.vendor.model {
        attributes.push(KeyValue::new("gen_ai.response.model", model.clone()));
    }
    if let Some(code) = ended.closed.code {
        attributes.push(KeyValue::new("error.type", code.word()));
    }
    attributes
}

fn of_the_span(ended: &Ended<'_>) -> Vec<KeyValue> {
    let closed = ended.closed;
    let mut attributes = vec![
        KeyValue::new("merestone.exchange", ended.exchange.to_string()),
        KeyValue::new("merestone.vendor", ended.vendor.to_owned()),
        KeyValue::new("merestone.outcome", closed.outcome.word()),
        KeyValue::new("gen_ai.request.stream", ended.stream),
    ];
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    if let Some(usage) = closed.usage {
        attributes.push(KeyValue::new(
            "gen_ai.usage.input_tokens",
            whole(usage.input_tokens),
        ));
        attributes.push(KeyValue::new(
            "gen_ai.usage.output_tokens",
            whole(usage.output_tokens),
        ));
    }
    if let Some(status) = closed.vendor.status {
        attributes.push(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
    }
    for run in &closed.controls {
        attributes.push(KeyValue::new(
            format!("merestone.control.{}", run.control),
            run.would.word(),
        ));
    }
    attributes
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a time in a histogram needs no more than 52 bits"
)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
