//! A whole reply on its way to a caller who may take its time, or never come:
//! who lent it can take it back, so that nobody's memory is held for ever.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::work;

/// LIMIT: bytes handed to the connection at one time; what it has in its own
/// buffers cannot be taken back.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// How often it is looked whether anything was fetched.
const MOMENT: Duration = Duration::from_secs(1);

/// What is not yet handed over; `None` when it was taken back.
#[derive(Debug)]
struct Rest(Mutex<Option<Bytes>>);

impl Rest {
    fn lock(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lender's side.
#[derive(Debug)]
pub(crate) struct Loan {
    /// All of it, so that its memory goes when the loan ends and not in the
    /// middle of what the connection does.
    whole: Bytes,
    rest: Arc<Rest>,
    over: oneshot::Receiver<()>,
}

/// The connection's side.
#[derive(Debug)]
pub(super) struct Borrowed {
    rest: Arc<Rest>,
    left: usize,
    /// It is one piece.
    whole: bool,
    /// Dropped with the last piece, or with the body.
    over: Option<oneshot::Sender<()>>,
}

pub(super) fn lend(bytes: Bytes) -> (Loan, Borrowed) {
    let left = bytes.len();
    let whole = bytes.clone();
    let rest = Arc::new(Rest(Mutex::new(Some(bytes))));
    let (borrower, over) = oneshot::channel();
    let loan = Loan {
        whole,
        rest: Arc::clone(&rest),
        over,
    };
    let borrowed = Borrowed {
        rest,
        left,
        whole: left <= PIECE_BYTES_MAX,
        over: (left > 0).then_some(borrower),
    };
    (loan, borrowed)
}

impl Loan {
    /// Waits until all of it is fetched or the body is gone; takes the rest
    /// back when nothing was fetched `within` this time, or within a moment
    /// while others are `pressed` for room. Answers whether it was left.
    pub(crate) async fn fetched(self, within: Duration, pressed: impl Fn() -> bool) -> bool {
        let Self {
            whole,
            rest,
            mut over,
        } = self;
        let left = || rest.lock().as_ref().map_or(0, Bytes::len);
        let moment = within.min(MOMENT);
        let (mut before, mut still) = (left(), Duration::ZERO);
        while tokio::time::timeout(moment, &mut over).await.is_err() {
            let now = left();
            if now == before {
                still = still.saturating_add(moment);
                if still >= within || pressed() {
                    *rest.lock() = None;
                    work::let_go(whole.len(), whole);
                    return false;
                }
            } else {
                (before, still) = (now, Duration::ZERO);
            }
        }
        work::let_go(whole.len(), whole);
        true
    }
}

impl Borrowed {
    /// The next piece; `None` at the end, `Some(None)` when the rest was taken
    /// back.
    pub(super) fn next(&mut self) -> Option<Option<Bytes>> {
        if self.left == 0 {
            return None;
        }
        let mut rest = self.rest.lock();
        let Some(bytes) = rest.as_mut() else {
            self.left = 0;
            return Some(None);
        };
        let size = bytes.len().min(PIECE_BYTES_MAX);
        let piece = if self.whole {
            bytes.split_to(size)
        } else {
            // A copy: a slice that waits in the connection's buffers would
            // keep the memory of the whole.
            Bytes::copy_from_slice(&bytes.split_to(size))
        };
        self.left = bytes.len();
        if self.left == 0 {
            self.over = None;
        }
        Some(Some(piece))
    }

    /// Bytes that are not yet fetched.
    pub(super) const fn left(&self) -> usize {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIEF: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_is_fetched_is_all_of_it() {
        let bytes = Bytes::from(vec![7; 3 * PIECE_BYTES_MAX + 5]);
        let (loan, mut borrowed) = lend(bytes.clone());
        let mut fetched = Vec::new();
        while let Some(piece) = borrowed.next() {
            let piece = piece.unwrap();
            assert!(piece.len() <= PIECE_BYTES_MAX);
            fetched.extend(piece);
            assert_eq!(borrowed.left(), bytes.len() - fetched.len());
        }
        assert_eq!(fetched, bytes);
        tokio::time::timeout(LONG, loan.fetched(LONG, || false))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_nobody_fetches_is_taken_back() {
        let bytes = Bytes::from(vec![7; 3 * PIECE_BYTES_MAX]);
        let whole = bytes.clone();
        let (loan, mut borrowed) = lend(bytes);
        let piece = borrowed.next().unwrap().unwrap();
        assert!(!whole.as_ptr_range().contains(&piece.as_ptr()));
        drop(whole);
        let rest = Arc::clone(&borrowed.rest);
        tokio::time::timeout(LONG, loan.fetched(BRIEF, || false))
            .await
            .unwrap();
        assert!(rest.lock().is_none(), "the memory is free");
        assert_eq!(borrowed.next(), Some(None), "no clean end");
        assert_eq!(borrowed.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn while_others_are_pressed_a_moment_is_enough() {
        let (loan, borrowed) = lend(Bytes::from(vec![7; 3 * PIECE_BYTES_MAX]));
        let since = tokio::time::Instant::now();
        assert!(!loan.fetched(LONG, || true).await);
        assert_eq!(since.elapsed(), MOMENT);
        assert!(borrowed.rest.lock().is_none());
    }

    #[tokio::test]
    async fn a_body_that_is_dropped_is_not_waited_for() {
        let (loan, borrowed) = lend(Bytes::from_static(b"abc"));
        drop(borrowed);
        tokio::time::timeout(LONG, loan.fetched(LONG, || false))
            .await
            .unwrap();
        let (loan, _empty) = lend(Bytes::new());
        tokio::time::timeout(LONG, loan.fetched(LONG, || false))
            .await
            .unwrap();
    }
}
