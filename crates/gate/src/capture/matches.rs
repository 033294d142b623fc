//! What detectors found, with the texts: the evidence that a record itself
//! never holds.

use serde::Serialize;
use terms::{Action, Direction, Finding, Place, Slot};

use super::never;
use crate::Ruling;

/// LIMIT: matches that are kept of one exchange.
const MATCHES_MAX: usize = 256;
/// LIMIT: bytes of one matched text; of a longer one its beginning is kept.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// LIMIT: bytes of all of them.
const BYTES_MAX: usize = 256 << 10;

/// Some findings at one place, and the text that they cover together.
#[derive(Debug, Serialize)]
struct Match {
    direction: Direction,
    slot: Slot,
    place: String,
    action: Action,
    detectors: Vec<Seen>,
    /// Without what may never be kept.
    text: String,
    /// Whether it went on.
    cut: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Seen {
    detector: String,
    kind: String,
    view: &'static str,
}

/// All of one exchange, as far as they are kept.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Matches {
    matches: Vec<Match>,
    /// How many more there were.
    more: u32,
    #[serde(skip)]
    bytes: usize,
    #[serde(skip)]
    masked: u32,
}

impl Matches {
    /// Takes findings that overlap, and the text that they cover.
    pub(crate) fn take(
        &mut self,
        ruling: &Ruling,
        direction: Direction,
        findings: &[Finding],
        text: &str,
        (slot, place, action): (Slot, &Place, Action),
    ) {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        if self.matches.len() >= MATCHES_MAX || self.bytes + end > BYTES_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        let mut detectors: Vec<Seen> = Vec::new();
        for finding in findings {
            let seen = Seen {
                detector: finding.detector.to_string(),
                kind: finding.kind.to_string(),
                view: finding.view.word(),
            };
            if !detectors.contains(&seen) {
                detectors.push(seen);
            }
        }
        let (mut kept, masked) = if findings.iter().any(|finding| never::is(&finding.kind)) {
            (never::MASK.to_owned(), 1)
        } else {
            never::text(ruling.never(), text, direction)
        };
        let cut = kept.len() > TEXT_BYTES_MAX;
        kept.truncate(kept.floor_char_boundary(TEXT_BYTES_MAX));
        self.masked = self.masked.saturating_add(masked);
        self.bytes += kept.len();
        self.matches.push(Match {
            direction,
            slot,
            place: place.as_str().to_owned(),
            action,
            detectors,
            text: kept,
            cut,
        });
    }

    /// Adds what another part of the walk found.
    pub(super) fn add(&mut self, other: Self) {
        self.more = self.more.saturating_add(other.more);
        self.masked = self.masked.saturating_add(other.masked);
        for each in other.matches {
            if self.matches.len() < MATCHES_MAX && self.bytes + each.text.len() <= BYTES_MAX {
                self.bytes += each.text.len();
                self.matches.push(each);
            } else {
                self.more = self.more.saturating_add(1);
            }
        }
    }

    /// How many stretches were masked.
    pub(super) const fn masked(&self) -> u32 {
        self.masked
    }
}
