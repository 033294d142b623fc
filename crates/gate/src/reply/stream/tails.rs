//! The end of what came at each place of a stream: a value may be split over
//! events that no guard joins.

use std::{collections::BTreeMap, fmt};

use terms::{Action, Code, Direction, Refusal};
use wire::{ChannelId, Leaf, LeafKind};

use crate::{replace, reply::Context, seams};

/// LIMIT: bytes that are kept of each place.
const END_BYTES: usize = 512;
/// LIMIT: bytes of a text that are looked at together with what came before.
const HEAD_BYTES: usize = 4_096;
/// LIMIT: places of one stream.
const PLACES_MAX: usize = 4_096;
/// LIMIT: bytes that are kept of all places, names included.
const BYTES_MAX: usize = 1 << 20;

/// How a text comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comes {
    /// As a piece of a channel, whose guard joins the pieces.
    Piece,
    /// Whole in its event.
    Whole,
}

/// What came, by the text that clients may make of it.
#[derive(Debug, Default)]
pub(super) struct Tails {
    places: BTreeMap<String, Tail>,
    bytes: usize,
}

#[derive(Default)]
struct Tail {
    end: String,
    /// The channel that wrote last, if it has a guard.
    writer: Option<ChannelId>,
    /// Bytes of the newest text.
    last_bytes: usize,
    /// Bytes until the end holds nothing any more that its guard does not know.
    mixed_bytes: usize,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tail({} bytes)", self.end.len())
    }
}

impl Tail {
    /// Whether this is the last text once more: a value that stands in each
    /// event, and no piece of one.
    fn repeats(&self, text: &str) -> bool {
        self.writer.is_none()
            && self.last_bytes == text.len()
            && text.len() <= END_BYTES
            && self.end.ends_with(text)
    }

    fn push(&mut self, text: &str) {
        self.last_bytes = text.len();
        self.mixed_bytes = self.mixed_bytes.saturating_sub(text.len());
        self.end.push_str(end(text));
        let from = self.end.len() - end(&self.end).len();
        self.end.drain(..from);
    }
}

impl Tails {
    /// Looks at a text together with what came before at its place, where no
    /// guard does. Answers the text without what was found over the seam, if
    /// that is to be redacted.
    ///
    /// # Errors
    /// When what was found is blocked, or there are too many places, or the
    /// text completes a vendor's key.
    pub(super) fn read(
        &mut self,
        context: &mut Context,
        leaf: &Leaf,
        text: &str,
        comes: Comes,
    ) -> Result<Option<String>, Refusal> {
        let Some(channel) = leaf.channel.as_ref().filter(|_| !text.is_empty()) else {
            return Ok(None);
        };
        let limit = || Refusal::new(Code::ReplyLimit).at(leaf.place.clone());
        let family = channel.id.family();
        if !self.places.contains_key(&family) {
            if self.places.len() >= PLACES_MAX {
                return Err(limit());
            }
            self.bytes += family.len();
        }
        let tail = self.places.entry(family).or_default();
        let writer = match comes {
            Comes::Piece => Some(&channel.id),
            Comes::Whole if tail.repeats(text) => return Ok(None),
            Comes::Whole => None,
        };
        if writer.is_none() || tail.writer.as_ref() != writer {
            tail.mixed_bytes = if tail.end.is_empty() { 0 } else { END_BYTES };
            tail.writer = writer.cloned();
        }
        if context.tells_key([tail.end.as_str(), text].concat().as_bytes()) {
            return Err(Refusal::new(Code::VendorGarbage).at(leaf.place.clone()));
        }
        let masked = if tail.mixed_bytes > 0 {
            over(context, leaf, &tail.end, text)?
        } else {
            None
        };
        let before = tail.end.len();
        tail.push(masked.as_deref().unwrap_or(text));
        self.bytes = (self.bytes + tail.end.len()).saturating_sub(before);
        if self.bytes > BYTES_MAX {
            return Err(limit());
        }
        Ok(masked)
    }

    /// Forgets the places whose names begin like this.
    pub(super) fn forget(&mut self, prefix: &str) {
        let gone: Vec<String> = self
            .places
            .range(prefix.to_owned()..)
            .map(|(place, _)| place)
            .take_while(|place| place.starts_with(prefix))
            .cloned()
            .collect();
        for place in gone {
            if let Some(tail) = self.places.remove(&place) {
                self.bytes = self.bytes.saturating_sub(place.len() + tail.end.len());
            }
        }
    }
}

/// What stands over the seam between what is out already and this text: only
/// its part in this text can be taken out.
fn over(
    context: &mut Context,
    leaf: &Leaf,
    before: &str,
    text: &str,
) -> Result<Option<String>, Refusal> {
    let joined = [before, head(text)].concat();
    let scan = context.ruling.looking().scan(&joined, Direction::Reply);
    if scan.work_exceeded {
        return Err(Refusal::new(Code::ReplyLimit).at(leaf.place.clone()));
    }
    let seam = before.len();
    let crossing = scan
        .findings
        .into_iter()
        .filter(|finding| finding.span.start < seam && seam < finding.span.end)
        .collect();
    let rewritable = leaf.editable && leaf.kind == LeafKind::Text;
    // All of them meet at the seam: there is one cluster at most.
    let Some(cluster) = seams::clusters(crossing).into_iter().next() else {
        return Ok(None);
    };
    let value = joined.get(cluster.span.clone()).unwrap_or_default();
    match context.judge(&cluster.findings, value, leaf.slot, &leaf.place, rewritable) {
        Action::Allow | Action::Flag => Ok(None),
        Action::Block => {
            let code = if rewritable {
                Code::ReplyBlocked
            } else {
                Code::NumberBlocked
            };
            Err(Refusal::new(code).at(leaf.place.clone()))
        }
        Action::Redact => {
            let mut with =
                replace::mask(&context.ruling, &context.tokens, &cluster.findings, value);
            with.push_str(text.get(cluster.span.end - seam..).unwrap_or_default());
            Ok(Some(with))
        }
    }
}

/// The last bytes of a text.
fn end(text: &str) -> &str {
    let mut from = text.len().saturating_sub(END_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

/// The first bytes of a text.
fn head(text: &str) -> &str {
    let mut upto = text.len().min(HEAD_BYTES);
    while !text.is_char_boundary(upto) {
        upto -= 1;
    }
    text.get(..upto).unwrap_or_default()
}
