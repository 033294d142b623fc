//! Who may do what and how much: policies, limits, lock-out, and what a
//! standard's profile demands of them.

use std::{num::NonZeroU32, path::Path};

use policy::permission::Permission;
use policy::{LockoutRule, Policy, RatesPolicy, WhenDown, WithoutIt, permission};
use terms::Durability;
use toml::Spanned;

use super::{Fault, bounded};
use crate::config::raw::{
    RawLockout, RawPermission, RawProfile, RawRates, RawWhenDown, RawWithoutIt,
};

/// PCI DSS 4.0.1, 8.3.4: at most so many failures, at least so long.
const PCI_FAILURES_MAX: u32 = 10;
const PCI_MINUTES: u64 = 30;
/// With how many failed attempts a source is out, and for how long, if its
/// table is there and says nothing else.
const LOCKOUT_FAILURES_MAX: u64 = 10;
const LOCKOUT_MINUTES: u64 = 30;
/// LIMIT: bytes of a policy file.
const POLICIES_BYTES_MAX: u64 = 256 << 10;

pub(super) fn permission(raw: &RawPermission, folder: &Path) -> Result<Permission, Fault> {
    let Some(file) = &raw.policies else {
        return Permission::new(permission::DEFAULT).map_err(|fault| (None, fault.says));
    };
    let path = folder.join(file.get_ref());
    let at = |says: String| (Some(file.span()), says);
    let unreadable =
        |error: std::io::Error| at(format!("the policies cannot be read: {}", error.kind()));
    if std::fs::metadata(&path).map_err(unreadable)?.len() > POLICIES_BYTES_MAX {
        return Err(at("the policies are larger than 256 KiB".to_owned()));
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    Permission::new(&text).map_err(|fault| {
        let place = fault
            .span
            .as_ref()
            .map(|span| crate::config::fault::position(&text, span.start))
            .map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        at(format!("{}{place}: {}", path.display(), fault.says))
    })
}

pub(super) fn rates(raw: &RawRates) -> Result<RatesPolicy, Fault> {
    let base = RatesPolicy::default();
    Ok(RatesPolicy {
        key: raw.key,
        model: raw.model,
        source: raw.source,
        output_tokens_assumed: bounded(
            &raw.output_tokens_assumed,
            base.output_tokens_assumed,
            1,
            10_000_000,
        )?,
    })
}

pub(super) fn lockout(raw: Option<&RawLockout>) -> Result<Option<LockoutRule>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let failures = bounded(&raw.failures_max, LOCKOUT_FAILURES_MAX, 1, 1_000_000)?;
    let minutes = bounded(&raw.minutes, LOCKOUT_MINUTES, 1, 44_640)?;
    let failures_max = u32::try_from(failures)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| (None, "too many failures".to_owned()))?;
    Ok(Some(LockoutRule {
        failures_max,
        time_ms: minutes * 60_000,
    }))
}

/// What is done when something is down. An exception has an end.
pub(super) fn when_down(raw: &RawWhenDown) -> Result<WhenDown, Fault> {
    Ok(WhenDown {
        evidence: without_it(raw.evidence.as_ref(), raw.evidence_until.as_ref())?,
        controls: without_it(raw.controls.as_ref(), raw.controls_until.as_ref())?,
        vault: without_it(raw.vault.as_ref(), raw.vault_until.as_ref())?,
        names: without_it(raw.names.as_ref(), raw.names_until.as_ref())?,
    })
}

fn without_it(
    raw: Option<&Spanned<RawWithoutIt>>,
    until: Option<&Spanned<String>>,
) -> Result<WithoutIt, Fault> {
    match (raw.map(Spanned::get_ref), until) {
        (None | Some(RawWithoutIt::Closed), None) => Ok(WithoutIt::Closed),
        (Some(RawWithoutIt::Open), Some(until)) => Ok(WithoutIt::Open {
            until_ms: super::day(until)?,
        }),
        (Some(RawWithoutIt::Open), None) => {
            let says = "an exception needs an end: write its last day beside it, as `evidence_until = \"2027-01-31\"`";
            Err((raw.map(Spanned::span), says.to_owned()))
        }
        (None | Some(RawWithoutIt::Closed), Some(until)) => {
            let says = "a last day goes with \"open\" only; leave it out";
            Err((Some(until.span()), says.to_owned()))
        }
    }
}

/// Fills in what a profile demands; refuses what falls short of it.
pub(super) fn profile(
    raw: Option<RawProfile>,
    lockout: Option<&RawLockout>,
    durability: Option<&Spanned<Durability>>,
    policy: &mut Policy,
) -> Result<(), Fault> {
    let Some(RawProfile::Pci) = raw else {
        return Ok(());
    };
    if let Some(weaker) = durability.filter(|word| *word.get_ref() == Durability::BeforeReply) {
        let says = "the PCI profile asks for `durability = \"before-dispatch\"`; leave it out";
        return Err((Some(weaker.span()), says.to_owned()));
    }
    policy.durability = Durability::BeforeDispatch;
    if policy.when_down != WhenDown::default() {
        let says = "the PCI profile allows no exception in [when_down]";
        return Err((None, says.to_owned()));
    }
    let rule = policy.lockout.get_or_insert(LockoutRule {
        failures_max: NonZeroU32::new(PCI_FAILURES_MAX).unwrap_or(NonZeroU32::MIN),
        time_ms: PCI_MINUTES * 60_000,
    });
    if rule.failures_max.get() > PCI_FAILURES_MAX {
        let says = format!("the PCI profile allows at most {PCI_FAILURES_MAX} failures");
        return Err((
            lockout.and_then(|raw| raw.failures_max.as_ref().map(Spanned::span)),
            says,
        ));
    }
    if rule.time_ms < PCI_MINUTES * 60_000 {
        let says = format!("the PCI profile asks for at least {PCI_MINUTES} minutes");
        return Err((
            lockout.and_then(|raw| raw.minutes.as_ref().map(Spanned::span)),
            says,
        ));
    }
    Ok(())
}

/// An address that a table listens on, on this machine only.
pub(super) fn admin(
    listen: Option<&Spanned<String>>,
) -> Result<Option<std::net::SocketAddr>, Fault> {
    let Some(text) = listen else { return Ok(None) };
    let address: std::net::SocketAddr = text.get_ref().parse().map_err(|_| {
        let says = "`listen` is an address and a port; write for example \"127.0.0.1:4181\"";
        (Some(text.span()), says.to_owned())
    })?;
    if !address.ip().is_loopback() {
        let says = "what is told there is not for everybody, and nobody is asked who they are; keep a loopback address and put something in front that asks";
        return Err((Some(text.span()), says.to_owned()));
    }
    Ok(Some(address))
}

/// The address of a collector: encrypted beyond this machine.
pub(super) fn collector(address: Option<&Spanned<String>>) -> Result<Option<String>, Fault> {
    let Some(text) = address else { return Ok(None) };
    let uri = text.get_ref().parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let near = host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match uri.as_ref().and_then(http::Uri::scheme_str) {
        Some("https") => Ok(Some(text.get_ref().clone())),
        Some("http") if near => Ok(Some(text.get_ref().clone())),
        _ => {
            let says = "write the collector's address as \"https://collector.example:4318\"; http:// is for this machine only";
            Err((Some(text.span()), says.to_owned()))
        }
    }
}
