//! From what is written to what is meant.

mod vendors;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use detect::{Catalogue, Engine};
use gate::{Limits, Settings, Vendor};
use policy::{ActionTable, ControlPolicy, ControlRule, Passage, Policy};
use rustls_pki_types::CertificateDer;
use terms::{Control, Kind, Mode};
use toml::Spanned;

use super::{
    VendorKeys,
    raw::{Raw, RawControl, RawControls, RawGate, RawLimits, RawPassage, RawRestore},
};

/// A fault: its place in the file, and what to write instead.
pub(super) type Fault = (Option<Range<usize>>, String);

/// LIMIT: bytes of a node's or vendor's name.
const NAME_BYTES_MAX: usize = 64;
/// The least free space that admits, if nothing else is said.
const FREE_BYTES_MIN: u64 = 256 << 20;

/// Everything that a gate needs to be told.
#[derive(Debug)]
pub struct Settled {
    /// What needs a restart to change.
    pub settings: Settings,
    /// Where ledger, keys and control socket are.
    pub state: PathBuf,
    /// What decides.
    pub policy: Policy,
    /// The detectors.
    pub engine: Engine,
    /// Where requests may go.
    pub vendors: Vec<Vendor>,
    /// Further certificate authorities.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Below this much free space nothing is admitted.
    pub free_bytes_min: u64,
}

pub(super) fn settle(raw: Raw, folder: &Path, keys: VendorKeys) -> Result<Settled, Fault> {
    let (listen, state, node) = gate(&raw.gate, folder)?;
    let catalogue = Catalogue::embedded()
        .map_err(|fault| (None, format!("the embedded catalogue is broken: {fault}")))?;
    let mut policy = controls(&raw.controls, &catalogue)?;
    policy.restore_in_tools = restore(&raw.restore, &catalogue)?;
    policy.media = passage(raw.inspection.media);
    policy.opaque = passage(raw.inspection.opaque);
    policy.remote_features = passage(raw.inspection.remote_features);
    if let Some(durability) = raw.evidence.durability {
        policy.durability = durability;
    }
    let engine = Engine::new(catalogue)
        .map_err(|fault| (None, format!("the embedded catalogue is broken: {fault}")))?;
    let (vendors, authorities) = vendors::settle(raw.vendors, folder, keys)?;
    Ok(Settled {
        settings: Settings {
            listen,
            limits: limits(&raw.limits)?,
            node,
        },
        state,
        policy,
        engine,
        vendors,
        authorities,
        free_bytes_min: raw.evidence.free_bytes_min.unwrap_or(FREE_BYTES_MIN),
    })
}

fn gate(raw: &RawGate, folder: &Path) -> Result<(SocketAddr, PathBuf, String), Fault> {
    let listen = match &raw.listen {
        None => SocketAddr::from(([127, 0, 0, 1], 4180)),
        Some(text) => text.get_ref().parse::<SocketAddr>().map_err(|_| {
            (
                Some(text.span()),
                "`listen` is an address and a port; write for example \"127.0.0.1:4180\""
                    .to_owned(),
            )
        })?,
    };
    if !listen.ip().is_loopback() && !raw.listen_beyond_loopback {
        let says = "keys and prompts would cross the network in the clear; keep a loopback address, or write `listen_beyond_loopback = true` if something in front encrypts";
        return Err((raw.listen.as_ref().map(Spanned::span), says.to_owned()));
    }
    let state = folder.join(raw.state.as_deref().unwrap_or("merestone-data"));
    let node = match &raw.node {
        None => "node".to_owned(),
        Some(text) => name(text, "a node's name")?,
    };
    Ok((listen, state, node))
}

fn name(text: &Spanned<String>, what: &str) -> Result<String, Fault> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = !text.get_ref().is_empty()
        && text.get_ref().len() <= NAME_BYTES_MAX
        && text.get_ref().bytes().all(plain);
    if fits {
        Ok(text.get_ref().clone())
    } else {
        Err((
            Some(text.span()),
            format!("{what} is 1 to {NAME_BYTES_MAX} lower-case letters, digits and hyphens"),
        ))
    }
}

fn controls(raw: &RawControls, catalogue: &Catalogue) -> Result<Policy, Fault> {
    let each = [
        (Control::Screening, &raw.screening),
        (Control::Redaction, &raw.redaction),
        (Control::Sanitising, &raw.sanitising),
        (Control::Leakage, &raw.leakage),
    ];
    let mut controls = BTreeMap::new();
    for (control, raw) in each {
        controls.insert(control, one(control, raw, catalogue)?);
    }
    Policy::new(controls).ok_or_else(|| (None, "a control has no policy".to_owned()))
}

fn one(control: Control, raw: &RawControl, catalogue: &Catalogue) -> Result<ControlPolicy, Fault> {
    let mode = raw
        .mode
        .as_ref()
        .map_or(Mode::Enforce, |mode| *mode.get_ref());
    let rule = match (mode, &raw.until) {
        (Mode::Enforce, None) => ControlRule::Enforce,
        (Mode::Off, None) => ControlRule::Off,
        (Mode::Shadow, Some(until)) => ControlRule::Shadow {
            until_ms: day(until)?,
        },
        (Mode::Shadow, None) => {
            let says = "a trial needs an end: write `until = \"2027-01-31\"`; after that day the control is enforced";
            return Err((raw.mode.as_ref().map(Spanned::span), says.to_owned()));
        }
        (Mode::Enforce | Mode::Off, Some(until)) => {
            return Err((
                Some(until.span()),
                "`until` goes with `mode = \"shadow\"` only; leave it out".to_owned(),
            ));
        }
    };
    let mut actions = default_actions(control, catalogue);
    for (selector, action) in &raw.actions {
        actions
            .choose(selector.get_ref(), *action)
            .map_err(|fault| (Some(selector.span()), fault.to_string()))?;
    }
    Ok(ControlPolicy { rule, actions })
}

/// What the catalogue does about a control's findings.
fn default_actions(control: Control, catalogue: &Catalogue) -> ActionTable {
    let detectors = || {
        let all = catalogue.detectors().iter();
        all.filter(move |detector| detector.control == control)
    };
    let table = ActionTable::new(
        detectors().map(|detector| (detector.id.clone(), detector.default_action)),
    );
    detectors()
        .flat_map(|detector| {
            let slots = detector.slot_actions.iter();
            slots.map(move |(slot, action)| (detector.id.clone(), *slot, *action))
        })
        .fold(table, |table, (id, slot, action)| {
            table.with_slot_default(id, slot, action)
        })
}

/// The end of a day, UTC.
fn day(text: &Spanned<String>) -> Result<u64, Fault> {
    let fault = || {
        (
            Some(text.span()),
            "a day is written as \"2027-01-31\"".to_owned(),
        )
    };
    let date: jiff::civil::Date = text.get_ref().parse().map_err(|_| fault())?;
    let next = date.tomorrow().map_err(|_| fault())?;
    let start = next
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|_| fault())?;
    u64::try_from(start.timestamp().as_millisecond()).map_err(|_| fault())
}

fn restore(
    raw: &RawRestore,
    catalogue: &Catalogue,
) -> Result<BTreeMap<String, BTreeSet<Kind>>, Fault> {
    let known: BTreeSet<&Kind> = catalogue
        .detectors()
        .iter()
        .map(|detector| &detector.kind)
        .collect();
    let mut tools = BTreeMap::new();
    for (tool, kinds) in &raw.tools {
        let mut allowed = BTreeSet::new();
        for kind in kinds {
            let name = Kind::new(kind.get_ref());
            if !known.contains(&name) {
                let list: Vec<&str> = known.iter().map(|kind| kind.as_str()).collect();
                return Err((
                    Some(kind.span()),
                    format!("this is not a kind; known: {}", list.join(", ")),
                ));
            }
            allowed.insert(name);
        }
        tools.insert(tool.clone(), allowed);
    }
    Ok(tools)
}

const fn passage(raw: Option<RawPassage>) -> Passage {
    match raw {
        None | Some(RawPassage::Count) => Passage::Count,
        Some(RawPassage::Refuse) => Passage::Refuse,
    }
}

fn limits(raw: &RawLimits) -> Result<Limits, Fault> {
    let base = Limits::default();
    let seconds = |value: &Option<Spanned<u64>>, default: Duration| {
        bounded(value, default.as_secs(), 1, 86_400).map(Duration::from_secs)
    };
    let size = |value: &Option<Spanned<u64>>, default: usize, most: u64| {
        let default = u64::try_from(default).unwrap_or(u64::MAX);
        bounded(value, default, 1, most).and_then(|size| {
            usize::try_from(size).map_err(|_| (None, "too large for this machine".to_owned()))
        })
    };
    Ok(Limits {
        body_bytes_max: size(&raw.body_bytes_max, base.body_bytes_max, 256 << 20)?,
        reply_bytes_max: size(&raw.reply_bytes_max, base.reply_bytes_max, 256 << 20)?,
        header_bytes_max: size(&raw.header_bytes_max, base.header_bytes_max, 1 << 20)?,
        json_depth_max: size(&raw.json_depth_max, base.json_depth_max, 1_024)?,
        json_values_max: size(&raw.json_values_max, base.json_values_max, 10_000_000)?,
        held_bytes_max: size(&raw.held_bytes_max, base.held_bytes_max, 16 << 20)?,
        in_flight_bytes_max: size(&raw.in_flight_bytes_max, base.in_flight_bytes_max, 64 << 30)?,
        in_flight_max: size(&raw.in_flight_max, base.in_flight_max, 1_000_000)?,
        connections_max: size(&raw.connections_max, base.connections_max, 1_000_000)?,
        header_time: seconds(&raw.header_seconds_max, base.header_time)?,
        body_idle_time: seconds(&raw.body_idle_seconds_max, base.body_idle_time)?,
        connect_time: seconds(&raw.connect_seconds_max, base.connect_time)?,
        first_byte_time: seconds(&raw.first_byte_seconds_max, base.first_byte_time)?,
        reply_idle_time: seconds(&raw.reply_idle_seconds_max, base.reply_idle_time)?,
        caller_idle_time: seconds(&raw.caller_idle_seconds_max, base.caller_idle_time)?,
        shutdown_time: seconds(&raw.shutdown_seconds_max, base.shutdown_time)?,
    })
}

fn bounded(
    value: &Option<Spanned<u64>>,
    default: u64,
    least: u64,
    most: u64,
) -> Result<u64, Fault> {
    match value {
        None => Ok(default),
        Some(value) if (least..=most).contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => Err((
            Some(value.span()),
            format!("write a number from {least} to {most}"),
        )),
    }
}
