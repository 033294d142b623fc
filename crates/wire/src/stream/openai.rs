//! Events of OpenAI's streams: choices, each with its delta.

use std::ops::Range;

use terms::Slot;

use super::{EventWalk, MapFault, StreamMapper, alone, check, known_by_place, split};
use crate::{ChannelId, Document, Kind, Leaf, Logprobs, NodeId, dialect::openai_walk};

/// Where the one call of the older `function_call` is kept among the calls.
const FUNCTION_CALL: u64 = u64::MAX;

/// Where the deltas of one event stand, in order, each with its choice.
struct Deltas(Vec<(Range<usize>, u64)>);

impl Deltas {
    /// The choice in whose delta a leaf stands. By where it stands and not by
    /// its name, which any key elsewhere could spell.
    fn choice(&self, document: &Document, leaf: &Leaf) -> Option<u64> {
        let at = document.span(*leaf.at.0.first()?).start;
        let after = self.0.partition_point(|(span, _)| span.start <= at);
        let (span, index) = self.0.get(after.checked_sub(1)?)?;
        span.contains(&at).then_some(*index)
    }
}

impl StreamMapper {
    pub(super) fn openai(&mut self, document: &Document) -> Result<EventWalk, MapFault> {
        let choices: Vec<NodeId> = document
            .member(document.root(), "choices")
            .filter(|choices| document.kind(*choices) == Kind::Array)
            .into_iter()
            .flat_map(|choices| document.children(choices))
            .collect();
        if is_error(document) {
            // An error is whole, and the last event: no text can go on in it.
            return if choices.is_empty() {
                Ok(EventWalk {
                    terminal: true,
                    ..alone(openai_walk(document))
                })
            } else {
                Err(MapFault::UNFIT)
            };
        }
        let mut out = split(openai_walk(document));
        let mut deltas = Deltas(Vec::new());
        let mut ended = Vec::new();
        for (position, choice) in choices.into_iter().enumerate() {
            let index = check::index(document, choice, position)?;
            self.open(index)?;
            self.remember_tools(document, choice, index)?;
            let delta = document
                .member(choice, "delta")
                .filter(|delta| document.kind(*delta) == Kind::Object);
            if let Some(delta) = delta {
                check::places(document, delta)?;
                deltas.0.push((document.span(delta), index));
            }
            // Some vendors write an empty reason into each chunk.
            if document
                .member_text(choice, "finish_reason")
                .is_some_and(|reason| !reason.is_empty())
            {
                ended.push(index);
            }
        }
        self.sort(document, &deltas, &mut out)?;
        self.lists(&out.logprobs)?;
        for index in ended {
            out.ends.extend(self.end(index));
        }
        Ok(out)
    }

    /// Only what stands in a delta goes on; all else is whole in its event.
    fn sort(
        &mut self,
        document: &Document,
        deltas: &Deltas,
        out: &mut EventWalk,
    ) -> Result<(), MapFault> {
        for leaf in &mut out.whole {
            if deltas.choice(document, leaf).is_some() {
                known_by_place(leaf);
            }
        }
        for mut leaf in std::mem::take(&mut out.deltas) {
            let choice = deltas.choice(document, &leaf);
            let (Some(index), Some(mut channel)) = (choice, leaf.channel.clone()) else {
                out.whole.push(leaf);
                continue;
            };
            let open = self.open(index)?;
            if open.over {
                // Some vendors send an empty delta with their bill.
                if leaf.text.is_empty() {
                    continue;
                }
                return Err(MapFault::UNFIT);
            }
            if channel.slot == Slot::ToolCall {
                let call = call_index(&channel.id).unwrap_or(FUNCTION_CALL);
                channel.tool = open.tools.get(&call).cloned();
                leaf.tool.clone_from(&channel.tool);
            }
            self.register(index, &channel.id)?;
            leaf.channel = Some(channel);
            out.deltas.push(leaf);
        }
        Ok(())
    }

    /// Lists end with their choice, whether it has a text or not.
    fn lists(&mut self, lists: &[Logprobs]) -> Result<(), MapFault> {
        for list in lists {
            let Some(index) = choice_index(&list.channel) else {
                continue;
            };
            if !self.open(index)?.over {
                self.register(index, &list.channel)?;
            } else if !list.entries.is_empty() {
                return Err(MapFault::UNFIT);
            }
        }
        Ok(())
    }

    /// Keeps the names of tools, which only the first delta of a call carries.
    /// Some vendors repeat them; a name in pieces is refused, since it would be
    /// judged by its first.
    fn remember_tools(
        &mut self,
        document: &Document,
        choice: NodeId,
        index: u64,
    ) -> Result<(), MapFault> {
        let Some(delta) = document.member(choice, "delta") else {
            return Ok(());
        };
        let calls = document
            .member(delta, "tool_calls")
            .into_iter()
            .flat_map(|calls| document.children(calls));
        for (position, call) in calls.enumerate() {
            let number = document
                .member(call, "index")
                .and_then(|node| document.whole(node))
                .unwrap_or(position as u64);
            for kind in ["function", "custom"] {
                let name = document
                    .member(call, kind)
                    .and_then(|inner| document.member_text(inner, "name"));
                self.name(index, number, name)?;
            }
        }
        let legacy = document
            .member(delta, "function_call")
            .and_then(|call| document.member_text(call, "name"));
        self.name(index, FUNCTION_CALL, legacy)
    }
}

/// Whether the event is an error: some vendors write `"error": null` into
/// each chunk.
fn is_error(document: &Document) -> bool {
    document
        .member(document.root(), "error")
        .is_some_and(|error| match document.kind(error) {
            Kind::Null | Kind::False => false,
            Kind::String => document.text(error).is_some_and(|text| !text.is_empty()),
            Kind::Object | Kind::Array | Kind::Number | Kind::True => true,
        })
}

/// The index of the choice in a channel's name.
fn choice_index(id: &ChannelId) -> Option<u64> {
    let (index, _) = id.0.strip_prefix("choices[")?.split_once(']')?;
    index.parse().ok()
}

/// The index of a tool call in a channel's name.
fn call_index(id: &ChannelId) -> Option<u64> {
    let (_, rest) = id.0.split_once(".tool_calls[")?;
    rest.split_once(']')?.0.parse().ok()
}
