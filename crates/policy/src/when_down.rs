//! What is done when something that the gate stands on is down. Closed unless
//! the operator says otherwise, and never open for good.

use serde::Serialize;

/// Whether calls pass without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum WithoutIt {
    /// They are refused.
    #[default]
    Closed,
    /// They pass, each one counted, until this time (milliseconds since 1970);
    /// from then on they are refused.
    Open {
        /// The end of the exception.
        until_ms: u64,
    },
}

impl WithoutIt {
    /// Whether calls pass at this time.
    #[must_use]
    pub const fn passes(self, now_ms: u64) -> bool {
        match self {
            Self::Closed => false,
            Self::Open { until_ms } => now_ms < until_ms,
        }
    }
}

/// The table, for what there is so far. The kill switch is not in it: it
/// stands on nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct WhenDown {
    /// When too little space is free for evidence. A disk that failed ends the
    /// process, whatever stands here.
    pub evidence: WithoutIt,
    /// When a control cannot look through a request within its work.
    pub controls: WithoutIt,
    /// When what redaction took out cannot be kept in the vault.
    pub vault: WithoutIt,
    /// When the operator's service for names does not look at a text.
    pub names: WithoutIt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_ends() {
        assert!(!WithoutIt::default().passes(0));
        let open = WithoutIt::Open { until_ms: 10 };
        assert!(open.passes(9) && !open.passes(10));
    }
}
