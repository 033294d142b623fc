//! The form of a segment: a header, then groups of frames. Reads any bytes
//! without trust.
//!
//! A group is what was written and synced at once. A power failure may lose
//! any pages of the last one, so it counts as a whole or not at all.

use thiserror::Error;

use crate::canonical::LEAF_BYTES_MAX;

/// First bytes of every segment.
pub const MAGIC: &[u8; 8] = b"mstnlog2";
/// Bytes of the header: the magic and the first sequence number.
pub const HEADER_BYTES: usize = 16;
/// Bytes of a group before its frames: length and checksum of the frames, the
/// first sequence number, and a checksum over these.
pub const GROUP_BYTES: usize = 20;
/// Bytes of a frame before its payload: length, checksum, sequence.
pub const FRAME_BYTES: usize = 16;
/// LIMIT: bytes of frames from which on no further entry joins a group.
pub const GROUP_BYTES_MAX: usize = 4 << 20;
/// LIMIT: bytes of a group's frames, its last entry included.
const FRAMES_BYTES_MAX: usize = GROUP_BYTES_MAX + LEAF_BYTES_MAX + FRAME_BYTES;
/// A segment in the making, before its header is on the disk.
pub(crate) const DRAFT: &str = "segment.tmp";
/// LIMIT: entries in one segment, as far as the search for a later group goes.
const ENTRIES_MAX: u64 = 1 << 20;

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
    /// The group that the entry should stand in is not as it was written.
    #[error("the group that the entry stands in is not as it was written")]
    Group,
}

/// A group and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The number of its first entry.
    pub first: u64,
    /// Offset of its first frame.
    pub frames: usize,
    /// Offset of the byte after it.
    pub end: usize,
}

/// Where a group is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Offset of the first frame that is broken, or of the group.
    pub offset: usize,
    /// The number of the entry that should stand there.
    pub sequence: u64,
    /// Why.
    pub fault: FrameFault,
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

/// Whether a file is named as a segment, be it a possible one or not.
pub(crate) fn is_named_as_one(name: &str) -> bool {
    name.ends_with(".seg")
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

/// Adds a group to `out`. There must be at least one payload, and together
/// they must keep to [`GROUP_BYTES_MAX`].
pub fn encode_group<'p>(first: u64, payloads: impl Iterator<Item = &'p [u8]>, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&[0; GROUP_BYTES]);
    for (sequence, payload) in (first..).zip(payloads) {
        encode(sequence, payload, out);
    }
    let Some((head, frames)) = out
        .get_mut(begin..)
        .and_then(|group| group.split_first_chunk_mut::<GROUP_BYTES>())
    else {
        return;
    };
    let length = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    let covered = length
        .to_le_bytes()
        .into_iter()
        .chain(crc32c::crc32c(frames).to_le_bytes())
        .chain(first.to_le_bytes());
    for (to, from) in head.iter_mut().zip(covered) {
        *to = from;
    }
    let (covered, own) = head.split_at_mut(GROUP_BYTES - 4);
    own.copy_from_slice(&crc32c::crc32c(covered).to_le_bytes());
}

/// Reads the group at an offset, whose first entry must have this number.
///
/// # Errors
/// When there is none, or not all of it is as it was written.
pub fn decode_group(bytes: &[u8], at: usize, first: u64) -> Result<Group, Broken> {
    let broken = |fault| Broken {
        offset: at,
        sequence: first,
        fault,
    };
    let (group, sum) = group_header(bytes, at).map_err(broken)?;
    if group.first != first {
        return Err(broken(FrameFault::Sequence));
    }
    match bytes.get(group.frames..group.end) {
        Some(frames) if crc32c::crc32c(frames) == sum => Ok(group),
        Some(_) | None => Err(first_broken(bytes, &group)),
    }
}

/// A group's header, and the checksum that its frames should have.
fn group_header(bytes: &[u8], at: usize) -> Result<(Group, u32), FrameFault> {
    let head = bytes
        .get(at..at.saturating_add(GROUP_BYTES))
        .ok_or(FrameFault::Short)?;
    let covered = head.get(..GROUP_BYTES - 4).ok_or(FrameFault::Short)?;
    let own = read4(head, GROUP_BYTES - 4).ok_or(FrameFault::Short)?;
    if crc32c::crc32c(covered) != u32::from_le_bytes(own) {
        return Err(FrameFault::Group);
    }
    let length = u32::from_le_bytes(read4(head, 0).ok_or(FrameFault::Short)?);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size <= FRAME_BYTES || size > FRAMES_BYTES_MAX {
        return Err(FrameFault::Length);
    }
    let sum = u32::from_le_bytes(read4(head, 4).ok_or(FrameFault::Short)?);
    let first = u64::from_le_bytes(read8(head, 8).ok_or(FrameFault::Short)?);
    let frames = at.saturating_add(GROUP_BYTES);
    let end = frames.saturating_add(size);
    Ok((Group { first, frames, end }, sum))
}

/// The first frame of a broken group that is not as it was written.
fn first_broken(bytes: &[u8], group: &Group) -> Broken {
    let mut offset = group.frames;
    let mut sequence = group.first;
    while offset < group.end {
        match decode(bytes, offset, sequence) {
            Ok(frame) => {
                offset = frame.end;
                sequence = sequence.saturating_add(1);
            }
            Err(fault) => {
                return Broken {
                    offset,
                    sequence,
                    fault,
                };
            }
        }
    }
    Broken {
        offset: group.frames,
        sequence: group.first,
        fault: FrameFault::Group,
    }
}

/// Whether a group with a later number begins anywhere behind this offset. If
/// one does, what stands before it was synced, and is no torn end.
pub(crate) fn later_group(bytes: &[u8], from: usize, next: u64) -> bool {
    // Only numbers that could stand in this segment are looked at, so that
    // the checksum is computed at few places. No payload can hold such a
    // header: JSON has no zero bytes, and every header has some.
    let possible = next.saturating_add(1)..next.saturating_add(ENTRIES_MAX);
    (from.saturating_add(1)..bytes.len()).any(|at| {
        read8(bytes, at.saturating_add(8))
            .is_some_and(|number| possible.contains(&u64::from_le_bytes(number)))
            && group_header(bytes, at).is_ok()
    })
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
    let number = read8(bytes, at.saturating_add(8)).ok_or(FrameFault::Short)?;
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

fn read8(bytes: &[u8], at: usize) -> Option<[u8; 8]> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok()
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
        fn a_group_reads_back_and_one_changed_bit_does_not(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..6), first in 0_u64..1_000, at: prop::sample::Index, bit in 0_u8..8) {
            let mut bytes = Vec::new();
            encode_group(first, payloads.iter().map(Vec::as_slice), &mut bytes);
            let group = decode_group(&bytes, 0, first).unwrap();
            prop_assert_eq!((group.first, group.end), (first, bytes.len()));
            let mut offset = group.frames;
            for (sequence, payload) in (first..).zip(&payloads) {
                let frame = decode(&bytes, offset, sequence).unwrap();
                prop_assert_eq!(frame.payload, &payload[..]);
                offset = frame.end;
            }
            prop_assert_eq!(offset, group.end);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let broken = decode_group(&bytes, 0, first).unwrap_err();
            prop_assert!(broken.offset <= at);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), at in 0_usize..200, sequence: u64) {
            let _ = decode(&bytes, at, sequence);
            let _ = decode_group(&bytes, at, sequence);
            let _ = later_group(&bytes, at, sequence);
        }
    }

    #[test]
    fn a_later_group_is_found_behind_a_broken_one_and_payloads_are_none() {
        let mut bytes = Vec::new();
        encode_group(7, [&b"{\"a\":1}"[..], b"{\"b\":2}"].into_iter(), &mut bytes);
        let end = bytes.len();
        assert!(!later_group(&bytes, 0, 7));
        encode_group(9, [&b"{\"c\":3}"[..]].into_iter(), &mut bytes);
        assert!(later_group(&bytes, 0, 7));
        // Its header alone says that it was begun after the first was synced.
        bytes.truncate(end + GROUP_BYTES);
        assert!(later_group(&bytes, 0, 7));
        bytes.truncate(end + GROUP_BYTES - 1);
        assert!(!later_group(&bytes, 0, 7));
    }

    #[test]
    fn names_sort_as_their_numbers_do() {
        assert!(name(9) < name(10));
        assert_eq!(first_of(&name(42)), Some(42));
        assert_eq!(first_of("42.seg"), None);
    }
}
