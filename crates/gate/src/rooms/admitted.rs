//! Third room: the call is allowed; now every control looks at it.

use bytes::Bytes;
use detect::redact::Tokens;
use http::HeaderName;
use policy::{Passage, Tally};
use terms::{Caller, Code, Direction, KeyId, Refusal, RequestFacts, Room};
use wire::{Document, Walk};

use super::{Exchange, Screened, Turned};
use crate::{
    Gate, Ruling,
    capture::Matches,
    names::{self, Named},
    running::{Cut, Run},
    screen::Screen,
    vault::{self, Keeping},
    work,
};

/// What a record says where redacted values should have been kept.
const UNKEPT: &str =
    "what was redacted could not be kept in the vault, and passed as the policy lets it for a time";

/// A request that may be made, its text not yet looked at.
#[derive(Debug)]
pub struct Admitted {
    exchange: Exchange,
    run: Run,
    caller: Caller,
    request: RequestFacts,
    document: Document,
    passed: Vec<(HeaderName, String)>,
    query: Option<String>,
}

impl Admitted {
    pub(super) const fn new(
        exchange: Exchange,
        run: Run,
        caller: Caller,
        request: RequestFacts,
        document: Document,
        passed: Vec<(HeaderName, String)>,
        query: Option<String>,
    ) -> Self {
        Self {
            exchange,
            run,
            caller,
            request,
            document,
            passed,
            query,
        }
    }

    /// Shows every text of the request to every control, and rewrites what
    /// the policy wants rewritten.
    ///
    /// # Errors
    /// When a control blocks, or gave no verdict.
    pub async fn screen(self, gate: &Gate) -> Result<Screened, Turned> {
        let Self {
            mut exchange,
            run,
            caller,
            mut request,
            document,
            passed,
            query,
        } = self;
        let ruling = exchange.ruling.clone();
        let mut tokens = Tokens::new(gate.tokens(), caller.key.as_str());
        let mut tally = Tally::new(ruling.policy(), Direction::Request, exchange.at_ms);
        let cut = run.cut();
        let named = exchange.named(gate, &document, request.stream, &cut).await;
        let mut screen = looking(gate, &exchange, &ruling, &mut tally, &mut tokens, &cut);
        let screened = match named {
            Ok((walk, named)) => {
                screen.named = named;
                let looking = gate.work().on(document.raw().len(), &cut, || {
                    let walk = walk.unwrap_or_else(|| exchange.dialect.walk_request(&document));
                    look(&mut screen, &walk, &document, &passed)
                });
                looking.await.flatten()
            }
            Err(refusal) => Err(refusal),
        };
        exchange.unseen(gate, screen.unseen);
        if let (Some(capture), Some(matches)) = (&mut exchange.capture, screen.matches.take()) {
            capture.found(matches);
        }
        let silent = |_| Refusal::new(Code::ControlSilent);
        let keeping = screen.keeping.take();
        let settled = screened.and_then(|(body, expected)| {
            let tallied = tally.settle(expected).map_err(silent)?;
            Ok((body, tallied))
        });
        let kept = match (&settled, keeping) {
            (Ok(_), Some(keeping)) => keep(gate, &mut exchange, &cut, &caller.key, keeping).await,
            (Ok(_), None) | (Err(_), _) => Ok(()),
        };
        let settled = kept.and(settled).map(|(body, tallied)| {
            let edited = !is_the_same(&body, document.raw());
            (body, tallied, edited)
        });
        work::let_go(document.raw().len(), document);
        match settled {
            Ok((body, tallied, edited)) => {
                request.sent_bytes = body.len() as u64;
                request.edited = edited;
                exchange.note(gate, Room::Screened, summary(&tallied));
                Ok(Screened::new(
                    exchange, run, caller, request, tallied, tokens, body, passed, query,
                ))
            }
            Err(refusal) => {
                let tallied = tally.so_far();
                Err(Turned::away(
                    gate,
                    exchange,
                    caller,
                    Room::Screened,
                    refusal,
                    Some(request),
                    Some(tallied),
                )
                .await)
            }
        }
    }
}

/// Whether two bodies are equal: to read both takes milliseconds where they are
/// large, and most are one.
fn is_the_same(one: &Bytes, other: &Bytes) -> bool {
    (one.as_ptr(), one.len()) == (other.as_ptr(), other.len()) || one == other
}

impl Exchange {
    /// Notes texts that passed without a whole look.
    fn unseen(&mut self, gate: &Gate, texts: u32) {
        if texts > 0 {
            gate.metrics().unseen(texts);
            self.note(gate, Room::Screened, format!("{texts} texts passed that no control could look through whole, as the policy lets them for a time"));
        }
    }

    /// Asks the operator's service for names about the request, if there is
    /// one; answers the walk too, if that took one.
    async fn named(
        &mut self,
        gate: &Gate,
        document: &Document,
        stream: bool,
        cut: &Cut,
    ) -> Result<(Option<Walk>, Named), Refusal> {
        let ruling = self.ruling.clone();
        if names::in_force(&ruling, self.at_ms).is_none() {
            return Ok((None, Named::default()));
        }
        let bytes = document.raw().len();
        let walking = gate
            .work()
            .on(bytes, cut, || self.dialect.walk_request(document));
        let walk = walking.await?;
        let named = names::ask_request(&ruling, &walk, (stream, self.at_ms), cut).await?;
        if named.unseen > 0 {
            gate.metrics().unseen(named.unseen);
        }
        if let Some(says) = named.note() {
            self.note(gate, Room::Screened, says);
        }
        Ok((Some(walk), named))
    }
}

/// What looks at the request.
fn looking<'a>(
    gate: &Gate,
    exchange: &Exchange,
    ruling: &'a Ruling,
    tally: &'a mut Tally,
    tokens: &'a mut Tokens,
    cut: &'a Cut,
) -> Screen<'a> {
    Screen {
        ruling,
        tally,
        tokens,
        open: ruling.policy().when_down.controls.passes(exchange.at_ms),
        unseen: 0,
        cut,
        matches: exchange.capture.is_some().then(Matches::default),
        named: Named::default(),
        keeping: gate.vault().map(|vault| Keeping::of(vault)),
    }
}

/// Keeps what was redacted for later exchanges, before anything is sent.
async fn keep(
    gate: &Gate,
    exchange: &mut Exchange,
    cut: &Cut,
    key: &KeyId,
    keeping: Keeping,
) -> Result<(), Refusal> {
    let person = exchange.person.clone();
    let person = person.as_ref().map(|name| name.reveal().as_str());
    let keeping = vault::keep(gate, &exchange.ruling, key, person, keeping);
    let kept = tokio::select! {
        biased;
        code = cut.wait() => return Err(Refusal::new(code)),
        kept = keeping => kept?,
    };
    if !kept {
        exchange.note(gate, Room::Screened, UNKEPT);
    }
    Ok(())
}

/// Looks at every text; answers the body to send, and how many bytes of text
/// the walker found.
fn look(
    screen: &mut Screen<'_>,
    walk: &Walk,
    document: &Document,
    passed: &[(HeaderName, String)],
) -> Result<(Bytes, u64), Refusal> {
    screen
        .tally
        .not_inspected(walk.media_bytes, walk.opaque_bytes);
    screen
        .tally
        .unknown(walk.unknown_values, &walk.unknown_places);
    let policy = screen.ruling.policy();
    passage(policy.media, walk.media_places.first(), Code::MediaDenied)?;
    passage(
        policy.opaque,
        walk.opaque_places.first(),
        Code::OpaqueDenied,
    )?;
    let body = screen.document(document, walk)?;
    screen.headers(passed)?;
    if let Some(keeping) = &mut screen.keeping {
        keeping.gather(screen.ruling, screen.tokens);
    }
    let texts = walk
        .leaves
        .iter()
        .map(|leaf| leaf.text.len())
        .chain(passed.iter().map(|(_, value)| value.len()));
    Ok((body, texts.map(|bytes| bytes as u64).sum()))
}

fn passage(rule: Passage, place: Option<&terms::Place>, code: Code) -> Result<(), Refusal> {
    match (rule, place) {
        (Passage::Refuse, Some(place)) => Err(Refusal::new(code).at(place.clone())),
        (Passage::Refuse, None) | (Passage::Count, _) => Ok(()),
    }
}

/// What the controls decided, in fixed words.
pub(super) fn summary(tallied: &policy::Tallied) -> String {
    let lines: Vec<String> = tallied
        .controls
        .iter()
        .map(|run| {
            format!(
                "{} ({}): {}, {} findings in {} bytes",
                run.control, run.mode, run.verdict, run.findings, run.bytes
            )
        })
        .collect();
    if lines.is_empty() {
        "no control is switched on".to_owned()
    } else {
        lines.join("; ")
    }
}
