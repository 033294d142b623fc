//! Keeps long computations from holding up other exchanges: so many at once
//! and no more, so that neither the processors nor the memory go to those who
//! send the largest texts.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use terms::{Code, Refusal};
use tokio::sync::{AcquireError, Semaphore, oneshot};

use crate::running::Cut;

/// From this size on, work is announced to the runtime and waits its turn.
const HEAVY_BYTES: usize = 64 << 10;
/// From this size on, it waits among its like, so that a small text is not
/// behind large ones, and gives way to others on its processor.
pub(crate) const HUGE_BYTES: usize = 1 << 20;
/// How much of a body of that size is taken in one turn.
const BULK_PIECE_BYTES: usize = 64 << 10;

/// The turns that there are.
#[derive(Debug)]
pub(crate) struct Work {
    heavy: Semaphore,
    huge: Arc<Semaphore>,
    bulk: Semaphore,
}

impl Default for Work {
    fn default() -> Self {
        Self::of(thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl Work {
    /// LIMIT: one heavy piece of work for each processor, a huge one for each
    /// two, and one large body of which a piece is about to be taken.
    fn of(processors: usize) -> Self {
        Self {
            heavy: Semaphore::new(processors.max(1)),
            huge: Arc::new(Semaphore::new((processors / 2).max(1))),
            bulk: Semaphore::new(1),
        }
    }

    /// Does work on so many bytes. When there is much to do, it waits its turn
    /// and lets the runtime move other tasks away first.
    ///
    /// # Errors
    /// When the exchange must end: before the work, or as soon as it is done.
    pub(crate) async fn on<T: Send>(
        &self,
        bytes: usize,
        cut: &Cut,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Refusal> {
        if bytes < HEAVY_BYTES {
            return Ok(terms::in_turns(work));
        }
        let turns = if bytes < HUGE_BYTES {
            &self.heavy
        } else {
            &*self.huge
        };
        let turn = turn(turns.acquire(), cut).await?;
        let done = cut.busy(|| {
            tokio::task::block_in_place(|| {
                if bytes < HUGE_BYTES {
                    Some(terms::in_turns(work))
                } else {
                    yielding(work)
                }
            })
        });
        drop(turn);
        // INVARIANT: whoever was counted as ended while it was busy passes
        // nothing on.
        cut.check()?;
        done.ok_or(Refusal::new(Code::TooBusy))
    }

    /// Likewise, work that borrows nothing: if it is huge, the thread of the
    /// runtime goes on meanwhile. To give its tasks to another one instead
    /// costs them the time until that one is there.
    ///
    /// # Errors
    /// As above, and when there is no thread to be had.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        bytes: usize,
        cut: &Cut,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        if bytes < HUGE_BYTES {
            return self.on(bytes, cut, work).await;
        }
        let turn = turn(Arc::clone(&self.huge).acquire_owned(), cut).await?;
        let (tell, told) = oneshot::channel();
        let working = move || {
            terms::give_way();
            let done = work();
            // INVARIANT: the turn lasts as long as the work, whoever waits for it.
            drop(turn);
            let _ = tell.send(done);
        };
        let worker = thread::Builder::new()
            .spawn(working)
            .map_err(|_| Refusal::new(Code::TooBusy))?;
        let done = cut.busy_until(told).await;
        cut.check()?;
        match (done, worker) {
            (Ok(done), _) => Ok(done),
            // It told nothing, so it is ending.
            (Err(_), worker) => match worker.join() {
                Ok(()) => Err(Refusal::new(Code::TooBusy)),
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }
}

/// Lets go of something of so many bytes. To give a large one's memory back
/// takes the kernel milliseconds, which a thread of the runtime does not have.
pub(crate) fn let_go<T: Send + 'static>(bytes: usize, what: T) {
    if bytes < HUGE_BYTES {
        return;
    }
    let going = move || {
        terms::give_way();
        drop(what);
    };
    // Where there is no thread to be had it goes right here.
    drop(thread::Builder::new().spawn(going));
}

/// A turn, as soon as there is one.
async fn turn<T>(
    turn: impl Future<Output = Result<T, AcquireError>>,
    cut: &Cut,
) -> Result<T, Refusal> {
    tokio::select! {
        biased;
        code = cut.wait() => Err(Refusal::new(code)),
        // The turns are never closed.
        turn = turn => turn.map_err(|_| Refusal::new(Code::TooBusy)),
    }
}

/// A body of which so much is there that it comes in turns with other large
/// ones: many of them at once would stand before every small exchange, each
/// with its piece.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    since: usize,
    waited: Duration,
}

impl Bulk {
    /// How long it waited for its turns, which is no fault of its sender.
    pub(crate) const fn waited(&self) -> Duration {
        self.waited
    }

    /// Asked for each piece, and with how much is there: waits its turn when
    /// that is due.
    pub(crate) async fn came(&mut self, work: &Work, piece: usize, all: usize) {
        self.since += piece;
        if all < HUGE_BYTES || self.since < BULK_PIECE_BYTES {
            return;
        }
        self.since = 0;
        let started = Instant::now();
        // The semaphore is never closed.
        let turn = work.bulk.acquire().await;
        // All that is ready now comes first, other threads too.
        thread::yield_now();
        tokio::task::yield_now().await;
        drop(turn);
        self.waited += started.elapsed();
    }
}

/// Does work on a thread of its own that gives way to all others: nobody can
/// take back what a thread of the runtime gave. Where there is no thread to be
/// had, it is done right here.
fn yielding<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    let work = Mutex::new(Some(work));
    let run = || {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.map(|work| work())
    };
    thread::scope(|scope| {
        let niced = || {
            terms::give_way();
            run()
        };
        let Ok(worker) = thread::Builder::new().spawn_scoped(scope, niced) else {
            return terms::in_turns(run);
        };
        match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use terms::Code;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn huge_work_is_bounded_and_small_work_goes_on() {
        let work = Arc::new(Work::of(2));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (work, now, most) = (Arc::clone(&work), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let busy = || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(5));
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    work.on(HUGE_BYTES, &Cut::default(), busy).await
                })
            })
            .collect();
        for size in [1, HEAVY_BYTES] {
            assert_eq!(work.on(size, &Cut::default(), || 7).await, Ok(7));
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread")]
    async fn large_work_gives_way_and_its_thread_alone() {
        let work = Work::of(2);
        let niceness = || rustix::process::getpriority_process(None);
        let before = niceness().unwrap();
        let large = work.on(HUGE_BYTES, &Cut::default(), niceness).await;
        assert!(large.unwrap().unwrap() > before);
        let small = work.on(HEAVY_BYTES, &Cut::default(), niceness).await;
        assert_eq!(small.unwrap().unwrap(), before);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn huge_work_apart_gives_way_and_the_runtimes_own_thread_goes_on() {
        let work = Work::of(2);
        let niceness = || rustix::process::getpriority_process(None);
        let before = niceness().unwrap();
        let (go, gone) = std::sync::mpsc::channel();
        let huge = move || {
            gone.recv().unwrap();
            niceness().unwrap()
        };
        let cut = Cut::default();
        let (there, ()) = tokio::join!(work.apart(HUGE_BYTES, &cut, huge), async {
            tokio::task::yield_now().await;
            assert!(cut.is_busy());
            go.send(()).unwrap();
        });
        assert!(there.unwrap() > before);
        assert!(!cut.is_busy());
        // Who must end passes nothing on.
        let (ended, ()) = tokio::join!(work.apart(HUGE_BYTES, &cut, || 7), async {
            cut.end(Code::KeyRevoked);
        });
        assert_eq!(ended.unwrap_err().code(), Code::KeyRevoked);
        assert_eq!(work.huge.available_permits(), 1);
    }

    #[test]
    fn what_is_large_is_let_go_by_another_thread() {
        struct Told(std::sync::mpsc::Sender<thread::ThreadId>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.send(thread::current().id()).unwrap();
            }
        }
        let (tell, told) = std::sync::mpsc::channel();
        let_go(HUGE_BYTES - 1, Told(tell.clone()));
        assert_eq!(told.recv().unwrap(), thread::current().id());
        let_go(HUGE_BYTES, Told(tell));
        assert_ne!(told.recv().unwrap(), thread::current().id());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn large_bodies_come_one_after_the_other_and_small_ones_do_not_wait() {
        let work = Arc::new(Work::of(2));
        let order = Arc::new(Mutex::new(Vec::new()));
        let turn = work.bulk.acquire().await.unwrap();
        let bodies: Vec<_> = (0..20)
            .map(|n| {
                let (work, order) = (Arc::clone(&work), Arc::clone(&order));
                tokio::spawn(async move {
                    let (mut bulk, size) = (Bulk::default(), if n < 10 { HUGE_BYTES } else { 1 });
                    for _ in 0..5 {
                        bulk.came(&work, BULK_PIECE_BYTES, size).await;
                    }
                    order.lock().unwrap().push(n);
                    bulk.waited()
                })
            })
            .collect();
        let mut waited = Vec::new();
        for (n, body) in bodies.into_iter().enumerate().rev() {
            if n == 9 {
                // The small ones are done while the turn is taken.
                assert!(order.lock().unwrap().iter().all(|n| *n >= 10));
                break;
            }
            waited.push(body.await.unwrap());
        }
        assert_eq!(waited, [Duration::ZERO; 10]);
        drop(turn);
        let all = async {
            while order.lock().unwrap().len() < 20 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_must_end_does_not_wait_its_turn_nor_pass_its_work_on() {
        let work = Work::of(2);
        let _turn = work.huge.acquire().await.unwrap();
        let cut = Cut::default();
        let (waiting, ()) = tokio::join!(work.on(HUGE_BYTES, &cut, || 7), async {
            tokio::task::yield_now().await;
            cut.end(Code::SwitchedOff);
        });
        assert_eq!(waiting.unwrap_err().code(), Code::SwitchedOff);
        let cut = Cut::default();
        let during = work.on(HEAVY_BYTES, &cut, || {
            assert!(cut.is_busy());
            cut.end(Code::KeyRevoked);
        });
        assert_eq!(during.await.unwrap_err().code(), Code::KeyRevoked);
        assert!(!cut.is_busy());
    }
}
