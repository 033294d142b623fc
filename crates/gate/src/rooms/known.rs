//! Second room: the caller is known; is the call allowed and its body understood?

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use policy::{
    Passage,
    permission::{Ask, Asker, Moment, Object},
};
use terms::{Caller, CaptureMode, Code, Commitment, Refusal, RequestFacts, Room, Secret, Verb};
use wire::{Document, Facts, Surrogates};

use super::{Admitted, Exchange, Turned};
use crate::{
    Gate,
    budget::{Gathering, Share},
    callers::Principal,
    capture::{Capture, Who},
    headers,
    pace::Pace,
    parties::Party,
    running::Run,
    vault,
    work::{self, Bulk},
};

/// LIMIT: bytes of a model's name.
const MODEL_BYTES_MAX: usize = 128;

/// How many bytes of a request are taken for a token, when tokens are set
/// aside. English prose has about four; the vendor's own count replaces it.
const BYTES_PER_TOKEN: u64 = 4;

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
    commitment: Commitment,
    passed: Vec<(http::HeaderName, String)>,
}

impl Known {
    pub(super) fn new(
        gate: &Gate,
        mut exchange: Exchange,
        principal: Arc<Principal>,
        parts: Parts,
        body: Incoming,
        query: Option<String>,
    ) -> Self {
        exchange.capture = capture(gate, &exchange, &principal, &parts.headers);
        let (id, key) = (&exchange.id, exchange.commitments(gate));
        let commit = |field: &str, value: &[u8]| key.commit(id, field, value);
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

    /// Whether so much may come that the body is one of the large ones.
    pub(crate) fn may_be_large(&self) -> bool {
        let most = self.body.size_hint().upper();
        most.is_none_or(|bytes| bytes >= work::HUGE_BYTES as u64)
    }

    /// Asks the switches and the key's limits, reads the body, parses it
    /// strictly, and asks the key's grant and the policies.
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
        let run = gate.running().enter(
            exchange.id,
            &exchange.vendor.name,
            exchange.dialect.name(),
            Arc::clone(&principal.line),
        );
        let mut request = None;
        let judging = Judging {
            gate,
            exchange: &mut exchange,
            principal: &principal,
            run: &run,
            request: &mut request,
        };
        match judging.judge(&parts, body).await {
            Ok((document, passed, request)) => {
                exchange.note(
                    gate,
                    Room::Admitted,
                    "the key may use this vendor and model; the body is one strict document",
                );
                Ok(Admitted::new(
                    exchange, run, caller, request, document, passed, query,
                ))
            }
            Err(refusal) => Err(Turned::away(
                gate,
                exchange,
                caller,
                Room::Admitted,
                refusal,
                request,
                None,
            )
            .await),
        }
    }
}

/// What of an exchange will be sealed, if its route wants that.
fn capture(
    gate: &Gate,
    exchange: &Exchange,
    principal: &Principal,
    headers: &HeaderMap,
) -> Option<Box<Capture>> {
    let mode = exchange.vendor.capture;
    let sealing = gate.sealing().filter(|_| mode != CaptureMode::Nothing)?;
    let user_agent = headers.get(header::USER_AGENT);
    let who = Who {
        key: principal.key.clone(),
        owner: principal.owner.clone(),
        person: gate.commitments().person(&principal.owner),
        source: exchange.source,
        user_agent: user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    };
    Some(Box::new(Capture::begin(
        sealing,
        gate.shared_entropy(),
        gate.commitments(),
        exchange.id,
        mode,
        who,
    )))
}

/// The judgement on one request, and what was learned of it so far.
struct Judging<'a> {
    gate: &'a Gate,
    exchange: &'a mut Exchange,
    principal: &'a Principal,
    run: &'a Run,
    request: &'a mut Option<RequestFacts>,
}

type Judged = (Document, Vec<(http::HeaderName, String)>, RequestFacts);

impl Judging<'_> {
    async fn judge(self, parts: &Parts, body: Incoming) -> Result<Judged, Refusal> {
        let Self {
            gate,
            exchange,
            principal,
            run,
            request,
        } = self;
        switched(gate, exchange, principal, None)?;
        for (key, rates) in principal.limits(&exchange.ruling.policy().rates.key) {
            exchange.hold.enter(Party::Key(key), rates)?;
        }
        let understood = understand(gate, exchange, run, parts, body).await?;
        let Understood {
            document,
            facts,
            commitment,
            passed,
        } = understood;
        let known = request_facts(
            exchange,
            principal.key.as_str(),
            &parts.headers,
            &document,
            &facts,
            commitment,
        );
        *request = Some(known.clone());
        exchange.asked = (known.model.clone(), known.stream);
        let person = facts.person.clone().filter(|_| gate.vault().is_some());
        let named = person.as_deref();
        if named.is_some_and(|name| !vault::is_vault_person(name)) {
            return Err(Refusal::new(Code::VaultPerson));
        }
        exchange.person = person.map(Secret::new);
        principal
            .allowed
            .permit(&exchange.vendor.name, &facts.model)?;
        permitted(exchange, principal, &facts)?;
        run.asks_for(&facts.model);
        switched(gate, exchange, principal, Some(&facts.model))?;
        remote(exchange, &facts)?;
        set_aside(exchange, &facts, document.raw().len())?;
        Ok((document, passed, known))
    }
}

fn switched(
    gate: &Gate,
    exchange: &Exchange,
    principal: &Principal,
    model: Option<&str>,
) -> Result<(), Refusal> {
    if gate
        .switches()
        .stops(&exchange.call(&principal.line, model))
    {
        return Err(Refusal::new(Code::SwitchedOff));
    }
    Ok(())
}

/// Asks the policies; the grant has been asked.
fn permitted(exchange: &Exchange, principal: &Principal, facts: &Facts) -> Result<(), Refusal> {
    let ask = Ask {
        who: Asker::Key {
            id: principal.key.to_string(),
            owner: principal.owner.clone(),
            verbs: principal.allowed.verbs().clone(),
        },
        verb: Verb::Infer,
        what: Object::Model {
            vendor: exchange.vendor.name.clone(),
            api: exchange.vendor.api.name(),
            model: facts.model.clone(),
            route: exchange.dialect.name(),
            source: exchange.source,
            stream: facts.stream,
            tools: facts.tools,
            output_tokens_max: facts.output_tokens_max,
        },
        when: Moment::at_ms(exchange.at_ms),
    };
    let answer = exchange.ruling.permission().decide(&ask);
    if answer.allowed {
        return Ok(());
    }
    Err(Refusal::new(Code::PolicyDenied))
}

/// Enters the model's limits, and sets aside what the exchange may use.
fn set_aside(exchange: &mut Exchange, facts: &Facts, body_bytes: usize) -> Result<(), Refusal> {
    let policy = exchange.ruling.clone();
    let rates = &policy.policy().rates;
    let model = format!("{}/{}", exchange.vendor.name, facts.model);
    exchange.hold.enter(Party::Model(model), rates.model)?;
    exchange.input_tokens = body_bytes as u64 / BYTES_PER_TOKEN;
    let output = facts
        .output_tokens_max
        .unwrap_or(rates.output_tokens_assumed)
        .saturating_mul(u64::from(facts.choices.max(1)));
    exchange
        .hold
        .reserve(exchange.input_tokens.saturating_add(output))
}

async fn understand(
    gate: &Gate,
    exchange: &mut Exchange,
    run: &Run,
    parts: &Parts,
    body: Incoming,
) -> Result<Understood, Refusal> {
    let limits = gate.limits();
    headers::check_body(&parts.headers, limits.body_bytes_max)?;
    let passed = headers::to_vendor(exchange.dialect.api(), &parts.headers)?;
    let cut = run.cut();
    let gathered = tokio::select! {
        gathered = read(gate, &mut exchange.share, body) => gathered?,
        code = cut.wait() => return Err(Refusal::new(code)),
    };
    let json = wire::Limits {
        document_bytes_max: limits.body_bytes_max,
        depth_max: limits.json_depth_max,
        values_max: limits.json_values_max,
    };
    let (size, dialect, id) = (gathered.len(), exchange.dialect, exchange.id);
    let key = exchange.commitments(gate).clone();
    // All that reads the whole body is one piece of work.
    let reading = gate.work().apart(size, &cut, move || {
        let document = Document::parse(gathered.finish(), &json, Surrogates::Refuse)
            .map_err(|fault| Refusal::new(fault.code()))?;
        let facts = dialect.facts(&document)?;
        let commitment = key.commit(&id, "request-body", document.raw());
        Ok::<_, Refusal>((document, facts, commitment))
    });
    let (document, facts, commitment) = reading.await.flatten()?;
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
        commitment,
        passed,
    })
}

/// Reads the whole body within its limits of size, memory and time.
async fn read(gate: &Gate, share: &mut Share, body: Incoming) -> Result<Gathering, Refusal> {
    let mut bytes = Gathering::default();
    match gather(gate, share, body, &mut bytes).await {
        Ok(()) => Ok(bytes),
        Err(refusal) => {
            bytes.let_go().await;
            Err(refusal)
        }
    }
}

async fn gather(
    gate: &Gate,
    share: &mut Share,
    mut body: Incoming,
    bytes: &mut Gathering,
) -> Result<(), Refusal> {
    let limits = gate.limits();
    let (pace, started) = (Pace::new(limits), Instant::now());
    let mut bulk = Bulk::default();
    loop {
        let taken = started.elapsed().saturating_sub(bulk.waited());
        let patience = pace.patience(bytes.len(), taken);
        let frame = tokio::time::timeout(patience, body.frame())
            .await
            .map_err(|_| Refusal::new(Code::BodySlow))?;
        let Some(frame) = frame else {
            return Ok(());
        };
        let frame = frame.map_err(|_| Refusal::new(Code::BodyBroken))?;
        // Trailers are dropped.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len().saturating_add(data.len()) > limits.body_bytes_max {
            return Err(Refusal::new(Code::BodyTooLarge));
        }
        bytes.add(&data, |room| share.grow_body(room))?;
        bulk.came(gate.work(), data.len(), bytes.len()).await;
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
    exchange: &Exchange,
    caller: &str,
    headers: &HeaderMap,
    document: &Document,
    facts: &Facts,
    commitment: Commitment,
) -> RequestFacts {
    let body = document.raw();
    let retry = headers
        .get("x-stainless-retry-count")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    RequestFacts {
        dialect: exchange.dialect.name().to_owned(),
        vendor: exchange.vendor.name.clone(),
        model: if exchange.ruling.may_record(caller, &facts.model) {
            facts.model.clone()
        } else {
            WITHHELD.to_owned()
        },
        stream: facts.stream,
        body_bytes: body.len() as u64,
        sent_bytes: body.len() as u64,
        edited: false,
        body: commitment,
        output_tokens_max: facts.output_tokens_max,
        store: facts.store,
        retry,
        tools: facts.tools,
    }
}
