//! Refusals in the shape of each vendor's own errors.

use terms::Refusal;

use super::Api;
use crate::escape_into;

/// The JSON of a refusal.
pub(crate) fn body(api: Api, refusal: &Refusal, exchange: &str) -> Vec<u8> {
    let message = quoted(&message(refusal, exchange));
    let kind = quoted(kind(api, refusal));
    match api {
        Api::OpenAi => {
            let place = refusal.place().map_or_else(|| "null".to_owned(), |place| quoted(place.as_str()));
            let code = quoted(refusal.code().word());
            format!(r#"{{"error":{{"message":{message},"type":{kind},"param":{place},"code":{code}}}}}"#)
        }
        Api::Anthropic => {
            let exchange = quoted(exchange);
            format!(r#"{{"type":"error","error":{{"type":{kind},"message":{message}}},"request_id":{exchange}}}"#)
        }
    }
    .into_bytes()
}

fn message(refusal: &Refusal, exchange: &str) -> String {
    format!("{refusal} (merestone exchange {exchange})")
}

/// The vendor's own word for such an error.
fn kind(api: Api, refusal: &Refusal) -> &'static str {
    match (refusal.code().status(), api) {
        (401, Api::OpenAi) => "invalid_request_error",
        (401, Api::Anthropic) => "authentication_error",
        (403, Api::OpenAi) => "invalid_request_error",
        (403, Api::Anthropic) => "permission_error",
        (404, Api::Anthropic) => "not_found_error",
        (413, Api::Anthropic) => "request_too_large",
        (400..500, _) => "invalid_request_error",
        (503, Api::Anthropic) => "overloaded_error",
        (_, Api::Anthropic) => "api_error",
        (_, Api::OpenAi) => "server_error",
    }
}

pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(text, &mut out);
    out.push('"');
    out
}
