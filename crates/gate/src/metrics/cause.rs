//! Why connections end.

/// Why the gate ended a connection that said nothing which could be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its source has as many as it may have.
    SourceFull,
    /// The handshake, or the first bytes, did not come in time.
    HandshakeSlow,
    /// They failed.
    HandshakeFailed,
    /// The peer took nothing of what was written for too long.
    PeerSlow,
    /// What was left to deliver was not taken in time.
    Undelivered,
    /// The peer sent too many frames that carry nothing.
    TooManyFrames,
}

impl Cause {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::SourceFull => "source-full",
            Self::HandshakeSlow => "handshake-slow",
            Self::HandshakeFailed => "handshake-failed",
            Self::PeerSlow => "peer-slow",
            Self::Undelivered => "undelivered",
            Self::TooManyFrames => "too-many-frames",
        }
    }
}
