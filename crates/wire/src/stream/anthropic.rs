//! Events of Anthropic's streams: blocks that start, go on and stop.

use terms::Slot;

use super::{EventWalk, MapFault, StreamMapper, alone, check, known_by_place, split};
use crate::{
    ChannelId, Document, Kind, NodeId, ReplyWalk, dialect::anthropic_shapes, walk::Walker,
};

impl StreamMapper {
    pub(super) fn anthropic(&mut self, document: &Document) -> Result<EventWalk, MapFault> {
        let root = document.root();
        let index = document
            .member(root, "index")
            .and_then(|node| document.whole(node))
            .ok_or(MapFault::UNFIT);
        match document.member_text(root, "type") {
            Some("message_start") => {
                // Deltas add to what is there: it would be text before a block.
                let content = document
                    .member(root, "message")
                    .and_then(|message| document.member(message, "content"));
                if content.is_some_and(|content| !is_empty(document, content)) {
                    return Err(MapFault::UNFIT);
                }
                Ok(alone(rest(document, &[])))
            }
            Some("content_block_start") => self.block_start(document, index?),
            Some("content_block_delta") => self.block_delta(document, index?),
            Some("content_block_stop") => {
                let index = index?;
                Ok(EventWalk {
                    ends: self.end(index).into_iter().collect(),
                    done: Some(format!("content[{index}].")),
                    ..alone(rest(document, &[]))
                })
            }
            Some("message_stop" | "error") => Ok(EventWalk {
                terminal: true,
                ..alone(rest(document, &[]))
            }),
            // message_delta carries the end of a message.
            _ => Ok(alone(rest(document, &[]))),
        }
    }

    fn block_start(&mut self, document: &Document, index: u64) -> Result<EventWalk, MapFault> {
        if self.open.contains_key(&index) {
            return Err(MapFault::UNFIT);
        }
        let block = document
            .member(document.root(), "content_block")
            .ok_or(MapFault::UNFIT)?;
        let mut out = alone(rest(document, &["content_block"]));
        let mut walk = split(Walker::new(document, true).visit(
            document,
            block,
            anthropic_shapes::BLOCK,
            &format!("content[{index}]"),
            Slot::Turn,
            None,
        ));
        self.open(index)?;
        self.name(index, 0, document.member_text(block, "name"))?;
        // Texts of a block that is complete at its start, as a tool's result,
        // are whole; only `text` and `thinking` go on.
        let going = ["text", "thinking"].map(|name| format!("content[{index}].{name}"));
        let (deltas, whole): (Vec<_>, Vec<_>) = std::mem::take(&mut walk.deltas)
            .into_iter()
            .partition(|leaf| going.iter().any(|name| leaf.place.as_str() == name));
        walk.deltas = deltas;
        walk.whole.extend(whole);
        self.gather(&mut out, walk, index)?;
        sign(document, block, index, &mut out);
        Ok(out)
    }

    fn block_delta(&mut self, document: &Document, index: u64) -> Result<EventWalk, MapFault> {
        let open = self
            .open
            .get(&index)
            .filter(|open| !open.over)
            .ok_or(MapFault::UNFIT)?;
        let tool = open.tools.get(&0).cloned();
        let delta = document
            .member(document.root(), "delta")
            .filter(|delta| document.kind(*delta) == Kind::Object)
            .ok_or(MapFault::UNFIT)?;
        check::places(document, delta)?;
        let mut out = alone(rest(document, &["delta"]));
        let mut walk = split(Walker::new(document, true).visit(
            document,
            delta,
            anthropic_shapes::DELTA,
            &format!("content[{index}]"),
            Slot::Turn,
            tool,
        ));
        walk.whole.iter_mut().for_each(known_by_place);
        // Each citation is whole.
        let citation = format!("content[{index}].citation.");
        let (whole, deltas): (Vec<_>, Vec<_>) = std::mem::take(&mut walk.deltas)
            .into_iter()
            .partition(|leaf| leaf.place.as_str().starts_with(&citation));
        walk.deltas = deltas;
        walk.whole.extend(whole);
        self.gather(&mut out, walk, index)?;
        sign(document, delta, index, &mut out);
        Ok(out)
    }

    /// Adds the second walk to the first and remembers its channels.
    fn gather(&mut self, out: &mut EventWalk, more: EventWalk, index: u64) -> Result<(), MapFault> {
        for channel in more.deltas.iter().filter_map(|leaf| leaf.channel.as_ref()) {
            self.register(index, &channel.id)?;
        }
        out.deltas.extend(more.deltas);
        out.whole.extend(more.whole);
        out.media_bytes = out.media_bytes.saturating_add(more.media_bytes);
        out.opaque_bytes = out.opaque_bytes.saturating_add(more.opaque_bytes);
        out.unknown_values = out.unknown_values.saturating_add(more.unknown_values);
        out.unknown_places.extend(more.unknown_places);
        Ok(())
    }
}

/// Notes the signature over a block's thinking.
fn sign(document: &Document, around: NodeId, index: u64, out: &mut EventWalk) {
    if let Some(signature) = document.member(around, "signature") {
        out.signatures.push((
            ChannelId::new(&format!("content[{index}].thinking")),
            signature,
        ));
    }
}

fn is_empty(document: &Document, content: NodeId) -> bool {
    document.children(content).next().is_none() && document.text(content).is_none_or(str::is_empty)
}

/// Everything of an event but these members.
fn rest(document: &Document, less: &[&str]) -> ReplyWalk {
    let mut out = Walker::new(document, true).visit(
        document,
        document.root(),
        anthropic_shapes::EVENT,
        "",
        Slot::Turn,
        None,
    );
    let skip: Vec<_> = less
        .iter()
        .filter_map(|name| document.member(document.root(), name))
        .map(|node| document.span(node))
        .collect();
    out.walk.leaves.retain(|leaf| {
        let at = leaf
            .at
            .0
            .first()
            .map_or(0, |node| document.span(*node).start);
        !skip.iter().any(|span| span.contains(&at))
    });
    if !skip.is_empty() {
        // Counted by the walk of the member itself.
        (
            out.walk.media_bytes,
            out.walk.opaque_bytes,
            out.walk.unknown_values,
        ) = (0, 0, 0);
        out.walk.unknown_places.clear();
    }
    out
}
