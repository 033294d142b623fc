//! Has each day's head-count written into the log once the day ended.

use std::{sync::Arc, time::Duration};

use govern::count::{Day, SETTLE_SECONDS};
use terms::Clock;

use super::Node;

/// How often it is looked whether a day ended.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Node {
    /// Records head-counts of days that ended, also of those that ended while
    /// no gate ran, for ever.
    pub async fn keep_head_counts(self: Arc<Self>) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        let mut done: Option<Day> = None;
        loop {
            every.tick().await;
            let now_ms = self.admin.clock.now_ms();
            let day = Day::of_ms(now_ms.saturating_sub(SETTLE_SECONDS * 1_000));
            // The log is asked once a day; it says itself what was recorded,
            // also to a clock that went back.
            if done == Some(day) {
                continue;
            }
            match self
                .admin
                .record_head_counts(&self.state.ledger(), now_ms)
                .await
            {
                Ok(_) => done = Some(day),
                Err(error) => {
                    tracing::error!("a day's head-count was not recorded: {error:#}");
                }
            }
        }
    }
}
