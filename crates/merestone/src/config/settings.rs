//! Every setting: its default and what it is for. The commented example that
//! `init` writes and the reference page are made from this table.

use std::fmt::Write as _;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its table in the file, as `gate` or `vendors.NAME`.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its default as TOML, or an example where there is none.
    pub value: &'static str,
    /// Whether the example sets it; otherwise it stands there as a comment.
    pub set: bool,
    /// What it is for.
    pub says: &'static str,
}

const fn setting(
    table: &'static str,
    name: &'static str,
    value: &'static str,
    set: bool,
    says: &'static str,
) -> Setting {
    Setting {
        table,
        name,
        value,
        set,
        says,
    }
}

/// All settings, in the order of the example.
pub const SETTINGS: &[Setting] = &[
    setting(
        "gate",
        "listen",
        "\"127.0.0.1:4180\"",
        true,
        "Where applications connect. Port 0 takes any free port.",
    ),
    setting(
        "gate",
        "state",
        "\"merestone-data\"",
        true,
        "Folder for the ledger, the virtual keys and the control socket; relative to this file.",
    ),
    setting(
        "gate",
        "node",
        "\"node\"",
        false,
        "Name of this node in its log.",
    ),
    setting(
        "gate",
        "listen_beyond_loopback",
        "false",
        false,
        "Allow an address that other machines reach. Keys and prompts then cross the network in the clear, unless something in front encrypts.",
    ),
    setting(
        "vendors.openai",
        "api",
        "\"openai\"",
        true,
        "The API that this vendor speaks: openai or anthropic.",
    ),
    setting(
        "vendors.openai",
        "base_url",
        "\"https://api.openai.com\"",
        true,
        "Where the vendor is. Plain http only for loopback.",
    ),
    setting(
        "vendors.openai",
        "key",
        "\"env:OPENAI_API_KEY\"",
        true,
        "The vendor's own key: env:NAME or file:path, never the key itself.",
    ),
    setting(
        "vendors.openai",
        "prefix",
        "\"/eu\"",
        false,
        "Path in front of the API's own paths at this gate; needed when two vendors speak one API.",
    ),
    setting(
        "vendors.openai",
        "authority",
        "\"ca.pem\"",
        false,
        "A further certificate authority (PEM) for this vendor's TLS.",
    ),
    setting(
        "vendors.anthropic",
        "api",
        "\"anthropic\"",
        true,
        "A second vendor. Leave out the ones you do not use.",
    ),
    setting(
        "vendors.anthropic",
        "base_url",
        "\"https://api.anthropic.com\"",
        true,
        "",
    ),
    setting(
        "vendors.anthropic",
        "key",
        "\"env:ANTHROPIC_API_KEY\"",
        true,
        "",
    ),
    setting(
        "controls.screening",
        "mode",
        "\"enforce\"",
        true,
        "Injection signatures in requests. enforce carries decisions out, shadow only records them (with `until`), off does not look.",
    ),
    setting(
        "controls.screening",
        "until",
        "\"2027-01-31\"",
        false,
        "Last day of a trial in shadow (UTC). After it the control is enforced.",
    ),
    setting(
        "controls.redaction",
        "mode",
        "\"enforce\"",
        true,
        "Sensitive data, both ways: cards, national ids, keys, addresses.",
    ),
    setting(
        "controls.redaction.actions",
        "\"*\"",
        "\"redact\"",
        false,
        "What is done about a finding: allow, flag, redact or block. The name is a detector or *, with @slot for one part of the exchange: \"card@tool-result\" = \"block\". `merestone config explain detectors` lists the detectors.",
    ),
    setting(
        "controls.sanitising",
        "mode",
        "\"enforce\"",
        true,
        "Active markup, and links and images that carry data out, in replies.",
    ),
    setting(
        "controls.leakage",
        "mode",
        "\"enforce\"",
        true,
        "Internal paths and configuration in replies.",
    ),
    setting(
        "restore.tools",
        "send_email",
        "[\"email\"]",
        false,
        "Which kinds of redacted values may be put back into the arguments of which tool. Nothing is, unless it stands here.",
    ),
    setting(
        "inspection",
        "media",
        "\"count\"",
        false,
        "Images and sounds cannot be inspected: count lets them pass and counts their bytes, refuse refuses the request.",
    ),
    setting(
        "inspection",
        "opaque",
        "\"count\"",
        false,
        "The same for values that only the vendor can read.",
    ),
    setting(
        "inspection",
        "remote_features",
        "\"count\"",
        false,
        "The same for features by which the vendor fetches or runs what this gate never sees (web search, files by id, MCP servers).",
    ),
    setting(
        "evidence",
        "durability",
        "\"before-reply\"",
        false,
        "When an exchange's first record must be on disk: before-reply hides the wait behind the vendor's own, before-dispatch lets nothing leave unrecorded.",
    ),
    setting(
        "evidence",
        "free_bytes_min",
        "268435456",
        false,
        "With less free disk space than this, nothing is admitted.",
    ),
    setting(
        "limits",
        "body_bytes_max",
        "33554432",
        false,
        "Largest request body.",
    ),
    setting(
        "limits",
        "reply_bytes_max",
        "33554432",
        false,
        "Largest reply that is not a stream, and largest event of one.",
    ),
    setting(
        "limits",
        "header_bytes_max",
        "16384",
        false,
        "Largest block of request headers; at least 8192.",
    ),
    setting(
        "limits",
        "json_depth_max",
        "64",
        false,
        "Deepest nesting of a JSON document.",
    ),
    setting(
        "limits",
        "json_values_max",
        "200000",
        false,
        "Most values in a JSON document.",
    ),
    setting(
        "limits",
        "held_bytes_max",
        "65536",
        false,
        "Most text that one reply may hold back while it could still become a match.",
    ),
    setting(
        "limits",
        "in_flight_bytes_max",
        "268435456",
        false,
        "Most bytes of bodies in memory at once.",
    ),
    setting(
        "limits",
        "in_flight_max",
        "1024",
        false,
        "Most exchanges at once.",
    ),
    setting(
        "limits",
        "connections_max",
        "4096",
        false,
        "Most connections at once.",
    ),
    setting(
        "limits",
        "header_seconds_max",
        "10",
        false,
        "For the headers of a request to arrive.",
    ),
    setting(
        "limits",
        "body_idle_seconds_max",
        "30",
        false,
        "For the next piece of a request body to arrive.",
    ),
    setting(
        "limits",
        "connect_seconds_max",
        "10",
        false,
        "For a connection to a vendor to be made.",
    ),
    setting(
        "limits",
        "first_byte_seconds_max",
        "600",
        false,
        "For a vendor's first byte.",
    ),
    setting(
        "limits",
        "reply_idle_seconds_max",
        "120",
        false,
        "For the next piece of a vendor's reply.",
    ),
    setting(
        "limits",
        "caller_idle_seconds_max",
        "60",
        false,
        "For a caller to take the next piece of a stream.",
    ),
    setting(
        "limits",
        "shutdown_seconds_max",
        "30",
        false,
        "For running exchanges to end after a stop was asked for.",
    ),
];

/// The commented file that `init` writes.
pub fn example() -> String {
    let mut out = String::from(
        "# merestone.toml: what stands between your applications and the vendors they use.\n# Settings with a # in front show their default. `merestone config check` reads this file,\n# `merestone config explain NAME` tells more.\n",
    );
    let mut table = "";
    for setting in SETTINGS {
        if setting.table != table {
            table = setting.table;
            let _ = write!(out, "\n[{table}]\n");
        }
        if !setting.says.is_empty() {
            let _ = writeln!(out, "# {}", setting.says);
        }
        let mark = if setting.set { "" } else { "# " };
        let _ = writeln!(out, "{mark}{} = {}", setting.name, setting.value);
    }
    out
}

/// The reference page, as Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Settings of `merestone.toml`\n\nGenerated by `merestone config explain --markdown`; a test fails when it differs.\n",
    );
    let mut table = "";
    for setting in SETTINGS {
        if setting.table != table {
            table = setting.table;
            let _ = write!(
                out,
                "\n## `[{table}]`\n\n| setting | default or example | what it is for |\n|---|---|---|\n"
            );
        }
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {} |",
            setting.name, setting.value, setting.says
        );
    }
    out
}

/// The page of refusal codes, as Markdown.
pub fn refusals() -> String {
    let mut out = String::from(
        "# Refusals\n\nGenerated by `merestone config explain refusals --markdown`; a test fails when it differs.\n\nA refusal names its code, its place and its exchange, never the text and not which pattern. `merestone ledger show` with the exchange tells more.\n",
    );
    for code in terms::Code::ALL {
        let _ = write!(
            out,
            "\n## {code}\n\nHTTP {}. {}{}.\n",
            code.status(),
            code.says().get(..1).unwrap_or_default().to_uppercase(),
            code.says().get(1..).unwrap_or_default()
        );
    }
    out
}
