//! A text that goes on in the next text block is looked at as one.

use wire::Channel;

/// LIMIT: bytes of a text block that the next one is looked at with.
const END_BYTES_MAX: usize = 512;

/// The end of the newest text block, as the vendor wrote it, and its place
/// among the blocks.
#[derive(Debug, Default)]
pub(super) struct Block {
    index: u64,
    end: String,
}

impl Block {
    /// What stood before a text block in its neighbour; remembers its own end.
    pub(super) fn before(&mut self, channel: &Channel, text: &str) -> String {
        let Some(index) = channel.id.text_block() else {
            return String::new();
        };
        if index.saturating_sub(self.index) > 1 {
            self.end.clear();
        }
        self.index = index;
        let before = self.end.clone();
        self.end.push_str(text);
        let mut from = self.end.len().saturating_sub(END_BYTES_MAX);
        while !self.end.is_char_boundary(from) {
            from += 1;
        }
        self.end.drain(..from);
        before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use serde_json::json;
    use wire::{Dialect, Document, Limits, StreamMapper, Surrogates, sse};

    use super::*;

    /// What stood before each text of a stream whose blocks begin with the
    /// first of their texts.
    fn before(texts: &[(u64, &str)]) -> Vec<String> {
        let mut mapper = StreamMapper::new(Dialect::AnthropicMessages);
        let mut decoder = sse::Decoder::new(1 << 10);
        let mut begun = BTreeSet::new();
        let mut block = Block::default();
        let mut before = Vec::new();
        for &(index, text) in texts {
            let (step, part, of) = if begun.insert(index) {
                ("start", "content_block", "text")
            } else {
                ("delta", "delta", "text_delta")
            };
            let event = json!({
                "type": format!("content_block_{step}"),
                "index": index,
                part: { "type": of, "text": text },
            });
            for event in decoder
                .push(format!("data: {event}\n\n").as_bytes())
                .unwrap()
            {
                let data = Bytes::copy_from_slice(event.data.as_bytes());
                let document = Document::parse(data, &Limits::default(), Surrogates::Keep).unwrap();
                let walk = mapper.map(&event, Some(&document)).unwrap();
                for leaf in &walk.deltas {
                    let channel = leaf.channel.as_ref().unwrap();
                    before.push(block.before(channel, &leaf.text));
                }
            }
        }
        before
    }

    #[test]
    fn neighbours_go_on_and_others_do_not() {
        assert_eq!(
            before(&[(0, "a"), (0, "b"), (1, "c"), (3, "d")]),
            ["", "a", "ab", ""]
        );
    }

    #[test]
    fn the_last_block_that_can_be_counted_has_no_next() {
        assert_eq!(before(&[(u64::MAX, "a"), (u64::MAX, "b")]), ["", "a"]);
    }
}
