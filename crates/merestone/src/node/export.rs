//! Alarms when a destination of the ledger's events is late.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc, time::Duration};

use terms::{Act, Clock};

use super::Node;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Node {
    /// Records when an export is late and when it is not any more, for ever.
    pub async fn watch_exports(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        let mut late_ones: BTreeSet<String> = BTreeSet::new();
        loop {
            every.tick().await;
            for (reading, late) in self.exports().late(self.admin.clock.now_ms()) {
                if late == late_ones.contains(&reading.name) {
                    continue;
                }
                let minutes = reading.lag_ms(self.admin.clock.now_ms()) / 60_000;
                let mut facts = BTreeMap::from([("export".to_owned(), reading.name.clone())]);
                if late {
                    let goes_on = "kept-in-the-ledger".to_owned();
                    facts.insert("goes-on".to_owned(), goes_on);
                    facts.insert("entries".to_owned(), reading.lag_entries().to_string());
                    facts.insert("minutes".to_owned(), minutes.to_string());
                    tracing::error!(export = reading.name, minutes, "an export is late");
                    late_ones.insert(reading.name);
                } else {
                    tracing::warn!(export = reading.name, "an export has caught up");
                    late_ones.remove(&reading.name);
                }
                let act = if late { Act::Degraded } else { Act::Recovered };
                let _ = self.admin.record(act, "node", "export", facts).await;
            }
        }
    }
}
