//! How much the gate holds at once: a bound on exchanges and on bytes in memory.

use std::sync::Arc;

use bytes::Bytes;
use terms::{Code, Refusal, TURN_BYTES};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit stands for this many bytes.
const UNIT_BYTES: usize = 1_024;
/// A request body that is larger is a large one.
const SMALL_UNITS: usize = 1_024;
/// One part in so many of the bytes is kept from them, as long as one of them
/// has room for itself.
const KEPT_PART: usize = 8;

/// The gate's whole allowance.
#[derive(Debug)]
pub(crate) struct Budget {
    exchanges: Arc<Semaphore>,
    units: Arc<Semaphore>,
    /// Of those, what large request bodies may take.
    large: Arc<Semaphore>,
    units_max: usize,
}

/// One exchange's share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _exchange: OwnedSemaphorePermit,
    held: Held,
    units: Arc<Semaphore>,
    large: Arc<Semaphore>,
    bytes: usize,
}

/// What was taken of both.
#[derive(Debug, Default)]
struct Held {
    units: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(exchanges_max: usize, bytes_max: usize, body_bytes_max: usize) -> Self {
        let units = (bytes_max / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let body = body_bytes_max.saturating_add(STEP_BYTES_MAX) / UNIT_BYTES + 1;
        let large = (units - units / KEPT_PART).max(body.min(units));
        let exchanges = exchanges_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            exchanges: Arc::new(Semaphore::new(exchanges)),
            units: Arc::new(Semaphore::new(units)),
            large: Arc::new(Semaphore::new(large)),
            units_max: units,
        }
    }

    /// Whether more than half of the bytes are taken.
    pub(crate) fn is_pressed(&self) -> bool {
        self.units.available_permits() < self.units_max / 2
    }

    /// Enters an exchange, or refuses at once: a queue here would only hide
    /// the overload from the caller's own retry.
    pub(crate) fn enter(&self) -> Result<Share, Refusal> {
        let permit = Arc::clone(&self.exchanges)
            .try_acquire_owned()
            .map_err(|_| Refusal::new(Code::TooBusy))?;
        Ok(Share {
            _exchange: permit,
            held: Held::default(),
            units: Arc::clone(&self.units),
            large: Arc::clone(&self.large),
            bytes: 0,
        })
    }
}

/// The room for an exchange's bytes, after the exchange itself has ended.
#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "holding it is its use")] Held);

impl Share {
    /// Leaves the room for the bytes to somebody else, who still has them.
    pub(crate) fn leave_room(&mut self) -> Room {
        self.bytes = 0;
        Room(std::mem::take(&mut self.held))
    }

    /// Makes room for this many more bytes in memory.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let (before, after) = self.units_after(bytes);
        let units = take(&self.units, after - before)?;
        join(&mut self.held.units, units);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Likewise, for more of a request's body. Those that are large leave some
    /// room, so that a few of them do not turn everybody else away. What
    /// comes later has its place: the vendor was asked.
    pub(crate) fn grow_body(&mut self, bytes: usize) -> Result<(), Refusal> {
        let (before, after) = self.units_after(bytes);
        // All of it, as soon as it is no longer small.
        let was_small = before <= SMALL_UNITS;
        let large = match after {
            0..=SMALL_UNITS => None,
            _ if was_small => take(&self.large, after)?,
            _ => take(&self.large, after - before)?,
        };
        self.grow(bytes)?;
        join(&mut self.held.large, large);
        Ok(())
    }

    fn units_after(&self, bytes: usize) -> (usize, usize) {
        let after = self.bytes.saturating_add(bytes);
        (self.bytes.div_ceil(UNIT_BYTES), after.div_ceil(UNIT_BYTES))
    }
}

fn take(from: &Arc<Semaphore>, units: usize) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
    if units == 0 {
        return Ok(None);
    }
    let busy = || Refusal::new(Code::TooBusy);
    let units = u32::try_from(units).map_err(|_| busy())?;
    let taken = Arc::clone(from).try_acquire_many_owned(units);
    Ok(Some(taken.map_err(|_| busy())?))
}

fn join(held: &mut Option<OwnedSemaphorePermit>, more: Option<OwnedSemaphorePermit>) {
    match (held, more) {
        (Some(held), Some(more)) => held.merge(more),
        (held @ None, more) => *held = more,
        (Some(_), None) => {}
    }
}

/// How much room is made at most beyond what is needed now.
const STEP_BYTES_MAX: usize = 1 << 20;

/// A body that arrives piece by piece. What counts against the allowance is
/// the room that is made for it, in bounded steps that are joined at the end:
/// to make one room larger again and again would copy it as often.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    parts: Vec<Vec<u8>>,
    bytes: usize,
}

impl Gathering {
    pub(crate) const fn len(&self) -> usize {
        self.bytes
    }

    /// Adds a piece; `charge` is asked before room is made.
    pub(crate) fn add(
        &mut self,
        piece: &[u8],
        charge: impl FnOnce(usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let last = self.parts.last_mut();
        let room = last.as_ref().map_or(0, |part| part.capacity() - part.len());
        let (here, rest) = piece.split_at_checked(room).unwrap_or((piece, &[]));
        if !rest.is_empty() {
            charge(rest.len().max(self.bytes.min(STEP_BYTES_MAX)))?;
        }
        if let Some(part) = last {
            part.extend_from_slice(here);
        }
        if !rest.is_empty() {
            let step = rest.len().max(self.bytes.min(STEP_BYTES_MAX));
            let mut part = Vec::with_capacity(step);
            part.extend_from_slice(rest);
            self.parts.push(part);
        }
        self.bytes += piece.len();
        Ok(())
    }

    /// Frees it a part at a time: the system takes a millisecond for a body of
    /// many megabytes, in which nobody else would have the thread.
    pub(crate) async fn let_go(mut self) {
        while self.parts.pop().is_some() {
            tokio::task::yield_now().await;
        }
    }

    /// The whole; work for as many bytes as there are.
    pub(crate) fn finish(mut self) -> Bytes {
        if self.parts.len() <= 1 {
            return Bytes::from(self.parts.pop().unwrap_or_default());
        }
        let mut whole = Vec::with_capacity(self.bytes);
        for part in self.parts {
            for piece in part.chunks(TURN_BYTES) {
                whole.extend_from_slice(piece);
                terms::worked(piece.len());
            }
        }
        Bytes::from(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_charged_for_the_room_that_is_made() {
        let (mut body, mut charged) = (Gathering::default(), 0);
        let piece = vec![7; 8_192];
        for _ in 0..1_000 {
            let charge = |bytes| {
                charged += bytes;
                Ok(())
            };
            body.add(&piece, charge).unwrap();
            assert!(charged >= body.len() && charged <= body.len() * 2 + piece.len());
            assert!(charged - body.len() <= STEP_BYTES_MAX);
        }
        let room = |body: &Gathering| body.parts.iter().map(Vec::capacity).sum::<usize>();
        assert_eq!(charged, room(&body));
        let full = |_| Err(Refusal::new(Code::TooBusy));
        while room(&body) - body.len() >= piece.len() {
            body.add(&piece, full).unwrap();
        }
        let before = body.len();
        assert!(body.add(&piece, full).is_err());
        assert_eq!(body.len(), before, "what is refused is not half taken");
        let whole = body.finish();
        assert_eq!(whole, vec![7; before]);
    }

    #[test]
    fn room_outlives_the_exchange() {
        let budget = Budget::new(1, 4 * UNIT_BYTES, UNIT_BYTES);
        let mut first = budget.enter().unwrap();
        first.grow(3 * UNIT_BYTES).unwrap();
        let room = first.leave_room();
        drop(first);
        let mut second = budget.enter().unwrap();
        assert!(second.grow(2 * UNIT_BYTES).is_err());
        assert!(budget.is_pressed());
        drop(room);
        assert!(!budget.is_pressed());
        second.grow(4 * UNIT_BYTES).unwrap();
    }

    #[test]
    fn what_is_large_leaves_room_for_what_is_small() {
        let small = SMALL_UNITS * UNIT_BYTES;
        let budget = Budget::new(9, 8 * small, small);
        let mut large: Vec<_> = (0..3).map(|_| budget.enter().unwrap()).collect();
        let grow = |share: &mut Share| share.grow_body(small / 2).is_ok();
        while large
            .iter_mut()
            .filter_map(|share| grow(share).then_some(()))
            .count()
            > 0
        {}
        let mut other = budget.enter().unwrap();
        assert!(other.grow_body(small / 2).is_ok());
        let more = small / 2 + UNIT_BYTES;
        assert!(other.grow_body(more).is_err(), "it would be large, too");
        assert!(large.pop().unwrap().grow(UNIT_BYTES).is_ok(), "for a reply");
        drop((large, other));
        let mut alone = budget.enter().unwrap();
        assert!(alone.grow_body(7 * small + 1).is_err());
        assert!(alone.grow_body(7 * small).is_ok());
        // Where there is little, a body as large as it may be still fits.
        let tight = Budget::new(9, 8 * small, 8 * small - UNIT_BYTES);
        assert!(
            tight
                .enter()
                .unwrap()
                .grow_body(8 * small - UNIT_BYTES)
                .is_ok()
        );
    }

    #[test]
    fn shares_are_bounded_and_come_back() {
        let budget = Budget::new(2, 4 * UNIT_BYTES, UNIT_BYTES);
        let mut first = budget.enter().unwrap();
        let mut second = budget.enter().unwrap();
        assert_eq!(budget.enter().unwrap_err().code(), Code::TooBusy);
        first.grow(3 * UNIT_BYTES).unwrap();
        assert!(second.grow(2 * UNIT_BYTES).is_err());
        second.grow(UNIT_BYTES).unwrap();
        drop(first);
        second.grow(3 * UNIT_BYTES).unwrap();
        assert!(second.grow(1).is_err());
        assert!(budget.enter().is_ok());
    }
}
