//! The reply on its way back: read within limits, looked at, rewritten, recorded, passed on.

mod context;
mod guard;
mod head;
mod logprobs;
mod source;
mod stream;
mod whole;

use http::{Response, header};
use hyper::body::Incoming;
use terms::{Code, Refusal};

pub(crate) use context::Context;
use source::Source;

use crate::{
    Gate, ReplySlot, names,
    rooms::{Closed, Ending, Unrecorded},
};

/// Delivers the vendor's reply, whole or as a stream, by what it is and not
/// by what was asked for.
pub(crate) async fn deliver(
    gate: &Gate,
    mut ending: Ending,
    mut context: Context,
    response: Response<Incoming>,
    slot: ReplySlot,
) -> Result<Closed, Unrecorded> {
    let (parts, body) = response.into_parts();
    let kind = match kind(&parts) {
        Ok(kind) => kind,
        Err(refusal) => return whole::refuse(ending, &mut context, &refusal, slot).await,
    };
    let head = match head::inspected(&mut context, &parts) {
        Ok(head) => head,
        Err(refusal) => return whole::refuse(ending, &mut context, &refusal, slot).await,
    };
    if let Kind::Stream = kind {
        let passes = names::stream_passes(gate, &context.ruling, &mut ending);
        if let Err(refusal) = passes {
            return whole::refuse(ending, &mut context, &refusal, slot).await;
        }
    }
    let source = Source::new(&context, ending.cut(), body);
    match kind {
        Kind::Whole => whole::deliver(gate, ending, context, head, source, slot).await,
        Kind::Stream => stream::deliver(gate, ending, context, head, source, slot).await,
    }
}

enum Kind {
    Whole,
    Stream,
}

/// What kind of reply this is; anything that could not be looked at is none.
fn kind(parts: &http::response::Parts) -> Result<Kind, Refusal> {
    if parts.status.is_redirection() || parts.status.is_informational() {
        return Err(Refusal::new(Code::VendorRedirect));
    }
    let encodings = parts.headers.get_all(header::CONTENT_ENCODING);
    if !encodings
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Refusal::new(Code::VendorEncoding));
    }
    let media_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") && parts.status.is_success() {
        Ok(Kind::Stream)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Ok(Kind::Whole)
    } else {
        Err(Refusal::new(Code::VendorGarbage))
    }
}
