//! What is sealed of an exchange while it is gathered: who called, what was
//! found, what went to the vendor and what came back to the caller.

mod matches;
mod never;
mod released;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use detect::Engine;
use ledger::{
    captures::{Captures, Wish},
    commit::CommitmentKey,
    seal::{Context, RecordKey, Wrap, WrapFault, Wrapped, content},
};
use serde_json::json;
use terms::{
    CaptureMode, CapturePart, Captured, CapturedPart, Code, Direction, ExchangeId, KeyId, LeftOut,
    Refusal,
};
use tokio::{sync::Semaphore, task::JoinHandle};
use wire::Dialect;

pub(crate) use matches::Matches;
pub use never::is as is_never_kept;
pub(crate) use never::works as masks_work;
pub(crate) use released::Released;

use crate::{Ruling, state::SharedEntropy};

/// LIMIT: bytes of one part, unless the configuration says less or more.
pub const PART_BYTES_MAX: usize = 1 << 20;
/// LIMIT: exchanges whose texts are made ready for sealing at once.
const AT_ONCE_MAX: usize = 8;
/// LIMIT: record keys that are being wrapped at once. Whoever holds the
/// tenant's key may not answer, and each call keeps a thread that others need.
const WRAPS_MAX: usize = 64;
/// For a record's key to have its turn.
const WRAP_TURN_TIME: Duration = Duration::from_secs(5);

/// The means to seal and to keep.
#[derive(Debug)]
pub struct Sealing {
    captures: Captures,
    tenant: Arc<dyn Wrap>,
    part_bytes_max: usize,
    turns: Semaphore,
    wraps: Arc<Semaphore>,
}

impl Sealing {
    /// Keeps in `captures`, under keys that `tenant` wraps.
    #[must_use]
    pub fn new(captures: Captures, tenant: Arc<dyn Wrap>, part_bytes_max: usize) -> Self {
        Self {
            captures,
            tenant,
            part_bytes_max,
            turns: Semaphore::new(AT_ONCE_MAX),
            wraps: Arc::new(Semaphore::new(WRAPS_MAX)),
        }
    }

    /// What is kept.
    #[must_use]
    pub const fn captures(&self) -> &Captures {
        &self.captures
    }

    /// The tenant's key.
    #[must_use]
    pub fn tenant(&self) -> &Arc<dyn Wrap> {
        &self.tenant
    }
}

/// Who called, in the clear.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) key: KeyId,
    pub(crate) owner: String,
    pub(crate) person: [u8; 32],
    pub(crate) source: IpAddr,
    pub(crate) user_agent: Option<String>,
}

impl Who {
    /// As it is sealed, and how many stretches were masked: a program can put
    /// anything into its name.
    fn text(&self, never: &Engine) -> (String, u32) {
        let clean = |text: &str| never::text(never, text, Direction::Request);
        let (owner, one) = clean(&self.owner);
        let program = self.user_agent.as_deref().map(clean);
        let (user_agent, other) = program.unzip();
        let text = json!({
            "owner": owner,
            "source": self.source.to_canonical(),
            "user_agent": user_agent,
        });
        (text.to_string(), one + other.unwrap_or_default())
    }
}

/// The record's key on its way to being wrapped.
#[derive(Debug)]
enum Wrapping {
    Asked(JoinHandle<Result<Wrapped, WrapFault>>),
    Done(Option<Wrapped>),
}

/// One exchange's.
pub(crate) struct Capture {
    sealing: Arc<Sealing>,
    entropy: Arc<dyn SharedEntropy>,
    exchange: ExchangeId,
    mode: CaptureMode,
    key: RecordKey,
    commitments: CommitmentKey,
    who: Who,
    wrapping: Wrapping,
    matches: Matches,
    request: Option<Result<Bytes, LeftOut>>,
    released: Option<Released>,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capture({})", self.mode)
    }
}

/// Parts in the clear, ready to be sealed, and what the record says of them.
type Ready = Vec<(CapturePart, Result<(Vec<u8>, u32), LeftOut>)>;

impl Capture {
    /// Begins; the tenant's key is asked for at once.
    pub(crate) fn begin(
        sealing: &Arc<Sealing>,
        entropy: Arc<dyn SharedEntropy>,
        node: &CommitmentKey,
        exchange: ExchangeId,
        mode: CaptureMode,
        who: Who,
    ) -> Self {
        let key = RecordKey::new(&*entropy);
        let asked = tokio::spawn(wrap(
            Arc::clone(sealing),
            exchange,
            key.clone(),
            Arc::clone(&entropy),
        ));
        Self {
            commitments: node.salted(&key.salt(exchange)),
            sealing: Arc::clone(sealing),
            entropy,
            exchange,
            mode,
            key,
            who,
            wrapping: Wrapping::Asked(asked),
            matches: Matches::default(),
            request: None,
            released: None,
        }
    }

    /// The key of the record's commitments.
    pub(crate) const fn commitments(&self) -> &CommitmentKey {
        &self.commitments
    }

    const fn takes_texts(&self) -> bool {
        matches!(self.mode, CaptureMode::All)
    }

    /// Takes what was found.
    pub(crate) fn found(&mut self, matches: Matches) {
        self.matches.add(matches);
    }

    /// Takes the body that is sent to the vendor.
    pub(crate) fn sent(&mut self, body: &Bytes) {
        if self.takes_texts() {
            let most = self.sealing.part_bytes_max;
            self.request = Some(within(body, most).map(|()| body.clone()));
        }
    }

    /// Takes a whole reply as it is released.
    pub(crate) fn whole(&mut self, body: &Bytes) {
        if self.takes_texts() {
            self.released = Some(Released::whole(body));
        }
    }

    /// Takes a piece of a stream as it is released; answers how many bytes of
    /// text that made more.
    pub(crate) fn piece(&mut self, dialect: Dialect, piece: &[u8]) -> usize {
        if !self.takes_texts() {
            return 0;
        }
        let most = self.sealing.part_bytes_max;
        self.released
            .get_or_insert_with(|| Released::stream(dialect, most))
            .push(piece)
    }

    /// Whether content can be kept now, as far as can be told.
    pub(crate) fn ready(&self) -> Result<(), Refusal> {
        self.sealing.captures.ready().map_err(|fault| {
            tracing::error!("content cannot be captured: {fault}");
            Refusal::new(Code::EvidenceDown)
        })
    }

    /// Waits until the record's key is wrapped.
    pub(crate) async fn wrapped(&mut self) -> Result<(), Refusal> {
        if let Wrapping::Asked(asked) = &mut self.wrapping {
            let wrapped = match asked.await {
                Ok(Ok(wrapped)) => Some(wrapped),
                Ok(Err(fault)) => {
                    tracing::error!("a record's key cannot be wrapped: {fault}");
                    None
                }
                Err(_) => None,
            };
            self.wrapping = Wrapping::Done(wrapped);
        }
        match &self.wrapping {
            Wrapping::Done(Some(_)) => Ok(()),
            Wrapping::Done(None) | Wrapping::Asked(_) => Err(Refusal::new(Code::EvidenceDown)),
        }
    }

    /// Seals what was gathered and keeps it; durable, key and all, when this
    /// returns. What may never be kept is masked before.
    pub(crate) async fn keep(
        mut self: Box<Self>,
        ruling: Arc<Ruling>,
        dialect: Dialect,
        at_ms: u64,
    ) -> Result<Captured, Refusal> {
        let down = || Refusal::new(Code::EvidenceDown);
        self.wrapped().await?;
        let Wrapping::Done(Some(wrapped)) =
            std::mem::replace(&mut self.wrapping, Wrapping::Done(None))
        else {
            return Err(down());
        };
        let sealing = Arc::clone(&self.sealing);
        let turn = sealing.turns.acquire().await.map_err(|_| down())?;
        let sealed = move || self.sealed(&ruling, dialect);
        let made = tokio::task::spawn_blocking(|| terms::in_turns(sealed));
        let (captured, sealed, who, exchange) = made.await.map_err(|_| down())??;
        let kept = async {
            // The turn is kept until there is room: while the disk is slow, no
            // more than these are sealed and wait.
            let room = sealing.captures.room(sealed.len()).await?;
            drop(turn);
            let wish = Wish {
                exchange,
                at_ms,
                key: who.key,
                person: who.person,
                wrapped,
                sealed,
            };
            sealing.captures.keep(wish, room).await
        };
        kept.await.map_err(|fault| {
            tracing::error!("content could not be captured: {fault}");
            down()
        })?;
        Ok(captured)
    }

    fn sealed(
        mut self: Box<Self>,
        ruling: &Ruling,
        dialect: Dialect,
    ) -> Result<(Captured, Vec<u8>, Who, ExchangeId), Refusal> {
        let ready = self.parts(ruling, dialect);
        let mut parts = Vec::with_capacity(ready.len());
        let mut texts: Vec<(CapturePart, &[u8])> = Vec::with_capacity(ready.len());
        for (part, made) in &ready {
            parts.push(match made {
                Ok((text, masked)) => {
                    texts.push((*part, text));
                    CapturedPart {
                        part: *part,
                        bytes: text.len() as u64,
                        commitment: Some(
                            self.key.commit(&Context::part(self.exchange, *part), text),
                        ),
                        masked: *masked,
                        left_out: None,
                    }
                }
                Err(why) => CapturedPart {
                    part: *part,
                    bytes: 0,
                    commitment: None,
                    masked: 0,
                    left_out: Some(*why),
                },
            });
        }
        let sealed = content::seal(&self.key, self.exchange, &texts, &*self.entropy)
            .map_err(|_| Refusal::new(Code::EvidenceDown))?;
        let captured = Captured {
            mode: self.mode,
            sealed: content::digest(&sealed),
            parts,
        };
        Ok((captured, sealed, self.who, self.exchange))
    }

    /// The parts as they will be sealed, in their order.
    fn parts(&mut self, ruling: &Ruling, dialect: Dialect) -> Ready {
        let never = ruling.never();
        let (caller, masked) = self.who.text(never);
        let findings = json!(self.matches);
        let mut parts: Ready = vec![
            (CapturePart::Caller, Ok((caller.into_bytes(), masked))),
            (
                CapturePart::Findings,
                Ok((findings.to_string().into_bytes(), self.matches.masked())),
            ),
        ];
        let most = self.sealing.part_bytes_max;
        if let Some(body) = self.request.take() {
            let made =
                body.and_then(|body| never::document(never, dialect, &body, Direction::Request));
            parts.push((CapturePart::Request, made));
        }
        if let Some(released) = self.released.take() {
            parts.push((CapturePart::Reply, released.finish(never, dialect, most)));
        }
        parts
    }
}

/// Wraps a record's key, in its turn.
async fn wrap(
    sealing: Arc<Sealing>,
    exchange: ExchangeId,
    key: RecordKey,
    entropy: Arc<dyn SharedEntropy>,
) -> Result<Wrapped, WrapFault> {
    let service = |says: &str| WrapFault::Service(says.to_owned());
    let turn = Arc::clone(&sealing.wraps).acquire_owned();
    let turn = tokio::time::timeout(WRAP_TURN_TIME, turn).await;
    let Ok(Ok(turn)) = turn else {
        return Err(service("too many keys wait for the tenant's key"));
    };
    let tenant = Arc::clone(&sealing.tenant);
    let wrapped = tokio::task::spawn_blocking(move || {
        let wrapped = tenant.wrap(exchange, &key, &*entropy);
        drop(turn);
        wrapped
    });
    wrapped
        .await
        .unwrap_or_else(|_| Err(service("the key could not be wrapped")))
}

fn within(body: &[u8], most: usize) -> Result<(), LeftOut> {
    if body.len() <= most {
        Ok(())
    } else {
        Err(LeftOut::TooLarge)
    }
}

#[cfg(test)]
mod tests;
