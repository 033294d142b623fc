//! The head of a reply: the headers that pass, looked at like any other text.

use http::{HeaderName, HeaderValue, StatusCode, response::Parts};
use terms::{Code, Place, Refusal, Slot};

use super::Context;
use crate::headers;

/// Status and headers that go to the caller.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The vendor's head. A header whose value would have to be redacted is left
/// out: it is the vendor's word about the exchange, and the reply stands
/// without it.
///
/// # Errors
/// When a header value holds what is blocked.
pub(super) fn inspected(context: &mut Context, parts: &Parts) -> Result<Head, Refusal> {
    let mut passed = Vec::new();
    for (name, text) in headers::to_caller(&parts.headers) {
        let place = Place::new(format!("header {name}"));
        if !context.optional(&text, Slot::Parameter, &place)? {
            continue;
        }
        let value = text
            .parse()
            .map_err(|_| Refusal::new(Code::VendorGarbage))?;
        passed.push((name, value));
    }
    Ok(Head {
        status: parts.status,
        headers: passed,
    })
}
