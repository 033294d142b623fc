//! A reply that comes as one JSON document: a stream of one piece.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, header};
use terms::{Code, Finding, Outcome, Refusal};
use wire::{Document, Leaf, LeafEdits, LeafKind, ReplyWalk, Surrogates};

use super::{Context, guard::ChannelGuard, head::Head, logprobs, source::Source};
use crate::{
    Gate, ReplySlot,
    budget::Gathering,
    names::{self, NamedReply},
    respond,
    rooms::{Closed, Ending, Unrecorded},
    running::Cut,
    slot,
    work::Bulk,
};

/// Reads the whole reply, looks at it, records the end and passes it on.
pub(super) async fn deliver(
    gate: &Gate,
    mut ending: Ending,
    mut context: Context,
    head: Head,
    mut source: Source,
    mut slot: ReplySlot,
) -> Result<Closed, Unrecorded> {
    let read = read(gate, &mut ending, &mut source, &mut slot).await;
    let (bytes, commitment) = source.seen();
    ending.with(|draft| {
        draft.reply_bytes = bytes;
        draft.body = Some(commitment);
    });
    let cut = ending.cut();
    let inspected = match read {
        Ok(body) => look(gate, &mut ending, &mut context, &cut, body).await,
        Err(refusal) => Err(refusal),
    };
    let settled = inspected.and_then(|body| context.settle().map(|tallied| (body, tallied)));
    let settled = match settled {
        Ok((body, tallied)) => {
            ending.released(&body);
            context.hand_over(&mut ending);
            ending.seal().await.map(|()| (body, tallied))
        }
        failed => failed,
    };
    let (body, tallied) = match settled {
        Ok(settled) => settled,
        Err(refusal) => return refuse(ending, &mut context, &refusal, slot).await,
    };
    ending.tally(tallied);
    context.write_facts(&mut ending);
    let outcome = if head.status.is_success() {
        Outcome::Complete
    } else {
        Outcome::VendorError
    };
    ending.complete(outcome);
    let mut response = slot::head(head.status, &context.exchange, &head.headers);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    // The exchange ends here; its bytes are in memory until they are fetched.
    let room = ending.leave_room();
    let closed = Closed::close(ending).await?;
    let within = gate.limits().caller_idle_time;
    let pressed = || gate.budget().is_pressed();
    let lent = slot.lend(response.map(|()| body), &closed, within, pressed);
    if !lent.await {
        gate.metrics().unfetched();
    }
    drop(room);
    Ok(closed)
}

/// Ends an exchange whose reply is not passed on.
pub(super) async fn refuse(
    mut ending: Ending,
    context: &mut Context,
    refusal: &Refusal,
    slot: ReplySlot,
) -> Result<Closed, Unrecorded> {
    ending.tally(context.tally.so_far());
    context.write_facts(&mut ending);
    ending.fail(refusal);
    let answer = respond::refusal(refusal, Some(context.dialect), &context.exchange);
    let closed = Closed::close(ending).await?;
    slot.whole(answer, &closed);
    Ok(closed)
}

async fn read(
    gate: &Gate,
    ending: &mut Ending,
    source: &mut Source,
    slot: &mut ReplySlot,
) -> Result<Gathering, Refusal> {
    let (mut bytes, mut bulk) = (Gathering::default(), Bulk::default());
    while let Some(data) = source.next(gate, slot).await? {
        if bytes.len().saturating_add(data.len()) > gate.limits().reply_bytes_max {
            return Err(Refusal::new(Code::ReplyLimit));
        }
        bytes.add(&data, |room| ending.grow(room))?;
        bulk.came(gate.work(), data.len(), bytes.len()).await;
    }
    Ok(bytes)
}

/// Looks at the reply and rewrites what has to be. If the vault or the
/// operator's service for names is to be asked, it is read once more after
/// that: documents are large, and none is held over a wait.
async fn look(
    gate: &Gate,
    ending: &mut Ending,
    context: &mut Context,
    cut: &Cut,
    body: Gathering,
) -> Result<Bytes, Refusal> {
    let (size, work) = (body.len(), gate.work());
    let ruling = Arc::clone(&context.ruling);
    let names = names::looks_at_replies(gate, &ruling);
    if !context.recalls() && !names {
        let looking = work.on(size, cut, || {
            let document = first_read(context, body.finish())?;
            inspect(context, cut, &document, &NamedReply::default())
        });
        return looking.await.flatten();
    }
    let surveying = work.on(size, cut, || survey(context, body.finish(), names));
    let (body, prose) = surveying.await.flatten()?;
    ending.grow(prose.iter().map(|(_, text)| text.len()).sum())?;
    context.fetch(cut).await?;
    let named = names::ask_reply(gate, &ruling, ending, cut, &prose).await?;
    let looking = work.on(size, cut, || {
        let document = parse(context, body)?;
        inspect(context, cut, &document, &named)
    });
    looking.await.flatten()
}

fn parse(context: &Context, body: Bytes) -> Result<Document, Refusal> {
    Document::parse(body, &context.json, Surrogates::Keep)
        .map_err(|_| Refusal::new(Code::VendorGarbage))
}

/// Reads a reply for the first time, and what it tells of itself.
fn first_read(context: &mut Context, body: Bytes) -> Result<Document, Refusal> {
    if context.tells_key(&body) {
        return Err(Refusal::new(Code::VendorGarbage));
    }
    let document = parse(context, body)?;
    context.dialect.reply_facts(&document, &mut context.facts);
    Ok(document)
}

/// Notes the tokens that only the vault may know, and answers the texts that
/// the service for names is asked about, by the number of the leaf.
fn survey(
    context: &mut Context,
    body: Bytes,
    names: bool,
) -> Result<(Bytes, Vec<(usize, String)>), Refusal> {
    let document = first_read(context, body.clone())?;
    let leaves = context.dialect.walk_reply(&document).walk.leaves;
    if context.recalls() {
        for leaf in leaves.iter().filter(|leaf| leaf.channel.is_some()) {
            context.spot(&leaf.text);
        }
    }
    let prose = leaves.into_iter().enumerate();
    let prose = prose.filter(|(_, leaf)| names && names::is_prose(leaf));
    Ok((body, prose.map(|(at, leaf)| (at, leaf.text)).collect()))
}

/// Looks at every text of the document and rewrites what has to be.
fn inspect(
    context: &mut Context,
    cut: &Cut,
    document: &Document,
    named: &NamedReply,
) -> Result<Bytes, Refusal> {
    let ReplyWalk {
        walk,
        logprobs,
        signatures,
    } = context.dialect.walk_reply(document);
    context
        .tally
        .not_inspected(walk.media_bytes, walk.opaque_bytes);
    context
        .tally
        .unknown(walk.unknown_values, &walk.unknown_places);
    for leaf in &walk.leaves {
        context.named(leaf)?;
    }
    let mut edits = LeafEdits::default();
    let crossing = context.crossing(&walk.leaves)?;
    let mut edited = BTreeMap::new();
    for (index, leaf) in walk.leaves.iter().enumerate() {
        cut.check()?;
        let text = crossing.get(&index).unwrap_or(&leaf.text);
        let found = named.of(index);
        if !found.is_empty() && crossing.contains_key(&index) {
            // What was found has lost its place.
            return Err(Refusal::new(Code::ReplyBlocked).at(leaf.place.clone()));
        }
        let guarded = one(context, leaf, text, found)?;
        if guarded.text != leaf.text {
            edits.set(&leaf.at, guarded.text);
        }
        if let (Some(channel), true) = (
            &leaf.channel,
            guarded.edited || crossing.contains_key(&index),
        ) {
            edited.insert(
                channel.id.clone(),
                guarded.masked || crossing.contains_key(&index),
            );
        }
    }
    for list in &logprobs {
        if logprobs::refuses(context, list)? || edited.contains_key(&list.channel) {
            context.logprobs_removed = true;
            edits.set_raw(list.value, b"null".to_vec());
        }
    }
    for (channel, signature) in &signatures {
        if edited.get(channel).copied().unwrap_or(false) {
            context.signature_removed = true;
            edits.set_raw(*signature, b"\"\"".to_vec());
        }
    }
    let body = wire::apply(document, edits);
    context.edited = body != *document.raw();
    Ok(body)
}

struct Guarded {
    text: String,
    edited: bool,
    masked: bool,
}

fn one(
    context: &mut Context,
    leaf: &Leaf,
    text: &str,
    found: &[Finding],
) -> Result<Guarded, Refusal> {
    let rewritable = leaf.editable && leaf.kind == LeafKind::Text;
    let Some(channel) = leaf.channel.as_ref().filter(|_| rewritable) else {
        if rewritable {
            return context.alone(leaf, text, found).map(|text| Guarded {
                text,
                edited: false,
                masked: false,
            });
        }
        context.unedited(leaf, text)?;
        return Ok(Guarded {
            text: text.to_owned(),
            edited: false,
            masked: false,
        });
    };
    let mut guard = ChannelGuard::new(context, leaf, channel);
    if let Some(keys) = leaf.keys.as_deref() {
        guard.follows(keys);
    }
    let out = guard.whole(context, text, found)?;
    context.add(guard.counts());
    Ok(Guarded {
        text: out,
        edited: guard.edited(),
        masked: guard.masked(),
    })
}
