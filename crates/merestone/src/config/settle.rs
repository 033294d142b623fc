//! From what is written to what is meant.

mod access;
mod capture;
mod evidence;
mod export;
mod names;
mod tls;
mod vault;
mod vendors;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use detect::{Catalogue, Engine};
use gate::{Limits, NamesAt, ServerTls, Settings, Vendor};
use ipnet::IpNet;
use policy::{ActionTable, ControlPolicy, ControlRule, Passage, Policy, permission::Permission};
use rustls_pki_types::CertificateDer;
use store::PostgresAt;
use terms::{Control, Kind, Mode};
use toml::Spanned;

use super::{
    VendorKeys,
    raw::{
        Raw, RawControl, RawControls, RawGate, RawLimits, RawPassage, RawRestore, RawSecrets,
        RawStore, RawStoreDown,
    },
    secrets::{Sources, Vault},
};

pub use capture::CaptureAt;
pub use evidence::{WitnessAt, Witnessing};
pub use export::{ExportAt, SinkAt};
pub use names::names_url;
pub use vault::VaultAt;

/// A fault: its place in the file, and what to write instead.
pub(super) type Fault = (Option<Range<usize>>, String);

/// LIMIT: bytes of a node's or vendor's name.
const NAME_BYTES_MAX: usize = 64;
/// How long the keys count if they do not at all without the store: a few of
/// the looks that are taken at it.
const KEYS_ALIVE_MS: u64 = 3_000;
/// How long the keys count without the store's word, if nothing else is said.
const KEYS_MINUTES_MAX: u64 = 15;
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
    /// The operator's service for names.
    pub names: Option<NamesAt>,
    /// Where requests may go.
    pub vendors: Vec<Vendor>,
    /// Further certificate authorities.
    pub authorities: Vec<CertificateDer<'static>>,
    /// How callers connect; in the clear without it.
    pub tls: Option<ServerTls>,
    /// Below this much free space nothing is admitted.
    pub free_bytes_min: u64,
    /// Who witnesses the log.
    pub witnessing: Witnessing,
    /// How content is sealed.
    pub capture: CaptureAt,
    /// Which redacted values are kept, if any.
    pub vault: Option<VaultAt>,
    /// Who may do what.
    pub permission: Permission,
    /// Where the admin side listens, if it does.
    pub admin: Option<SocketAddr>,
    /// Where keys are kept.
    pub store: StoreAt,
    /// How long the keys count without the store's word, milliseconds.
    pub keys_age_ms_max: u64,
    /// The collector to which exchanges are told.
    pub telemetry: Option<String>,
    /// Where the ledger's events go.
    pub exports: Vec<ExportAt>,
    /// Whether a changed file is taken up without being told.
    pub watches: bool,
    /// The files that the configuration is made of, besides itself.
    pub watched: Vec<PathBuf>,
}

/// Where keys are kept.
#[derive(Debug, Clone)]
pub enum StoreAt {
    /// In a file of the state folder.
    Embedded,
    /// On a PostgreSQL server, shared with other nodes.
    Postgres(PostgresAt),
    /// On a server whose URL was not fetched.
    Unfetched,
}

pub(super) fn settle(raw: Raw, folder: &Path, keys: VendorKeys<'_>) -> Result<Settled, Fault> {
    let (listen, state, node) = gate(&raw.gate, folder)?;
    let catalogue = Catalogue::embedded()
        .map_err(|fault| (None, format!("the embedded catalogue is broken: {fault}")))?;
    let mut policy = controls(&raw.controls, &catalogue)?;
    policy.restore_in_tools = restore(&raw.restore, &catalogue)?;
    policy.media = passage(raw.inspection.media);
    policy.opaque = passage(raw.inspection.opaque);
    policy.remote_features = passage(raw.inspection.remote_features);
    if let Some(durability) = &raw.evidence.durability {
        policy.durability = *durability.get_ref();
    }
    let vault_kinds = vault::kinds(raw.vault.as_ref(), raw.gate.profile, &catalogue)?;
    let engine = Engine::new(catalogue)
        .map_err(|fault| (None, format!("the embedded catalogue is broken: {fault}")))?;
    let tls = raw.gate.tls.as_ref();
    let tls = match keys {
        // A certificate that is broken on the disk keeps no command from a gate.
        VendorKeys::Leave | VendorKeys::TenantOnly | VendorKeys::Export(_) => None,
        VendorKeys::Fetch => tls.map(|raw| tls::settle(raw, folder)).transpose()?,
    };
    policy.rates = access::rates(&raw.rates)?;
    policy.when_down = access::when_down(&raw.when_down)?;
    policy.lockout = access::lockout(raw.lockout.as_ref())?;
    access::profile(
        raw.gate.profile,
        raw.lockout.as_ref(),
        raw.evidence.durability.as_ref(),
        &mut policy,
    )?;
    let permission = access::permission(&raw.permission, folder)?;
    let watched = watched(&raw, folder);
    let sources = sources(&raw.secrets, folder, export::asks_vault(&raw.export, keys))?;
    let store = store(&raw.store, &sources, keys)?;
    let exports = export::settle(&raw.export, &sources, keys)?;
    let capture = capture::settle(&raw.capture, &raw.vendors, &sources, keys)?;
    let vault = vault::settle(raw.vault.as_ref(), vault_kinds, &sources, keys)?;
    let (vendors, authorities) = vendors::settle(raw.vendors, &sources, keys)?;
    Ok(Settled {
        permission,
        admin: access::admin(raw.admin.listen.as_ref())?,
        store,
        keys_age_ms_max: match raw.when_down.store {
            Some(RawStoreDown::Closed) => KEYS_ALIVE_MS,
            None | Some(RawStoreDown::LastKeys) => {
                bounded(&raw.store.keys_minutes_max, KEYS_MINUTES_MAX, 1, 1_440)? * 60_000
            }
        },
        exports,
        telemetry: access::collector(raw.telemetry.otlp.as_ref())?,
        watches: raw.reload.watch.unwrap_or(true),
        watched,
        settings: Settings {
            listen,
            limits: limits(&raw.limits)?,
            node,
        },
        state,
        policy,
        engine,
        names: names::settle(raw.names.as_ref())?,
        vendors,
        authorities,
        tls,
        free_bytes_min: raw.evidence.free_bytes_min.unwrap_or(FREE_BYTES_MIN),
        witnessing: evidence::witnessing(&raw.evidence)?,
        capture,
        vault,
    })
}

/// The means to fetch secrets. An operator's shell may lack them.
fn sources<'a>(raw: &RawSecrets, folder: &'a Path, asks_vault: bool) -> Result<Sources<'a>, Fault> {
    let mut sources = Sources {
        folder,
        strict: raw.strict,
        vault: None,
    };
    let Some(vault) = &raw.vault else {
        return Ok(sources);
    };
    let authorities = match &vault.authority {
        Some(file) => tls::certificates(file, folder)?,
        None => Vec::new(),
    };
    let at = |says: String| (Some(vault.token.span()), says);
    sources.check(vault.token.get_ref()).map_err(at)?;
    let token = if asks_vault {
        sources.fetch(vault.token.get_ref()).map_err(at)?.text
    } else {
        terms::Secret::new(String::new())
    };
    let made = Vault::new(
        vault.address.get_ref(),
        token,
        vault.namespace.clone(),
        &authorities,
    );
    let made = made.map_err(|says| (Some(vault.address.span()), says))?;
    sources.vault = Some(Arc::new(made));
    Ok(sources)
}

fn store(raw: &RawStore, sources: &Sources<'_>, keys: VendorKeys<'_>) -> Result<StoreAt, Fault> {
    let Some(url) = &raw.url else {
        return Ok(StoreAt::Embedded);
    };
    let at = |says: String| (Some(url.span()), says);
    sources.check(url.get_ref()).map_err(at)?;
    let authorities = match &raw.authority {
        Some(file) => tls::certificates(file, sources.folder)?,
        None => Vec::new(),
    };
    if keys != VendorKeys::Fetch && url.get_ref().starts_with("vault:") {
        // A command asks no vault: it may be the one that hangs.
        return Ok(StoreAt::Unfetched);
    }
    let text = match sources.fetch(url.get_ref()) {
        Ok(fetched) => fetched.text,
        Err(_) if keys != VendorKeys::Fetch => return Ok(StoreAt::Unfetched),
        Err(says) => return Err(at(says)),
    };
    PostgresAt::new(text, authorities)
        .map(StoreAt::Postgres)
        .map_err(|fault| at(fault.to_string()))
}

/// The files that a configuration is made of, besides itself.
fn watched(raw: &Raw, folder: &Path) -> Vec<PathBuf> {
    let tls = raw.gate.tls.as_ref();
    let named = raw
        .permission
        .policies
        .iter()
        .chain(tls.map(|tls| &tls.certificate))
        .chain(tls.map(|tls| &tls.key))
        .chain(tls.and_then(|tls| tls.caller_authority.as_ref()))
        .chain(
            raw.vendors
                .values()
                .filter_map(|vendor| vendor.authority.as_ref()),
        );
    let keys = raw
        .vendors
        .values()
        .map(|vendor| &vendor.key)
        .chain(raw.secrets.vault.as_ref().map(|vault| &vault.token))
        .filter_map(|reference| reference.get_ref().strip_prefix("file:"));
    named
        .map(|file| folder.join(file.get_ref()))
        .chain(keys.map(|file| folder.join(file)))
        .collect()
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
    if !listen.ip().is_loopback() && !raw.listen_beyond_loopback && raw.tls.is_none() {
        let says = "keys and prompts would cross the network in the clear; write a [gate.tls] table, keep a loopback address, or write `listen_beyond_loopback = true` if something in front encrypts";
        return Err((raw.listen.as_ref().map(Spanned::span), says.to_owned()));
    }
    let state = folder.join(raw.state.as_deref().unwrap_or(super::DEFAULT_STATE));
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
        detectors()
            .map(|detector| (detector.id.clone(), detector.default_action))
            .chain(names::actions(control)),
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

/// The end of a day, UTC; or a moment, where a day is too long.
fn day(text: &Spanned<String>) -> Result<u64, Fault> {
    let fault = || {
        (
            Some(text.span()),
            "a day is written as \"2027-01-31\", a moment as \"2027-01-31T12:00:00Z\"".to_owned(),
        )
    };
    if let Ok(moment) = text.get_ref().parse::<jiff::Timestamp>() {
        return u64::try_from(moment.as_millisecond()).map_err(|_| fault());
    }
    // A date with a time and no zone is neither.
    if text.get_ref().len() != "2027-01-31".len() {
        return Err(fault());
    }
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
        connections_per_source_max: size(
            &raw.connections_per_source_max,
            base.connections_per_source_max,
            1_000_000,
        )?,
        connections_per_source_exempt: networks(&raw.connections_per_source_exempt)?,
        header_time: seconds(&raw.header_seconds_max, base.header_time)?,
        body_idle_time: seconds(&raw.body_idle_seconds_max, base.body_idle_time)?,
        body_time: seconds(&raw.body_seconds_max, base.body_time)?,
        body_bytes_per_second_min: bounded(
            &raw.body_bytes_per_second_min,
            base.body_bytes_per_second_min,
            0,
            1 << 20,
        )?,
        connect_time: seconds(&raw.connect_seconds_max, base.connect_time)?,
        first_byte_time: seconds(&raw.first_byte_seconds_max, base.first_byte_time)?,
        reply_idle_time: seconds(&raw.reply_idle_seconds_max, base.reply_idle_time)?,
        caller_idle_time: seconds(&raw.caller_idle_seconds_max, base.caller_idle_time)?,
        shutdown_time: seconds(&raw.shutdown_seconds_max, base.shutdown_time)?,
    })
}

/// Addresses and networks, as `10.0.0.7` and `10.1.0.0/16`.
fn networks(raw: &[Spanned<String>]) -> Result<Vec<IpNet>, Fault> {
    let networks = raw.iter().map(|text| {
        let address = text.get_ref().parse::<std::net::IpAddr>().map(IpNet::from);
        address.or_else(|_| text.get_ref().parse()).map_err(|_| {
            let says = "write an address or a network, as \"10.0.0.7\" or \"10.1.0.0/16\"";
            (Some(text.span()), says.to_owned())
        })
    });
    networks.collect()
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
