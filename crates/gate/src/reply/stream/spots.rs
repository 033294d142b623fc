//! Tokens of other exchanges, as they come in pieces: the end of each
//! channel's text is kept, so that a token is seen with its last letter.

use std::collections::BTreeMap;

use detect::redact::TOKEN_BYTES_MAX;
use wire::{ChannelId, EventWalk};

use crate::reply::Context;

/// LIMIT: channels whose ends are kept at once; a stream with more is refused
/// elsewhere.
const CHANNELS_MAX: usize = 1_024;

/// The ends of the channels' texts.
#[derive(Debug, Default)]
pub(super) struct Spots(BTreeMap<ChannelId, String>);

impl Spots {
    /// Takes an event's pieces, and notes the tokens that they complete.
    pub(super) fn take(&mut self, context: &mut Context, walk: &EventWalk) {
        for leaf in &walk.deltas {
            let Some(channel) = &leaf.channel else {
                continue;
            };
            if self.0.len() >= CHANNELS_MAX && !self.0.contains_key(&channel.id) {
                continue;
            }
            let end = self.0.entry(channel.id.clone()).or_default();
            end.push_str(&leaf.text);
            context.spot(end);
            let mut from = end.len().saturating_sub(TOKEN_BYTES_MAX);
            while !end.is_char_boundary(from) {
                from += 1;
            }
            end.drain(..from);
        }
        for ended in &walk.ends {
            self.0.remove(ended);
        }
    }
}
