//! Text in, findings out: the catalogue, its engine, and reversible redaction.
//!
//! Pure: no I/O, no clock. Detectors are data (`catalogue/detectors`); the
//! engine looks at a text through several views at once, and in a stream holds
//! back no more than what could still become part of a match.

#![cfg_attr(
    test,
    allow(clippy::string_slice, reason = "tests cut texts of their own")
)]

mod anchor;
mod boundary;
mod byteset;
mod cache;
mod catalogue;
mod engine;
pub mod import;
mod index;
mod marks;
pub mod names;
mod pattern;
pub mod redact;
mod resolve;
mod shape;
mod sides;
mod steps;
pub mod template;
mod validate;
mod view;

pub use cache::{CACHED_TEXTS_MAX, Cached};
pub use catalogue::{Catalogue, CatalogueFault, Detector, Profile, Redaction};
pub use engine::{
    Engine, EngineFault, Explanation, FINDINGS_MAX, Held, HeldTooMuch, Refused, Sample, Scan,
    Segment, StreamLimits, StreamScan, WORK_FACTOR, Why,
};
pub use resolve::{Explained, Outcome, resolve, resolve_explained};
