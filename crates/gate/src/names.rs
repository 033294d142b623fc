//! Asks the operator's service for names and addresses about the texts of an
//! exchange. The protocol is in `docs/specs/names.md`.

mod reply;
mod request;

use std::time::Duration;

use bytes::Bytes;
use detect::names::{ANSWER_BYTES_MAX, Batch, BatchEnd, NamesFault, batches};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use terms::{Code, Control, Finding, Mode, Refusal, Slot};
use tokio::sync::Semaphore;
use wire::{Leaf, LeafKind};

use crate::{Ruling, VendorClient, running::Cut};

pub(crate) use reply::{NamedReply, ask_reply, looks_at_replies, stream_passes};
pub(crate) use request::{Named, ask_request};

/// Where the service is, and what it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesAt {
    /// Where it is asked: `http` on loopback only, `https` elsewhere.
    pub url: Uri,
    /// LIMIT: for all that one request, or one reply, asks it; waiting for a
    /// turn included.
    pub time_max: Duration,
    /// LIMIT: questions to it at once.
    pub concurrent_max: usize,
    /// What it is less sure of does not count; 1 to 100.
    pub score_min: u8,
    /// Whether replies are looked at as well.
    pub replies: bool,
}

impl NamesAt {
    /// What decides which findings it makes, as records name it: the same for
    /// every build.
    pub(crate) fn version(&self) -> String {
        let Self {
            url,
            time_max,
            concurrent_max,
            score_min,
            replies,
        } = self;
        let time_ms = time_max.as_millis();
        format!("names {url} {time_ms} {concurrent_max} {score_min} {replies}")
    }
}

/// The service, as all exchanges of a ruling share it.
#[derive(Debug)]
pub struct NamesService {
    at: NamesAt,
    turns: Semaphore,
}

impl NamesService {
    /// A service that nobody asked yet.
    #[must_use]
    pub fn new(at: NamesAt) -> Self {
        let turns = at.concurrent_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            at,
            turns: Semaphore::new(turns),
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn at(&self) -> &NamesAt {
        &self.at
    }

    /// What it finds in each of these texts, by UTF-8 bytes.
    ///
    /// # Errors
    /// When it gives no answer, a late one, or one that does not fit.
    pub async fn ask(
        &self,
        client: &VendorClient,
        texts: &[&str],
    ) -> Result<Vec<Vec<Finding>>, NamesFault> {
        let asking = async {
            let mut found = BatchEnd::new(texts.len());
            for batch in batches(texts) {
                let said = self.one(client, &batch).await?;
                found.take(&batch, &said, self.at.score_min)?;
            }
            Ok(found.finish())
        };
        let asked = tokio::time::timeout(self.at.time_max, asking).await;
        asked.unwrap_or(Err(NamesFault::Late))
    }

    /// One question and its answer, when it is its turn.
    async fn one(&self, client: &VendorClient, batch: &Batch<'_>) -> Result<Bytes, NamesFault> {
        let turn = self.turns.acquire().await;
        let turn = turn.map_err(|_| NamesFault::NoAnswer)?;
        let response = match client.send(question(&self.at.url, batch)?).await {
            Ok(response) => response,
            // The service may have just ended a connection that was idle, and
            // a question changes nothing: it may be asked again.
            Err(_) => client
                .send(question(&self.at.url, batch)?)
                .await
                .map_err(|_| NamesFault::NoAnswer)?,
        };
        if response.status() != StatusCode::OK {
            return Err(NamesFault::NoAnswer);
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let said = body.collect().await.map_err(|fault| {
            if fault.is::<LengthLimitError>() {
                NamesFault::TooLarge
            } else {
                NamesFault::NoAnswer
            }
        })?;
        drop(turn);
        Ok(said.to_bytes())
    }
}

fn question(url: &Uri, batch: &Batch<'_>) -> Result<Request<Full<Bytes>>, NamesFault> {
    let json = HeaderValue::from_static("application/json");
    Request::post(url.clone())
        .header(header::CONTENT_TYPE, json.clone())
        .header(header::ACCEPT, json)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(
            header::USER_AGENT,
            concat!("merestone/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(Bytes::from(batch.question())))
        .map_err(|_| NamesFault::NoAnswer)
}

/// The service in force at this time, and whether an exchange needs its word:
/// not while the control is only tried out, nor where the operator lets texts
/// pass without.
pub(crate) fn in_force(ruling: &Ruling, now_ms: u64) -> Option<(&NamesService, bool)> {
    let service = ruling.names()?;
    let policy = ruling.policy();
    let open = policy.when_down.names.passes(now_ms);
    match policy.mode(Control::Redaction, now_ms) {
        Mode::Off => None,
        Mode::Shadow => Some((service, false)),
        Mode::Enforce => Some((service, !open)),
    }
}

/// Whether a text may hold prose: what can be rewritten, and is neither a
/// parameter of the call nor a value that only the vendor reads.
pub(crate) fn is_prose(leaf: &Leaf) -> bool {
    let slot = match leaf.slot {
        Slot::System
        | Slot::Turn
        | Slot::Reasoning
        | Slot::ToolCall
        | Slot::ToolResult
        | Slot::ToolDefinition
        | Slot::Document
        | Slot::Unknown => true,
        Slot::Media | Slot::Opaque | Slot::Parameter => false,
    };
    slot && leaf.editable && leaf.kind == LeafKind::Text && !leaf.text.is_empty()
}

/// Asks, unless the exchange must end meanwhile.
async fn ask(
    ruling: &Ruling,
    service: &NamesService,
    cut: &Cut,
    texts: &[&str],
) -> Result<Result<Vec<Vec<Finding>>, NamesFault>, Refusal> {
    tokio::select! {
        biased;
        code = cut.wait() => Err(Refusal::new(code)),
        asked = service.ask(ruling.client(), texts) => {
            if let Err(fault) = &asked {
                tracing::warn!("{fault}");
            }
            Ok(asked)
        }
    }
}

/// What is refused where the service's word was needed.
const fn unanswered(reply: bool) -> Code {
    if reply {
        Code::ReplyNames
    } else {
        Code::NamesSilent
    }
}
