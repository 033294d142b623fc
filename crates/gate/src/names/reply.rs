//! The texts of a reply, as the service for names is asked about them.

use std::collections::BTreeMap;

use terms::{Finding, Refusal, Room};

use super::{ask, in_force, unanswered};
use crate::{Gate, Ruling, rooms::Ending, running::Cut};

/// What the service found in a whole reply, by the number of the leaf.
#[derive(Debug, Default)]
pub(crate) struct NamedReply(BTreeMap<usize, Vec<Finding>>);

impl NamedReply {
    /// What was found in a leaf.
    pub(crate) fn of(&self, leaf: usize) -> &[Finding] {
        self.0.get(&leaf).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether the service in force looks at replies, and its word is needed.
fn replies(ruling: &Ruling, now_ms: u64) -> Option<bool> {
    let (service, needed) = in_force(ruling, now_ms)?;
    service.at().replies.then_some(needed)
}

/// Whether a reply that comes as a stream may pass: nobody looks for names in
/// it. Where it does, the record says so.
///
/// # Errors
/// When the service's word is needed.
pub(crate) fn stream_passes(
    gate: &Gate,
    ruling: &Ruling,
    ending: &mut Ending,
) -> Result<(), Refusal> {
    match replies(ruling, gate.clock().now_ms()) {
        None => Ok(()),
        Some(true) => Err(Refusal::new(unanswered(true))),
        Some(false) => {
            gate.metrics().unseen(1);
            let says = "the service for names did not look at the stream, as the policy lets it pass for a time";
            ending.note(Room::Answering, says.to_owned());
            Ok(())
        }
    }
}

/// Whether a service is in force that looks at replies.
pub(crate) fn looks_at_replies(gate: &Gate, ruling: &Ruling) -> bool {
    replies(ruling, gate.clock().now_ms()).is_some()
}

/// Asks about the texts of a whole reply, each with the number of its leaf,
/// where a service is in force that looks at replies.
///
/// # Errors
/// When its word is needed and did not come; when the exchange must end.
pub(crate) async fn ask_reply(
    gate: &Gate,
    ruling: &Ruling,
    ending: &mut Ending,
    cut: &Cut,
    prose: &[(usize, String)],
) -> Result<NamedReply, Refusal> {
    let now_ms = gate.clock().now_ms();
    let Some((service, needed)) =
        in_force(ruling, now_ms).filter(|(service, _)| service.at().replies)
    else {
        return Ok(NamedReply::default());
    };
    let texts: Vec<&str> = prose.iter().map(|(_, text)| text.as_str()).collect();
    match ask(ruling, service, cut, &texts).await? {
        Ok(found) => {
            let count = texts.len();
            ending.note(
                Room::Answering,
                format!("the service for names looked at {count} texts"),
            );
            let found = prose.iter().map(|(number, _)| *number).zip(found);
            Ok(NamedReply(
                found.filter(|(_, findings)| !findings.is_empty()).collect(),
            ))
        }
        Err(_) if needed => Err(Refusal::new(unanswered(true))),
        Err(_) => {
            let count = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            gate.metrics().unseen(count);
            let says = format!(
                "{count} texts passed that the service for names did not look at, as the policy lets them for a time"
            );
            ending.note(Room::Answering, says);
            Ok(NamedReply::default())
        }
    }
}
