//! Which headers pass, in each direction. What is not on a list does not pass.

use http::{HeaderMap, HeaderName, Method, Uri, Version, header, request::Parts};
use terms::{Code, Refusal};
use wire::{Api, Dialect};

/// LIMIT: bytes of one header value that is passed on.
const VALUE_BYTES_MAX: usize = 1_024;

/// Request headers that a vendor needs to see. Their values are inspected.
fn passes_to_vendor(api: Api, name: &str) -> bool {
    match api {
        Api::OpenAi => matches!(
            name,
            "openai-organization" | "openai-project" | "openai-beta" | "idempotency-key"
        ),
        Api::Anthropic => matches!(
            name,
            "anthropic-version" | "anthropic-beta" | "idempotency-key"
        ),
    }
}

/// Reply headers that a caller's SDK reads. Their values are inspected.
fn passes_to_caller(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "x-request-id",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "anthropic-organization-id",
    ];
    EXACT.contains(&name)
        || name.starts_with("x-ratelimit-")
        || name.starts_with("anthropic-ratelimit-")
}

/// The caller's headers that go on to the vendor.
///
/// # Errors
/// When a value on the list is too long or not plain text.
pub(crate) fn to_vendor(
    api: Api,
    headers: &HeaderMap,
) -> Result<Vec<(HeaderName, String)>, Refusal> {
    let mut passed = Vec::new();
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| passes_to_vendor(api, name.as_str()))
    {
        let text = value
            .to_str()
            .map_err(|_| Refusal::new(Code::FieldMalformed))?;
        if text.len() > VALUE_BYTES_MAX {
            return Err(Refusal::new(Code::FieldMalformed));
        }
        passed.push((name.clone(), text.to_owned()));
    }
    Ok(passed)
}

/// The vendor's headers that go on to the caller; odd values are left out.
pub(crate) fn to_caller(headers: &HeaderMap) -> Vec<(HeaderName, String)> {
    headers
        .iter()
        .filter(|(name, _)| passes_to_caller(name.as_str()))
        .filter_map(|(name, value)| Some((name.clone(), value.to_str().ok()?.to_owned())))
        .filter(|(_, value)| value.len() <= VALUE_BYTES_MAX)
        .collect()
}

/// What the front door checks before anything is read. `empty` says that no
/// body follows.
///
/// # Errors
/// A refusal of the Arrived room.
pub(crate) fn check_arrival(parts: &Parts, empty: bool) -> Result<(), Refusal> {
    if parts.method == Method::CONNECT || parts.headers.contains_key(header::UPGRADE) {
        return Err(Refusal::new(Code::UpgradeRefused));
    }
    check_host(parts)?;
    if !plain_path(parts.uri.path()) {
        return Err(Refusal::new(Code::PathRefused));
    }
    if !empty && bodiless(&parts.method) {
        return Err(Refusal::new(Code::BodyUnexpected));
    }
    Ok(())
}

/// One host, well formed, and the same wherever it stands. HTTP/2 may name it
/// in the request line alone.
fn check_host(parts: &Parts) -> Result<(), Refusal> {
    let refused = || Refusal::new(Code::HostRefused);
    let named = parts.uri.authority().map(|authority| authority.as_str());
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), named) {
        (Some(host), _) => host.as_bytes(),
        (None, Some(named)) if parts.version == Version::HTTP_2 => named.as_bytes(),
        (None, _) => return Err(refused()),
    };
    let agrees = named.is_none_or(|named| named.as_bytes() == host);
    if hosts.next().is_some() || !plain_host(host) || !agrees {
        return Err(refused());
    }
    Ok(())
}

/// Whether a method never carries a body here.
fn bodiless(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// Whether a path is in its one normal form: no empty, `.` or `..` segment and
/// nothing encoded, so that nobody behind can read another path in it.
fn plain_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:@".contains(&byte);
    let segments = path.strip_prefix('/').unwrap_or(path);
    path.bytes().all(plain)
        && (segments.is_empty()
            || segments
                .split('/')
                .all(|segment| !matches!(segment, "" | "." | "..")))
}

fn plain_host(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.len() <= 255
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte))
}

/// What must hold of a request's body before it is read.
///
/// # Errors
/// A refusal of the Arrived room.
pub(crate) fn check_body(headers: &HeaderMap, body_bytes_max: usize) -> Result<(), Refusal> {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if !plain {
        return Err(Refusal::new(Code::EncodedBody));
    }
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (media_type, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let charset_fits = parameters
        .split(';')
        .map(str::trim)
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset")
                || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    if !media_type.trim().eq_ignore_ascii_case("application/json") || !charset_fits {
        return Err(Refusal::new(Code::NotJson));
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    if length.is_some_and(|length: usize| length > body_bytes_max) {
        return Err(Refusal::new(Code::BodyTooLarge));
    }
    Ok(())
}

/// Query parameters that pass, as `name=value` pairs still encoded.
///
/// # Errors
/// When one is not on the dialect's list.
pub(crate) fn query(dialect: Dialect, uri: &Uri) -> Result<Option<String>, Refusal> {
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else {
        return Ok(None);
    };
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // The values of the parameters known so far are words; anything else
        // would be text that no control has seen.
        let word = value.len() <= 32 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !dialect.query_allowed(name) || !word {
            return Err(Refusal::new(Code::QueryRefused));
        }
    }
    Ok(Some(query.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn odd_hosts_are_refused() {
        let code = |request: http::request::Builder| {
            let (parts, ()) = request.body(()).unwrap().into_parts();
            check_arrival(&parts, true).map_err(|refusal| refusal.code())
        };
        let post = |uri: &str| http::Request::post(uri);
        let path = "/v1/messages";
        assert_eq!(code(post(path).header("host", "localhost:4180")), Ok(()));
        assert_eq!(code(post(path).header("host", "[::1]:4180")), Ok(()));
        let refused = Err(Code::HostRefused);
        assert_eq!(code(post(path)), refused);
        assert_eq!(
            code(post(path).header("host", "a").header("host", "a")),
            refused
        );
        assert_eq!(code(post(path).header("host", "x/#@y")), refused);
        assert_eq!(code(post(path).header("host", "")), refused);
        let absolute = "http://other/v1/messages";
        assert_eq!(code(post(absolute).header("host", "localhost")), refused);
        assert_eq!(code(post(absolute)), refused);
        let second = || post(absolute).version(Version::HTTP_2);
        assert_eq!(code(second()), Ok(()));
        assert_eq!(code(second().header("host", "other")), Ok(()));
        assert_eq!(code(second().header("host", "localhost")), refused);
        let upgrade = post(path)
            .header("host", "a")
            .header("upgrade", "websocket");
        assert_eq!(code(upgrade), Err(Code::UpgradeRefused));
        let connect = http::Request::connect("other:443").header("host", "other:443");
        assert_eq!(code(connect), Err(Code::UpgradeRefused));
    }

    #[test]
    fn a_path_has_one_form() {
        for good in ["/", "/v1/messages", "/eu/v1/models/a:b@c~1"] {
            assert!(plain_path(good), "{good}");
        }
        for bad in [
            "/v1/../admin",
            "/v1/./chat",
            "/v1//chat",
            "/v1/chat/",
            "/..",
            "/%2e%2e",
            "/v1/chat%2Fx",
            "/v1\\chat",
            "/v1/chat;a=b",
            "*",
            "/v1/ch\u{e9}t",
        ] {
            assert!(!plain_path(bad), "{bad}");
        }
    }

    #[test]
    fn a_get_brings_no_body() {
        let code = |method: Method, empty| {
            let request = http::Request::builder().method(method).uri("/v1/models");
            let (parts, ()) = request.header("host", "a").body(()).unwrap().into_parts();
            check_arrival(&parts, empty).map_err(|refusal| refusal.code())
        };
        assert_eq!(code(Method::GET, true), Ok(()));
        assert_eq!(code(Method::GET, false), Err(Code::BodyUnexpected));
        assert_eq!(code(Method::HEAD, false), Err(Code::BodyUnexpected));
        assert_eq!(code(Method::POST, false), Ok(()));
    }

    #[test]
    fn only_plain_json_bodies_come_in() {
        let code = |pairs: &[(&'static str, &str)]| {
            check_body(&map(pairs), 10).map_err(|refusal| refusal.code())
        };
        assert_eq!(
            code(&[
                ("content-type", "application/json; charset=UTF-8"),
                ("content-length", "10")
            ]),
            Ok(())
        );
        assert_eq!(
            code(&[("content-type", "application/json; charset=utf-16")]),
            Err(Code::NotJson)
        );
        assert_eq!(code(&[("content-type", "text/plain")]), Err(Code::NotJson));
        assert_eq!(code(&[]), Err(Code::NotJson));
        assert_eq!(
            code(&[
                ("content-type", "application/json"),
                ("content-encoding", "gzip")
            ]),
            Err(Code::EncodedBody)
        );
        assert_eq!(
            code(&[
                ("content-type", "application/json"),
                ("content-length", "11")
            ]),
            Err(Code::BodyTooLarge)
        );
    }

    #[test]
    fn credentials_and_cookies_pass_in_neither_direction() {
        let sent = map(&[
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("cookie", "a=b"),
            ("openai-project", "p"),
            ("x-stainless-os", "Linux"),
        ]);
        let passed: Vec<_> = to_vendor(Api::OpenAi, &sent)
            .unwrap()
            .into_iter()
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(passed, ["openai-project"]);
        let back = map(&[
            ("set-cookie", "a=b"),
            ("x-request-id", "r"),
            ("openai-organization", "o"),
            ("x-ratelimit-limit-requests", "9"),
        ]);
        let passed: Vec<_> = to_caller(&back)
            .into_iter()
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(passed, ["x-request-id", "x-ratelimit-limit-requests"]);
    }

    #[test]
    fn unknown_query_parameters_are_refused() {
        let check = |text: &str| {
            query(Dialect::AnthropicMessages, &text.parse().unwrap())
                .map_err(|refusal| refusal.code())
        };
        assert_eq!(
            check("/v1/messages?beta=true"),
            Ok(Some("beta=true".into()))
        );
        assert_eq!(check("/v1/messages"), Ok(None));
        assert_eq!(
            check("/v1/messages?beta=123-45-6789"),
            Err(Code::QueryRefused)
        );
        assert_eq!(check("/v1/messages?note=x"), Err(Code::QueryRefused));
    }
}
