//! Second room: the caller is known; is the call allowed and its body understood?

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use policy::Passage;
use terms::{Caller, Code, Refusal, RequestFacts, Room};
use wire::{Document, Facts, Surrogates};

use super::{Admitted, Exchange, Turned};
use crate::{Gate, budget::Share, callers::Principal, headers};

/// LIMIT: bytes of a model's name.
const MODEL_BYTES_MAX: usize = 128;

/// What stands in a record for a model's name that a detector minds.
const WITHHELD: &str = "(withheld)";

/// A request of a known caller, its body unread.
#[derive(Debug)]
pub struct Known {
    exchange: Exchange,
    principal: Arc<Principal>,
    caller: Caller,
    parts: Parts,
    body: Incoming,
    query: Option<String>,
}

/// What was read and understood.
struct Understood {
    document: Document,
    facts: Facts,
    passed: Vec<(http::HeaderName, String)>,
}

impl Known {
    pub(super) fn new(
        gate: &Gate,
        exchange: Exchange,
        principal: Arc<Principal>,
        parts: Parts,
        body: Incoming,
        query: Option<String>,
    ) -> Self {
        let id = &exchange.id;
        let commit = |field: &str, value: &[u8]| gate.commitments().commit(id, field, value);
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .map(|value| commit("user-agent", value.as_bytes()));
        let caller = Caller {
            key: principal.key.clone(),
            owner: commit("owner", principal.owner.as_bytes()),
            source: commit(
                "source",
                exchange.source.to_canonical().to_string().as_bytes(),
            ),
            user_agent,
        };
        Self {
            exchange,
            principal,
            caller,
            parts,
            body,
            query,
        }
    }

    /// Reads the body, parses it strictly and asks the key's grant.
    ///
    /// # Errors
    /// When the body is not what it should be, or the call is not allowed.
    pub async fn admit(self, gate: &Gate) -> Result<Admitted, Turned> {
        let Self {
            mut exchange,
            principal,
            caller,
            parts,
            body,
            query,
        } = self;
        let read = understand(gate, &mut exchange, &parts, body).await;
        let understood = match read {
            Ok(understood) => understood,
            Err(refusal) => {
                return Err(Turned::away(
                    gate,
                    exchange,
                    caller,
                    Room::Admitted,
                    refusal,
                    None,
                    None,
                )
                .await);
            }
        };
        let Understood {
            document,
            facts,
            passed,
        } = understood;
        let request = request_facts(gate, &exchange, &parts.headers, &document, &facts);
        let allowed = principal
            .allowed
            .permit(&exchange.vendor.name, &facts.model)
            .and_then(|()| remote(&exchange, &facts));
        if let Err(refusal) = allowed {
            return Err(Turned::away(
                gate,
                exchange,
                caller,
                Room::Admitted,
                refusal,
                Some(request),
                None,
            )
            .await);
        }
        exchange.note(
            gate,
            Room::Admitted,
            "the key may use this vendor and model; the body is one strict document",
        );
        Ok(Admitted::new(
            exchange, caller, request, document, passed, query,
        ))
    }
}

async fn understand(
    gate: &Gate,
    exchange: &mut Exchange,
    parts: &Parts,
    body: Incoming,
) -> Result<Understood, Refusal> {
    let limits = gate.limits();
    headers::check_body(&parts.headers, limits.body_bytes_max)?;
    let passed = headers::to_vendor(exchange.dialect.api(), &parts.headers)?;
    let bytes = read(gate, &mut exchange.share, body).await?;
    let json = wire::Limits {
        document_bytes_max: limits.body_bytes_max,
        depth_max: limits.json_depth_max,
        values_max: limits.json_values_max,
    };
    let document = crate::work::heavy(bytes.len(), || {
        Document::parse(bytes, &json, Surrogates::Refuse)
    })
    .map_err(|fault| Refusal::new(fault.code()))?;
    let facts = exchange.dialect.facts(&document)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@".contains(&byte);
    if facts.model.is_empty()
        || facts.model.len() > MODEL_BYTES_MAX
        || !facts.model.bytes().all(plain)
    {
        return Err(Refusal::new(Code::ModelMissing));
    }
    Ok(Understood {
        document,
        facts,
        passed,
    })
}

/// Reads the whole body within its limits of size, memory and time.
async fn read(gate: &Gate, share: &mut Share, mut body: Incoming) -> Result<Bytes, Refusal> {
    let limits = gate.limits();
    let mut bytes = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(limits.body_idle_time, body.frame())
            .await
            .map_err(|_| Refusal::new(Code::BodySlow))?;
        let Some(frame) = frame else {
            return Ok(bytes.freeze());
        };
        let frame = frame.map_err(|_| Refusal::new(Code::BodyBroken))?;
        // Trailers are dropped.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len().saturating_add(data.len()) > limits.body_bytes_max {
            return Err(Refusal::new(Code::BodyTooLarge));
        }
        share.grow(data.len())?;
        bytes.extend_from_slice(&data);
    }
}

fn remote(exchange: &Exchange, facts: &Facts) -> Result<(), Refusal> {
    match (
        exchange.ruling.policy().remote_features,
        facts.remote_features.first(),
    ) {
        (Passage::Refuse, Some(place)) => Err(Refusal::new(Code::FeatureDenied).at(place.clone())),
        (Passage::Refuse, None) | (Passage::Count, _) => Ok(()),
    }
}

fn request_facts(
    gate: &Gate,
    exchange: &Exchange,
    headers: &HeaderMap,
    document: &Document,
    facts: &Facts,
) -> RequestFacts {
    let body = document.raw();
    let retry = headers
        .get("x-stainless-retry-count")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    RequestFacts {
        dialect: exchange.dialect.name().to_owned(),
        vendor: exchange.vendor.name.clone(),
        model: if exchange.ruling.is_clean(&facts.model) {
            facts.model.clone()
        } else {
            WITHHELD.to_owned()
        },
        stream: facts.stream,
        body_bytes: body.len() as u64,
        sent_bytes: body.len() as u64,
        edited: false,
        body: gate
            .commitments()
            .commit(&exchange.id, "request-body", body),
        output_tokens_max: facts.output_tokens_max,
        store: facts.store,
        retry,
        tools: facts.tools,
    }
}
