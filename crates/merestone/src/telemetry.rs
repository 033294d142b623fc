//! Exchanges as OpenTelemetry traces and GenAI metrics, over OTLP. Attributes
//! are those of the GenAI semantic conventions (in development, November 2026)
//! and of our own name space; no content and no key is among them.

#[cfg(feature = "otel")]
mod otlp;

use std::sync::Arc;

use gate::Observer;

/// Tells every exchange to a collector; dropped, it tells what still waits.
#[derive(Debug, Default)]
pub struct Telemetry {
    #[cfg(feature = "otel")]
    exporter: Option<Arc<otlp::Exporter>>,
}

impl Telemetry {
    /// Begins to tell exchanges to the collector at this address, if there is one.
    ///
    /// # Errors
    /// When the address cannot be used.
    #[cfg(feature = "otel")]
    pub fn begin(address: Option<&str>, node: &str) -> anyhow::Result<Self> {
        let exporter = address.map(|address| otlp::Exporter::new(address, node));
        Ok(Self {
            exporter: exporter.transpose()?.map(Arc::new),
        })
    }

    /// This build has none.
    ///
    /// # Errors
    /// When an address is given.
    #[cfg(not(feature = "otel"))]
    pub fn begin(address: Option<&str>, _node: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(
            address.is_none(),
            "`telemetry.otlp` is set, but this build cannot send telemetry; build it with `--features otel`, or leave the setting out"
        );
        Ok(Self::default())
    }

    /// Who is to be told by the gate.
    #[cfg(feature = "otel")]
    pub fn observer(&self) -> Option<Arc<dyn Observer>> {
        let exporter = self.exporter.clone();
        exporter.map(|exporter| exporter as Arc<dyn Observer>)
    }

    /// Nobody.
    #[cfg(not(feature = "otel"))]
    #[expect(clippy::unused_self, reason = "the same door as with the feature")]
    pub fn observer(&self) -> Option<Arc<dyn Observer>> {
        None
    }
}
