//! The exchanges that run now, so that a switch or a revocation ends them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use policy::Call;
use terms::{Code, ExchangeId, KeyId, Refusal};
use tokio_util::sync::CancellationToken;

/// The word that an exchange must end, and why.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    token: CancellationToken,
    code: OnceLock<Code>,
    /// Whether it is in the middle of long work, after which it asks first of
    /// all whether it must end: nothing of it passes until then.
    busy: AtomicBool,
}

impl Cut {
    /// Waits until the exchange must end; answers why.
    pub(crate) async fn wait(&self) -> Code {
        self.token.cancelled().await;
        self.code()
    }

    /// Why the exchange must end, if it must.
    pub(crate) fn now(&self) -> Option<Code> {
        self.token.is_cancelled().then(|| self.code())
    }

    /// Asked in the middle of long work, so that a switch does not wait for
    /// the end of it.
    ///
    /// # Errors
    /// When the exchange must end.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.now().map_or(Ok(()), |code| Err(Refusal::new(code)))
    }

    /// Does long work. INVARIANT: whoever calls it asks [`Cut::check`] next.
    pub(crate) fn busy<T>(&self, work: impl FnOnce() -> T) -> T {
        let _busy = Busy::begin(&self.busy);
        work()
    }

    /// Likewise, work that others do.
    pub(crate) async fn busy_until<T>(&self, done: impl Future<Output = T>) -> T {
        let _busy = Busy::begin(&self.busy);
        done.await
    }

    /// Whether it is in the middle of that.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst)
    }

    fn code(&self) -> Code {
        self.code.get().copied().unwrap_or(Code::ShuttingDown)
    }

    pub(crate) fn end(&self, code: Code) {
        let _ = self.code.set(code);
        self.token.cancel();
    }
}

/// As long as it lasts, somebody is in the middle of long work.
struct Busy<'b>(&'b AtomicBool);

impl<'b> Busy<'b> {
    fn begin(busy: &'b AtomicBool) -> Self {
        busy.store(true, Ordering::SeqCst);
        Self(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Line {
    vendor: String,
    route: &'static str,
    keys: Arc<[KeyId]>,
    model: Option<String>,
    cut: Arc<Cut>,
}

impl Line {
    fn call(&self) -> Call<'_> {
        Call {
            vendor: &self.vendor,
            route: self.route,
            keys: &self.keys,
            model: self.model.as_deref(),
        }
    }
}

#[derive(Debug, Default)]
struct Lines {
    by_id: HashMap<ExchangeId, Line>,
    /// Set when everything must end: what comes later ends at once.
    over: bool,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Lines>>);

impl Running {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an exchange, before the switches are asked about it: whoever
    /// switches off changes the switches first and then looks here, so that
    /// nothing slips between.
    pub(crate) fn enter(
        &self,
        id: ExchangeId,
        vendor: &str,
        route: &'static str,
        keys: Arc<[KeyId]>,
    ) -> Run {
        let cut = Arc::new(Cut::default());
        let mut lines = self.lines();
        if lines.over {
            cut.end(Code::ShuttingDown);
        }
        lines.by_id.insert(
            id,
            Line {
                vendor: vendor.to_owned(),
                route,
                keys,
                model: None,
                cut: Arc::clone(&cut),
            },
        );
        drop(lines);
        Run {
            running: self.clone(),
            id,
            cut,
        }
    }

    /// Ends those whose call fits; answers their names.
    pub(crate) fn end(&self, code: Code, fits: impl Fn(&Call<'_>) -> bool) -> Vec<ExchangeId> {
        self.lines()
            .by_id
            .iter()
            .filter(|(_, line)| fits(&line.call()))
            .map(|(id, line)| {
                line.cut.end(code);
                *id
            })
            .collect()
    }

    /// Ends all, and whatever comes later.
    pub(crate) fn end_all(&self) {
        self.lines().over = true;
        self.end(Code::ShuttingDown, |_| true);
    }

    /// Of how many of these, which were ended, something could still pass.
    pub(crate) fn left(&self, of: &[ExchangeId]) -> usize {
        let lines = self.lines();
        let passes = |id: &&ExchangeId| {
            let line = lines.by_id.get(id);
            line.is_some_and(|line| !line.cut.is_busy())
        };
        of.iter().filter(passes).count()
    }

    /// How many run.
    pub(crate) fn count(&self) -> usize {
        self.lines().by_id.len()
    }
}

/// One of them; it runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Run {
    running: Running,
    id: ExchangeId,
    cut: Arc<Cut>,
}

impl Run {
    /// The model became known.
    pub(crate) fn asks_for(&self, model: &str) {
        if let Some(line) = self.running.lines().by_id.get_mut(&self.id) {
            line.model = Some(model.to_owned());
        }
    }

    /// The word that it must end.
    pub(crate) fn cut(&self) -> Arc<Cut> {
        Arc::clone(&self.cut)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.running.lines().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use terms::{FixedClock, SeededEntropy};

    use super::*;

    #[tokio::test]
    async fn what_fits_is_ended_once_and_with_its_cause() {
        let running = Running::default();
        let id = |seed| ExchangeId::new(&FixedClock::new(1), &SeededEntropy::new(seed));
        let keys: Arc<[KeyId]> = Arc::from(["mk-0123456789ab".parse().unwrap()]);
        let first = running.enter(id(1), "openai", "openai-chat", Arc::clone(&keys));
        let second = running.enter(id(2), "anthropic", "anthropic-messages", keys);
        second.asks_for("claude");
        assert!(
            running
                .end(Code::SwitchedOff, |call| call.model == Some("gpt"))
                .is_empty()
        );
        let ended = running.end(Code::SwitchedOff, |call| call.model == Some("claude"));
        assert_eq!(ended, [id(2)]);
        assert_eq!(second.cut().wait().await, Code::SwitchedOff);
        assert_eq!(first.cut().now(), None);
        running.end_all();
        assert_eq!(second.cut().now(), Some(Code::SwitchedOff));
        assert_eq!(first.cut().now(), Some(Code::ShuttingDown));
        assert_eq!(running.left(&ended), 1);
        drop(second);
        assert_eq!((running.left(&ended), running.count()), (0, 1));
        let late = running.enter(id(3), "openai", "openai-chat", Arc::from([]));
        assert_eq!(late.cut().now(), Some(Code::ShuttingDown));
    }
}
