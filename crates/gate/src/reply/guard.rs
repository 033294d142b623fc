//! Guards one channel of a reply: what goes in is held until it is cleared,
//! and comes out rewritten.

use std::collections::BTreeSet;

use detect::{
    Segment, StreamScan, names,
    redact::{RestoreRule, Rewriter, Root},
};
use terms::{Action, Code, Finding, Place, Refusal, RestoreCounts, Slot};
use wire::{Channel, Leaf};

use super::Context;
use crate::replace;

/// The state of one channel.
#[derive(Debug)]
pub(crate) struct ChannelGuard {
    scan: StreamScan,
    rewriter: Rewriter,
    channel: Channel,
    place: Place,
    /// Whether anything came out other than it went in.
    edited: bool,
    /// Whether a finding was masked: unlike a restored token, that changes
    /// what the vendor said.
    masked: bool,
}

impl ChannelGuard {
    /// A guard for the channel that this leaf belongs to.
    pub(crate) fn new(context: &Context, leaf: &Leaf, channel: &Channel) -> Self {
        let root = if channel.json { Root::Json } else { Root::Text };
        let rule = rule(context, leaf, channel);
        Self {
            scan: context.scan(),
            rewriter: Rewriter::new(root, rule),
            channel: channel.clone(),
            place: leaf.place.clone(),
            edited: false,
            masked: false,
        }
    }

    /// Says what stood right before, in the text block before this one.
    pub(crate) fn follows(&mut self, before: &str) {
        self.scan.follows(before);
    }

    /// Takes more of the channel's text; answers what is cleared.
    pub(crate) fn push(&mut self, context: &mut Context, text: &str) -> Result<String, Refusal> {
        context.expect(text.len());
        let segments = self
            .scan
            .push(text)
            .map_err(|_| Refusal::new(Code::ReplyLimit).at(self.place.clone()))?;
        self.write(context, segments)
    }

    /// Takes the whole text of a channel that comes in one piece, with what
    /// others found in it.
    pub(crate) fn whole(
        &mut self,
        context: &mut Context,
        text: &str,
        found: &[Finding],
    ) -> Result<String, Refusal> {
        context.expect(text.len());
        let segments = names::merge(self.scan.whole(text), found);
        self.end(context, segments)
    }

    /// The channel ended: what is still held is judged as it stands.
    pub(crate) fn finish(&mut self, context: &mut Context) -> Result<String, Refusal> {
        let segments = self.scan.finish();
        self.end(context, segments)
    }

    fn end(&mut self, context: &mut Context, segments: Vec<Segment>) -> Result<String, Refusal> {
        let mut out = self.write(context, segments)?;
        self.rewriter.finish(&context.tokens, &mut out);
        context.tally.looked(self.channel.slot, self.scan.bytes());
        Ok(out)
    }

    fn write(&mut self, context: &mut Context, segments: Vec<Segment>) -> Result<String, Refusal> {
        if self.scan.work_exceeded() {
            return Err(Refusal::new(Code::ReplyLimit).at(self.place.clone()));
        }
        let mut out = String::new();
        for segment in segments {
            match segment {
                Segment::Plain(text) => self.rewriter.plain(&text, &mut out),
                Segment::Token(token) => {
                    self.edited = true;
                    let before = self.rewriter.grown_bytes();
                    self.rewriter.token(&token, &context.tokens, &mut out);
                    let more = self.rewriter.grown_bytes().saturating_sub(before);
                    if !context.grows(more) {
                        return Err(Refusal::new(Code::ReplyLimit).at(self.place.clone()));
                    }
                }
                Segment::Found { text, findings } => {
                    self.found(context, text.as_str(), &findings, &mut out)?
                }
            }
        }
        Ok(out)
    }

    fn found(
        &mut self,
        context: &mut Context,
        text: &str,
        findings: &[Finding],
        out: &mut String,
    ) -> Result<(), Refusal> {
        let action = context.judge(findings, text, self.channel.slot, &self.place, true);
        match action {
            Action::Allow | Action::Flag => self.rewriter.plain(text, out),
            Action::Block => return Err(Refusal::new(Code::ReplyBlocked).at(self.place.clone())),
            Action::Redact => {
                let with = replace::mask(&context.ruling, &context.tokens, findings, text);
                (self.edited, self.masked) = (true, true);
                // The match may begin with the rest of an escape.
                let rest = self.rewriter.escape_rest(text);
                let kept: String = text.chars().take(rest).collect();
                self.rewriter.plain(&kept, out);
                self.rewriter
                    .replace(&with, out)
                    .map_err(|_| Refusal::new(Code::NumberBlocked).at(self.place.clone()))?;
            }
        }
        Ok(())
    }

    /// Bytes that wait here.
    pub(crate) fn held_bytes(&self) -> usize {
        self.scan
            .held_bytes()
            .saturating_add(self.rewriter.held_bytes())
    }

    /// The channel.
    pub(crate) const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether anything came out other than it went in.
    pub(crate) const fn edited(&self) -> bool {
        self.edited
    }

    /// Whether a finding was masked.
    pub(crate) const fn masked(&self) -> bool {
        self.masked
    }

    /// What became of the tokens.
    pub(crate) fn counts(&self) -> RestoreCounts {
        self.rewriter.counts()
    }
}

/// What may be put back in a channel: nothing, unless it is a place that is
/// known to be read by a person, or belongs to a tool that is allowed it.
fn rule(context: &Context, leaf: &Leaf, channel: &Channel) -> RestoreRule {
    let nothing = || RestoreRule::Only(BTreeSet::new());
    match (channel.slot, &channel.tool) {
        // A citation's address is followed.
        (Slot::Document, _) if is_address(leaf.place.as_str()) => nothing(),
        (Slot::Turn | Slot::Reasoning | Slot::System | Slot::ToolResult | Slot::Document, None) => {
            RestoreRule::All
        }
        // A call, or a named block that is none: what that tool is allowed.
        (
            Slot::Turn
            | Slot::Reasoning
            | Slot::System
            | Slot::ToolResult
            | Slot::Document
            | Slot::ToolCall,
            Some(tool),
        ) => {
            let allowed = context.ruling.policy().restore_in_tools.get(tool);
            RestoreRule::Only(allowed.cloned().unwrap_or_default())
        }
        // Arguments of a tool whose name is not known (yet), and places that
        // nobody knows: they may be a call of a new kind.
        (Slot::ToolCall, None)
        | (
            Slot::ToolDefinition | Slot::Media | Slot::Opaque | Slot::Parameter | Slot::Unknown,
            _,
        ) => nothing(),
    }
}

fn is_address(place: &str) -> bool {
    place.ends_with(".url") || place.ends_with(".source")
}
