//! Connections on which nobody was admitted yet take turns, a few at a time.
//!
//! Whoever opens many connections has as many tasks that want to run, and each
//! step of everybody else would wait for a step of each of them. So only a few
//! of such tasks run or wait to run at a time; the others wait for their turn
//! apart. They lose nothing: in a flood they would wait for each other anyway.

use std::{
    future::poll_fn,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::ready,
    thread,
};

use tokio::{
    sync::{Notify, Semaphore},
    task::yield_now,
};
use tokio_util::sync::PollSemaphore;

/// LIMIT: steps of newcomers in a round, for each processor. Everybody else's
/// next step waits for so many, and one may be a long computation (`work`).
const STEPS: usize = 1;

/// The steps that newcomers may take in a round.
#[derive(Debug)]
struct Round {
    /// Those that are left; whoever waits for one waits in order.
    left: Arc<Semaphore>,
    /// Those that were taken.
    taken: AtomicUsize,
    /// Told when there are not enough.
    wanted: Notify,
}

/// All newcomers.
#[derive(Debug, Clone)]
pub(crate) struct Newcomers(Arc<Round>);

impl Default for Newcomers {
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self::of(STEPS * processors)
    }
}

impl Newcomers {
    fn of(steps: usize) -> Self {
        Self(Arc::new(Round {
            left: Arc::new(Semaphore::new(steps)),
            taken: AtomicUsize::new(0),
            wanted: Notify::new(),
        }))
    }

    /// One more connection.
    pub(crate) fn one(&self) -> Standing {
        Standing {
            round: Arc::clone(&self.0),
            served: Arc::default(),
        }
    }

    /// Begins a new round, with as many steps as were taken, when there are not
    /// enough and others had their turn: tasks that are ready, and threads.
    /// Without it newcomers stand still.
    pub(crate) async fn rounds(&self) {
        let round = &self.0;
        loop {
            round.wanted.notified().await;
            thread::yield_now();
            yield_now().await;
            round
                .left
                .add_permits(round.taken.swap(0, Ordering::AcqRel));
        }
    }

    /// Lets everybody pass from now on: the gate closes.
    pub(crate) fn let_pass(&self) {
        self.0.left.close();
    }
}

/// Whether a connection's caller was admitted, shared by all that it does.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    round: Arc<Round>,
    served: Arc<AtomicBool>,
}

impl Standing {
    /// From now on it waits for no turn: its caller may be served, and stands
    /// in other lines.
    pub(crate) fn serve(&self) {
        self.served.store(true, Ordering::Relaxed);
    }

    /// Does something for the connection: as long as it was not served, a
    /// step in a round.
    pub(crate) async fn run<F: Future>(self, work: F) -> F::Output {
        tokio::pin!(work);
        let mut steps = Some(PollSemaphore::new(Arc::clone(&self.round.left)));
        poll_fn(|cx| {
            if self.served.load(Ordering::Relaxed) {
                // INVARIANT: the step that it waited for goes to somebody else.
                steps = None;
            }
            if let Some(steps) = &mut steps {
                let step = steps.poll_acquire(cx).map(|step| {
                    // There is none when everybody may pass.
                    if let Some(step) = step {
                        step.forget();
                        self.round.taken.fetch_add(1, Ordering::AcqRel);
                    }
                });
                // INVARIANT: who waits has said so, or is behind one who takes a
                // step and says so then.
                if self.round.left.available_permits() == 0 {
                    self.round.wanted.notify_one();
                }
                ready!(step);
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::{task::Poll, time::Duration};

    use tokio::task::yield_now;

    use super::*;

    /// To the end of those that are ready, and no further.
    async fn step() {
        let mut done = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut done, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn started(steps: usize) -> Newcomers {
        let newcomers = Newcomers::of(steps);
        let own = newcomers.clone();
        tokio::spawn(async move { own.rounds().await });
        newcomers
    }

    /// Runs 100 connections of many steps each; answers how many of their
    /// steps another task waits for at each of its own, at the most.
    async fn steps_between(served: bool) -> usize {
        let newcomers = started(3);
        let steps = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let (standing, steps) = (newcomers.one(), Arc::clone(&steps));
            if served {
                standing.serve();
            }
            tokio::spawn(standing.run(async move {
                for _ in 0..1_000 {
                    steps.fetch_add(1, Ordering::Relaxed);
                    step().await;
                }
            }));
        }
        let other = tokio::spawn(async move {
            let mut most = 0;
            for _ in 0..50 {
                let before = steps.load(Ordering::Relaxed);
                step().await;
                most = most.max(steps.load(Ordering::Relaxed) - before);
            }
            most
        });
        other.await.unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn others_wait_for_few_steps_of_many_newcomers_and_for_all_that_were_served() {
        let (few, all) = (steps_between(false).await, steps_between(true).await);
        assert!((1..=2 * 3).contains(&few), "{few}");
        assert!(all >= 100, "{all}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn everybody_goes_on_whatever_becomes_of_the_others() {
        let newcomers = started(2);
        let connections: Vec<_> = (0..50)
            .map(|n| {
                let standing = newcomers.one();
                let own = standing.clone();
                tokio::spawn(standing.run(async move {
                    for step in 0..20 {
                        if n % 3 == 0 && step == n % 20 {
                            own.serve();
                        }
                        yield_now().await;
                    }
                }))
            })
            .collect();
        // Some are served by another task, while they wait or do not.
        let others: Vec<_> = (0..20)
            .map(|n| {
                let standing = newcomers.one();
                let own = standing.clone();
                let waiting = tokio::spawn(standing.run(std::future::pending::<()>()));
                tokio::spawn(async move {
                    for _ in 0..n {
                        yield_now().await;
                    }
                    own.serve();
                    waiting.abort();
                })
            })
            .collect();
        for task in connections.into_iter().chain(others) {
            let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
            ended.unwrap().unwrap();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_is_served_while_it_waits_goes_on_and_keeps_no_turn() {
        let newcomers = Newcomers::of(1);
        newcomers.0.left.acquire().await.unwrap().forget();
        let standing = newcomers.one();
        let (own, (tell, told)) = (standing.clone(), tokio::sync::oneshot::channel());
        let waiting = tokio::spawn(standing.run(async move { told.await.unwrap() }));
        yield_now().await;
        own.serve();
        // Its turn comes when it needs none any more.
        newcomers.0.left.add_permits(1);
        yield_now().await;
        tell.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), 7);
        assert_eq!(newcomers.0.left.available_permits(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_waits_passes_when_the_gate_closes() {
        let newcomers = Newcomers::of(1);
        newcomers.0.left.acquire().await.unwrap().forget();
        let waiting = tokio::spawn(newcomers.one().run(async { 7 }));
        yield_now().await;
        assert!(!waiting.is_finished());
        newcomers.let_pass();
        let passed = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert_eq!(passed.unwrap().unwrap(), 7);
        assert_eq!(newcomers.one().run(async { 8 }).await, 8);
    }
}
