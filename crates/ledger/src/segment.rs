//! The form of a segment: a header, then frames. Reads any bytes without trust.

use thiserror::Error;

use crate::canonical::LEAF_BYTES_MAX;

/// First bytes of every segment.
pub const MAGIC: &[u8; 8] = b"mstnlog1";
/// Bytes of the header: the magic and the first sequence number.
pub const HEADER_BYTES: usize = 16;
/// Bytes of a frame before its payload: length, checksum, sequence.
pub const FRAME_BYTES: usize = 16;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameFault {
    /// The bytes end inside the frame.
    #[error("the entry is cut off")]
    Short,
    /// No entry has this length.
    #[error("the entry's length cannot be")]
    Length,
    /// The bytes are not those that were written.
    #[error("the entry's checksum is wrong")]
    Checksum,
    /// The entry has another number than its place.
    #[error("the entry's number is not the next one")]
    Sequence,
}

/// One frame and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'b> {
    /// Its number in the log, from 0.
    pub sequence: u64,
    /// The record in its canonical form.
    pub payload: &'b [u8],
    /// Offset of the byte after it.
    pub end: usize,
}

/// The name of the segment that begins with this number.
#[must_use]
pub fn name(first: u64) -> String {
    format!("{first:020}.seg")
}

/// The number in a segment's name, if it is one.
#[must_use]
pub fn first_of(name: &str) -> Option<u64> {
    let digits = name
        .strip_suffix(".seg")
        .filter(|digits| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}

/// The header of a segment that begins with this number.
#[must_use]
pub fn header(first: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    for (to, from) in header
        .iter_mut()
        .zip(MAGIC.iter().copied().chain(first.to_le_bytes()))
    {
        *to = from;
    }
    header
}

/// Adds a frame to `out`.
pub fn encode(sequence: u64, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(length, sequence, payload).to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads the frame at an offset, which must have this number.
///
/// # Errors
/// When there is none.
pub fn decode(bytes: &[u8], at: usize, sequence: u64) -> Result<Frame<'_>, FrameFault> {
    let length_bytes = read4(bytes, at).ok_or(FrameFault::Short)?;
    let length = u32::from_le_bytes(length_bytes);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size == 0 || size > LEAF_BYTES_MAX {
        return Err(FrameFault::Length);
    }
    let sum = u32::from_le_bytes(read4(bytes, at.saturating_add(4)).ok_or(FrameFault::Short)?);
    let number: [u8; 8] = bytes
        .get(at.saturating_add(8)..at.saturating_add(16))
        .and_then(|b| b.try_into().ok())
        .ok_or(FrameFault::Short)?;
    let number = u64::from_le_bytes(number);
    let start = at.saturating_add(FRAME_BYTES);
    let end = start.saturating_add(size);
    let payload = bytes.get(start..end).ok_or(FrameFault::Short)?;
    if checksum(length, number, payload) != sum {
        return Err(FrameFault::Checksum);
    }
    if number != sequence {
        return Err(FrameFault::Sequence);
    }
    Ok(Frame {
        sequence,
        payload,
        end,
    })
}

fn read4(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok()
}

fn checksum(length: u32, sequence: u64, payload: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&length.to_le_bytes());
    let sum = crc32c::crc32c_append(sum, &sequence.to_le_bytes());
    crc32c::crc32c_append(sum, payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_frame_reads_back_and_one_changed_bit_does_not(payload in prop::collection::vec(any::<u8>(), 1..200), sequence: u64, at: prop::sample::Index, bit in 0_u8..8) {
            let mut bytes = Vec::new();
            encode(sequence, &payload, &mut bytes);
            let frame = decode(&bytes, 0, sequence).unwrap();
            prop_assert_eq!(frame.payload, &payload[..]);
            prop_assert_eq!(frame.end, bytes.len());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes, 0, sequence).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), at in 0_usize..200, sequence: u64) {
            let _ = decode(&bytes, at, sequence);
        }
    }

    #[test]
    fn names_sort_as_their_numbers_do() {
        assert!(name(9) < name(10));
        assert_eq!(first_of(&name(42)), Some(42));
        assert_eq!(first_of("42.seg"), None);
    }
}
