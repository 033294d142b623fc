//! Remembers the first halves of exchanges, so that the second can say whose
//! they were.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use terms::{Admitted, ExchangeId, Leaf};

/// LIMIT: entries between the halves of an exchange over which they are brought
/// together. A constant of the format: an event is the same whenever it is made.
pub const CONTEXT_ENTRIES_MAX: u64 = 16_384;

/// The first halves among the last entries.
#[derive(Debug, Default)]
pub struct Context {
    by_exchange: HashMap<ExchangeId, (u64, Arc<Admitted>)>,
    by_sequence: BTreeMap<u64, ExchangeId>,
}

impl Context {
    /// Takes the next entry. Answers the first half that a second half belongs to.
    pub fn take(&mut self, sequence: u64, leaf: &Leaf) -> Option<Arc<Admitted>> {
        let oldest = sequence.saturating_sub(CONTEXT_ENTRIES_MAX);
        while let Some(entry) = self.by_sequence.first_entry() {
            if *entry.key() >= oldest {
                break;
            }
            let gone = entry.remove();
            self.by_exchange.remove(&gone);
        }
        match leaf {
            Leaf::Admitted(admitted) => {
                let half = (sequence, Arc::new((**admitted).clone()));
                if let Some((before, _)) = self.by_exchange.insert(admitted.exchange, half) {
                    self.by_sequence.remove(&before);
                }
                self.by_sequence.insert(sequence, admitted.exchange);
                None
            }
            Leaf::Closed(closed) => {
                let (before, half) = self.by_exchange.remove(&closed.exchange)?;
                self.by_sequence.remove(&before);
                Some(half)
            }
            Leaf::Refused(_)
            | Leaf::RefusedSummary(_)
            | Leaf::Event(_)
            | Leaf::UncleanStart(_)
            | Leaf::HeadCount(_) => None,
        }
    }
}
