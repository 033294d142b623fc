//! Sources that are locked out, and what the ledger is told of it.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use policy::{Lockout, LockoutRule, Watched};
use terms::{Code, Refusal};

use crate::parties;

/// LIMIT: lock-outs that wait to be written; more are counted.
const WAITING_MAX: usize = 1_024;
/// LIMIT: lock-outs written apart at one time.
const WRITTEN_MAX: usize = 10;

#[derive(Debug, Default)]
struct State {
    lockout: Lockout<IpAddr>,
    waiting: Vec<IpAddr>,
    more: u64,
}

/// Lock-outs to be written.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Sources that were locked out.
    pub(crate) sources: Vec<IpAddr>,
    /// How many more there were.
    pub(crate) more: u64,
}

/// All sources.
#[derive(Debug, Default)]
pub(crate) struct Lockouts(Mutex<State>);

impl Lockouts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns away who is out.
    ///
    /// # Errors
    /// When the source is locked out.
    pub(crate) fn check(&self, source: IpAddr, now_ms: u64) -> Result<(), Refusal> {
        let left_ms = self
            .state()
            .lockout
            .locked_ms(&parties::source(source), now_ms);
        match left_ms {
            None => Ok(()),
            Some(left_ms) => {
                let seconds = u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
                Err(Refusal::new(Code::SourceLocked).retry_after(Some(seconds)))
            }
        }
    }

    /// Counts an attempt that failed. That no key was sent is no attempt.
    pub(crate) fn failed(&self, source: IpAddr, code: Code, rule: &LockoutRule, now_ms: u64) {
        let attempt = matches!(
            code,
            Code::KeyMalformed
                | Code::KeyUnknown
                | Code::KeyRevoked
                | Code::KeyExpired
                | Code::KeyAmbiguous
        );
        if !attempt {
            return;
        }
        let source = parties::source(source);
        let mut state = self.state();
        if state.lockout.failed(source, rule, now_ms) == Watched::Locked {
            if state.waiting.len() < WAITING_MAX {
                state.waiting.push(source);
            } else {
                state.more = state.more.saturating_add(1);
            }
        }
    }

    /// Takes out what is to be written now: all of it at the end.
    pub(crate) fn news(&self, all: bool) -> News {
        let mut state = self.state();
        let most = if all { WAITING_MAX } else { WRITTEN_MAX };
        let now = state.waiting.len().min(most);
        News {
            sources: state.waiting.drain(..now).collect(),
            more: std::mem::take(&mut state.more),
        }
    }

    /// Sources that are out now.
    pub(crate) fn locked(&self, now_ms: u64) -> usize {
        self.state().lockout.locked(now_ms)
    }
}
