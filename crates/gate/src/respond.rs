//! The one place where a refusal becomes an answer that a vendor's SDK understands.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use terms::{Code, Refusal};
use wire::Dialect;

use crate::slot;

/// Seconds after which a caller may try again when the gate is full or stopping.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The answer to a refused request.
pub(crate) fn refusal(
    refusal: &Refusal,
    dialect: Option<Dialect>,
    exchange: &str,
) -> Response<Bytes> {
    // A path that no dialect knows is answered in the commonest shape.
    let body = dialect
        .unwrap_or(Dialect::OpenAiChat)
        .error_body(refusal, exchange);
    let status = StatusCode::from_u16(refusal.code().status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = vec![
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        // The SDKs try again by themselves unless told not to.
        (
            HeaderName::from_static("x-should-retry"),
            HeaderValue::from_static(if may_retry(refusal) { "true" } else { "false" }),
        ),
    ];
    if may_retry(refusal) {
        let after = refusal
            .retry_after_seconds()
            .map_or(RETRY_AFTER_SECONDS, HeaderValue::from);
        headers.push((header::RETRY_AFTER, after));
    }
    if ends_connection(refusal.code()) {
        headers.push((header::CONNECTION, HeaderValue::from_static("close")));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    }
    slot::head(status, exchange, &headers).map(|()| Bytes::from(body))
}

/// Whether the same request may fare better in a moment.
const fn may_retry(refusal: &Refusal) -> bool {
    match refusal.code() {
        Code::TooBusy
        | Code::ShuttingDown
        | Code::VendorUnreachable
        | Code::VendorTripped
        | Code::EvidenceDown
        | Code::KeysStale
        | Code::RequestsLimited
        | Code::InFlightLimited
        | Code::SourceLocked => true,
        // A request that is larger than the whole limit never fits.
        Code::TokensLimited => refusal.retry_after_seconds().is_some(),
        _ => false,
    }
}

/// Whether what follows on the connection may not be what its sender meant.
const fn ends_connection(code: Code) -> bool {
    matches!(
        code,
        Code::HostRefused
            | Code::UpgradeRefused
            | Code::FramingRefused
            | Code::PathRefused
            | Code::HeadTooLarge
            | Code::BodyUnexpected
            | Code::BodyBroken
    )
}
