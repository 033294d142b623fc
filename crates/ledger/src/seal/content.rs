//! All that is sealed of one exchange: its parts, each a frame of its own, so
//! that one can be shown without the others.

use sha2::{Digest as _, Sha256};
use terms::{CapturePart, Digest, Entropy, ExchangeId, Secret};

use super::{Context, FRAME_OVERHEAD_BYTES, Frame, RecordKey, SealFault};

/// What sealed content begins with.
const MAGIC: &[u8; 8] = b"mstncap1";
/// A part's number and the length of its frame.
const HEAD_BYTES: usize = 5;

/// Sealed content, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content<'a> {
    parts: Vec<(CapturePart, Frame<'a>)>,
}

fn number(part: CapturePart) -> u8 {
    match part {
        CapturePart::Caller => 1,
        CapturePart::Findings => 2,
        CapturePart::Request => 3,
        CapturePart::Reply => 4,
    }
}

/// Seals the parts of one exchange, in their order.
///
/// # Errors
/// When one is too long, or stands there twice.
pub fn seal(
    key: &RecordKey,
    exchange: ExchangeId,
    parts: &[(CapturePart, &[u8])],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealFault> {
    let room = |(_, text): &(CapturePart, &[u8])| HEAD_BYTES + FRAME_OVERHEAD_BYTES + text.len();
    let mut out = Vec::with_capacity(MAGIC.len() + parts.iter().map(room).sum::<usize>());
    out.extend_from_slice(MAGIC);
    let mut before = 0;
    for (part, text) in parts {
        if number(*part) <= before {
            return Err(SealFault::Shape);
        }
        before = number(*part);
        let frame = key.seal(&Context::part(exchange, *part), text, entropy)?;
        let length = u32::try_from(frame.len()).map_err(|_| SealFault::TooLong)?;
        out.push(before);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&frame);
    }
    Ok(out)
}

/// The digest by which the log names sealed content.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

impl<'a> Content<'a> {
    /// Reads bytes that are sealed content and nothing else: known parts, each
    /// once and in order.
    ///
    /// # Errors
    /// When they are not.
    pub fn read(bytes: &'a [u8]) -> Result<Self, SealFault> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(SealFault::Shape)?;
        let (mut parts, mut before) = (Vec::new(), 0);
        while let Some((code, after)) = rest.split_first() {
            let known = CapturePart::ALL.iter().find(|part| number(**part) == *code);
            let part = known.filter(|_| *code > before).ok_or(SealFault::Shape)?;
            let (length, after) = after.split_first_chunk().ok_or(SealFault::Shape)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (frame, after) = after.split_at_checked(length).ok_or(SealFault::Shape)?;
            parts.push((*part, Frame::read(frame)?));
            (before, rest) = (*code, after);
        }
        Ok(Self { parts })
    }

    /// The parts that are there.
    pub fn parts(&self) -> impl Iterator<Item = CapturePart> {
        self.parts.iter().map(|(part, _)| *part)
    }

    /// Opens one part; `None` if it is not there.
    ///
    /// # Errors
    /// When the key is another one, or the part was changed.
    pub fn open(
        &self,
        key: &RecordKey,
        exchange: ExchangeId,
        part: CapturePart,
    ) -> Result<Option<Secret<Vec<u8>>>, SealFault> {
        let mut parts = self.parts.iter();
        let found = parts.find(|(other, _)| *other == part);
        found
            .map(|(_, frame)| key.open(&Context::part(exchange, part), frame))
            .transpose()
    }
}
