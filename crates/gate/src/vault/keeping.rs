//! A request's tokens on their way into the vault, before it is sent.

use std::collections::{BTreeMap, BTreeSet};

use detect::{Redaction, redact::Tokens};
use terms::{Code, Direction, Finding, KeyId, Kind, Refusal, Secret};

use super::{Kept, VALUE_BYTES_MAX, Vault, VaultFault, VaultPerson};
use crate::{Gate, Ruling, capture, metrics::VaultDid};

/// Which of a request's tokens are to be kept.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    kinds: BTreeSet<Kind>,
    /// Whether each may be, wherever its value stands.
    tokens: BTreeMap<String, bool>,
    values: Vec<Kept>,
    /// Values that are too long.
    long: u64,
}

impl Keeping {
    /// None yet, of the kinds that a vault keeps.
    pub(crate) fn of(vault: &Vault) -> Self {
        Self::with(vault.rules().kinds.clone())
    }

    pub(in crate::vault) fn with(kinds: BTreeSet<Kind>) -> Self {
        Self {
            kinds,
            ..Self::default()
        }
    }

    /// The values, and how many were too long.
    pub(in crate::vault) fn gathered(self) -> (Vec<Kept>, u64) {
        (self.values, self.long)
    }

    /// A token was issued for what these findings cover together.
    pub(crate) fn issued(&mut self, ruling: &Ruling, token: &str, findings: &[Finding]) {
        let counts = |finding: &&Finding| {
            capture::is_never_kept(&finding.kind)
                || !matches!(
                    ruling.engine().redaction(&finding.detector),
                    Some(Redaction::Fixed(_))
                )
        };
        let may = findings.iter().filter(counts).all(|finding| {
            self.kinds.contains(&finding.kind) && !capture::is_never_kept(&finding.kind)
        });
        // INVARIANT: a value that is part of what is never kept at one place
        // is not kept because it stands alone at another.
        let all = self.tokens.entry(token.to_owned()).or_insert(may);
        *all &= may;
    }

    /// Gathers the values, once all tokens are issued. What is never kept is
    /// looked for once more, in each value alone.
    pub(crate) fn gather(&mut self, ruling: &Ruling, tokens: &Tokens) {
        for (token, may) in std::mem::take(&mut self.tokens) {
            let Some(issued) = tokens.resolve(&token).filter(|_| may) else {
                continue;
            };
            if issued.value().len() > VALUE_BYTES_MAX {
                self.long += 1;
                continue;
            }
            let scan = ruling.never().scan(issued.value(), Direction::Request);
            if scan.findings.is_empty() && !scan.work_exceeded {
                let value = Secret::new(issued.value().to_owned());
                self.values.push(Kept { token, value });
            }
        }
    }
}

/// Keeps what was gathered, before anything is sent; answers whether it is
/// kept, or passes without, as the operator lets it for a time.
///
/// # Errors
/// When it is not kept.
pub(crate) async fn keep(
    gate: &Gate,
    ruling: &Ruling,
    scope: &KeyId,
    person: Option<&str>,
    keeping: Keeping,
) -> Result<bool, Refusal> {
    let Some(vault) = gate.vault() else {
        return Ok(true);
    };
    let metrics = gate.metrics();
    let (values, long) = keeping.gathered();
    metrics.vault(VaultDid::TooLong, long);
    if values.is_empty() {
        return Ok(true);
    }
    let person = person.map_or(VaultPerson::Key(scope), VaultPerson::Named);
    let count = values.len() as u64;
    match vault.keep(scope, person, values).await {
        Ok(new) => {
            metrics.vault(VaultDid::Kept, new);
            Ok(true)
        }
        Err(fault) => {
            let now_ms = gate.clock().now_ms();
            tracing::error!("redacted values cannot be kept in the vault: {fault}");
            if ruling.policy().when_down.vault.passes(now_ms) {
                metrics.vault(VaultDid::Unkept, count);
                return Ok(false);
            }
            metrics.vault(VaultDid::Failed, count);
            Err(Refusal::new(match fault {
                VaultFault::Full(_) => Code::VaultFull,
                VaultFault::Store(_)
                | VaultFault::Key(_)
                | VaultFault::Slow
                | VaultFault::Gone
                | VaultFault::Damaged => Code::VaultDown,
            }))
        }
    }
}
