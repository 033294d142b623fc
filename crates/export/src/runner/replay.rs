//! Sends entries again that were delivered before. The cursor has no part in it.

use std::{ops::Range, sync::Arc, thread::sleep, time::Duration};

use super::{CONTEXT_READ_MAX, Limits, READ_BYTES_MAX, RunnerFault};
use crate::{
    Event, Fate, Fault, Log, Sink,
    event::{CONTEXT_ENTRIES_MAX, Context, events},
};

/// LIMIT: tries of one batch whose sink wants some of it again.
const TRIES_MAX: u32 = 8;
/// Before the second try; twice as long before each that follows.
const TRY_AFTER: Duration = Duration::from_millis(250);

/// Sends the entries of a range with the names that they had. `told` hears what
/// became of each event.
///
/// # Errors
/// When the log cannot be read, or the sink does not take them.
pub fn replay(
    log: &mut dyn Log,
    sink: &mut dyn Sink,
    limits: Limits,
    range: Range<u64>,
    told: &mut dyn FnMut(&Fate),
) -> Result<(), RunnerFault> {
    let name = Arc::clone(log.name());
    let mut context = Context::default();
    let oldest = range.start.saturating_sub(CONTEXT_ENTRIES_MAX);
    let mut next = oldest.max(log.first()).min(range.start);
    while next < range.start {
        let items = log.read(next, range.start, CONTEXT_READ_MAX, READ_BYTES_MAX)?;
        let Some(last) = items.last() else { break };
        next = last.sequence + 1;
        for item in &items {
            context.take(item.sequence, &item.leaf);
        }
    }
    next = range.start;
    while next < range.end {
        let items = log.read(
            next,
            range.end,
            limits.batch_entries_max,
            limits.batch_bytes_max,
        )?;
        let mut batch = Vec::new();
        for item in items {
            let half = context.take(item.sequence, &item.leaf);
            batch.extend(events(&name, item.sequence, &item.leaf, half.as_ref()));
            next = item.sequence + 1;
        }
        deliver(sink, &batch, told)?;
    }
    Ok(())
}

/// Delivers a batch, in halves where it does not fit.
fn deliver(
    sink: &mut dyn Sink,
    batch: &[Event],
    told: &mut dyn FnMut(&Fate),
) -> Result<(), RunnerFault> {
    let mut left: Vec<Event> = batch.to_vec();
    for tried in 0..TRIES_MAX {
        if left.is_empty() {
            return Ok(());
        }
        if tried > 0 {
            sleep(TRY_AFTER * 2_u32.pow(tried - 1));
        }
        match sink.deliver(&left) {
            Ok(fates) => {
                let pairs = left.into_iter().zip(fates);
                left = pairs
                    .filter_map(|(event, fate)| {
                        if fate == Fate::Again {
                            return Some(event);
                        }
                        told(&fate);
                        None
                    })
                    .collect();
            }
            Err(Fault::Unfit(why)) if left.len() == 1 => {
                told(&Fate::Refused(why));
                return Ok(());
            }
            Err(Fault::Unfit(_)) => {
                let (first, second) = left.split_at(left.len() / 2);
                deliver(sink, first, told)?;
                return deliver(sink, second, told);
            }
            Err(Fault::Down(why)) => return Err(RunnerFault::Sink(why)),
            Err(Fault::Busy(why, least)) => return Err(RunnerFault::Busy(why, least)),
        }
    }
    Err(RunnerFault::Sink(
        "the sink wanted some events again and again".to_owned(),
    ))
}
