use std::{collections::BTreeSet, path::Path};

use super::{VendorKeys, example, reference, refusals, settings};

fn settle(path: &Path, text: &str) -> Result<super::Settled, super::ConfigFault> {
    super::settle(path, text, VendorKeys::Fetch)
}

fn config(lines: &str) -> String {
    // PATH is a variable that every test machine has; its value is no key,
    // so a file stands in for one.
    format!(
        "[gate]\n[vendors.openai]\napi = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\nkey = \"file:key\"\n{lines}"
    )
}

fn fault(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "fake-key\n").unwrap();
    let path = folder.path().join("m.toml");
    let fault = settle(&path, text).unwrap_err().to_string();
    fault.replace(&path.display().to_string(), "m.toml")
}

#[test]
fn a_small_file_settles() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "fake-key\n").unwrap();
    let settled = settle(&folder.path().join("m.toml"), &config("")).unwrap();
    assert_eq!(settled.settings.listen.to_string(), "127.0.0.1:4180");
    assert_eq!(settled.vendors[0].key.reveal(), "fake-key");
}

#[test]
fn faults_name_line_column_and_what_to_write() {
    let cases = [
        (
            "[controls.redaction]\nmodee = \"enforce\"",
            "m.toml:7:1: ",
            "expected one of",
        ),
        (
            "[controls.redaction]\nmode = \"enforc\"",
            "m.toml:7:8: ",
            "enforce",
        ),
        (
            "[controls.redaction]\nmode = \"shadow\"",
            "m.toml:7:8: ",
            "until",
        ),
        (
            "[controls.redaction]\nmode = \"shadow\"\nuntil = \"soon\"",
            "m.toml:8:9: ",
            "2027-01-31",
        ),
        (
            "[controls.redaction.actions]\ncrad = \"block\"",
            "m.toml:7:1: ",
            "not a detector",
        ),
        (
            "[controls.redaction.actions]\n\"card@trun\" = \"block\"",
            "m.toml:7:1: ",
            "not a slot",
        ),
        ("[limits]\nbody_bytes_max = 0", "m.toml:7:18: ", "from 1"),
        (
            "[restore.tools]\nmail = [\"emial\"]",
            "m.toml:7:9: ",
            "not a kind",
        ),
        (
            "[vendors.two]\napi = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\nkey = \"file:key\"",
            "m.toml:6:10: ",
            "prefix",
        ),
    ];
    for (lines, place, help) in cases {
        let fault = fault(&config(lines));
        assert!(
            fault.starts_with(place) && fault.contains(help),
            "{lines}\n{fault}"
        );
    }
}

#[test]
fn a_vendor_key_that_any_reply_could_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    std::fs::write(folder.path().join("key"), "sevenby\n").unwrap();
    let fault = settle(&path, &config("")).unwrap_err().to_string();
    assert!(fault.contains(":5:7: ") && fault.contains("fewer than 8 bytes"));
    assert!(fault.contains("replies are searched") && !fault.contains("sevenby"));
    std::fs::write(folder.path().join("key"), "eight-by\n").unwrap();
    settle(&path, &config("")).unwrap();
}

#[test]
fn a_lockout_has_the_defaults_that_the_example_shows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "fake-key\n").unwrap();
    let rule = |lines: &str| {
        let settled = settle(&folder.path().join("m.toml"), &config(lines)).unwrap();
        let rule = settled.policy.lockout;
        rule.map(|rule| (rule.failures_max.get(), rule.time_ms / 60_000))
    };
    assert_eq!(rule(""), None);
    assert_eq!(rule("[lockout]"), Some((10, 30)));
    assert_eq!(rule("[lockout]\nfailures_max = 4"), Some((4, 30)));
    assert_eq!(rule("[lockout]\nminutes = 5"), Some((10, 5)));
    for (name, shown) in [("failures_max", "10"), ("minutes", "30")] {
        let setting = settings()
            .find(|setting| setting.table == "lockout" && setting.name == name)
            .unwrap();
        assert_eq!(setting.value, shown);
    }
}

#[test]
fn a_vendor_key_in_the_file_is_refused_and_never_quoted() {
    for bad in [
        "s3cr3t-value-1",
        "env:s3cr3t-value-1",
        "file:missing-s3cr3t",
    ] {
        let fault = fault(&config("").replace("file:key", bad));
        assert!(
            fault.starts_with("m.toml:5:7: ") && !fault.contains("s3cr3t"),
            "{fault}"
        );
    }
    let fault = fault(&config("[limits]\nbody_bytes_max = \"s3cr3t\""));
    assert!(!fault.contains("s3cr3t"), "{fault}");
}

#[test]
fn a_name_that_could_be_a_key_is_not_repeated() {
    let mut filler = detect::template::Filler::new(20);
    for template in [
        "AKIA{base32:16}",
        "gh{alnum:38}",
        "{alnum:32}",
        "{hex:32}",
        "{luhn:4:16}",
    ] {
        let key = filler.fill(template);
        for lines in [
            format!("[limits]\n{key} = 1"),
            format!("[limits]\n\"a`, expected {key}\" = 1"),
            format!("[{key}]\nname = 1"),
            format!("[controls.redaction]\nmode = \"{key}\""),
            format!("[controls.redaction]\nmode = \"a`, expected {key}\""),
            format!("[controls.redaction.actions]\n{key} = \"block\""),
            format!("[controls.redaction.actions]\n\"card@{key}\" = \"block\""),
            format!("[limits]\nbody_bytes_max = \"a\\\"{key}\""),
            format!("[evidence]\ndurability = \"{key}\""),
        ] {
            let fault = fault(&config(&lines));
            assert!(!fault.contains(&key), "{template}: {fault}");
        }
    }
    let number = filler.fill("7{digits:12}");
    let says = fault(&config("").replace("\"openai\"", &number));
    assert!(
        says.contains("a number, expected") && !says.contains(&number),
        "{says}"
    );
    let says = fault(&config("[limits]\nbody_bites_max = 1"));
    assert!(
        says.starts_with("m.toml:7:1: unknown field `body_bites_max`, expected one of"),
        "{says}"
    );
    let says = fault(&config("[controls.redaction.actions]\ncrad = \"block\""));
    assert!(
        says.contains(": `crad` is not a detector of this control; "),
        "{says}"
    );
}

#[test]
fn nothing_crosses_a_network_in_the_clear_unasked() {
    let text = config("").replace("http://127.0.0.1:1", "http://vendor.example");
    assert!(fault(&text).contains("https://"));
    let text = config("").replace("[gate]", "[gate]\nlisten = \"0.0.0.0:4180\"");
    assert!(fault(&text).contains("listen_beyond_loopback"));
}

#[test]
fn the_example_settles_and_the_reference_page_is_current() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "fake-key").unwrap();
    std::fs::write(folder.path().join("vault.key"), "00".repeat(32)).unwrap();
    let plain = example()
        .replace("env:OPENAI_API_KEY", "file:key")
        .replace("env:ANTHROPIC_API_KEY", "file:key");
    settle(&folder.path().join("m.toml"), &plain).unwrap();
    // With every comment taken off, every setting of the table is one that the
    // parser knows, and its default one that settles.
    let mut whole = true;
    let all: String = plain
        .lines()
        .map(|line| {
            if line.contains('[') && line.ends_with(']') && !line.contains('=') {
                // These name files and a server that are not here; of the last,
                // no destination has all settings.
                whole = !matches!(line, "# [gate.tls]" | "# [secrets.vault]" | "# [[export]]");
            }
            let known = |rest: &&str| {
                rest.starts_with('[')
                    || settings().any(|s| rest.starts_with(&format!("{} = ", s.name)))
            };
            line.strip_prefix("# ")
                .filter(|_| whole)
                .filter(known)
                .unwrap_or(line)
        })
        .filter(|line| {
            !line.starts_with("prefix")
                && !line.starts_with("authority")
                && !line.starts_with("until")
                && !line.contains("_until = ")
                // It demands what the defaults do not.
                && !line.starts_with("profile")
                // These name files or variables that are not here.
                && !["policies = ", "url = \"file:", "tenant_key = "]
                    .iter()
                    .any(|name| line.starts_with(name))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    settle(&folder.path().join("m.toml"), &all).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/settings.md");
    assert_eq!(
        std::fs::read_to_string(page).unwrap_or_default(),
        reference(),
        "run: merestone config explain --markdown > docs/guide/settings.md"
    );
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/refusals.md");
    assert_eq!(
        std::fs::read_to_string(page).unwrap_or_default(),
        refusals(),
        "run: merestone config explain refusals --markdown > docs/guide/refusals.md"
    );
}

/// Every destination, with all settings that mean something for it and need no
/// file.
const EXPORTS: [(&str, &str); 7] = [
    ("file", "path = \"events.jsonl\"\nformat = \"record\""),
    ("stdout", "format = \"cef\""),
    (
        "syslog",
        "url = \"tls://siem.example:6514\"\nformat = \"ocsf\"",
    ),
    (
        "splunk",
        "url = \"https://siem.example:8088\"\ntoken = \"file:key\"\nindex = \"ai\"\nacknowledged = false",
    ),
    (
        "elastic",
        "url = \"http://127.0.0.1:9200\"\ntoken = \"file:key\"\nindex = \"ai-gate\"",
    ),
    (
        "otlp",
        "url = \"https://siem.example:4318\"\ntoken = \"file:key\"",
    ),
    (
        "nats",
        "url = \"tls://siem.example:4222\"\nsubject = \"a.b\"\nformat = \"ocsf\"\ntoken = \"file:key\"",
    ),
];

#[test]
fn each_destination_settles_with_its_settings_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "fake-key").unwrap();
    let path = folder.path().join("m.toml");
    let common = "begin = \"now\"\nbatch_entries_max = 9\nlag_minutes_max = 2";
    for (to, lines) in EXPORTS {
        let table = format!("[[export]]\nname = \"x\"\nto = \"{to}\"\n{lines}\n{common}");
        let settled = settle(&path, &config(&table)).unwrap();
        assert_eq!(settled.exports[0].sink.word(), to);
        assert_eq!(settled.exports[0].limits.batch_entries_max, 9);
        assert_eq!(settled.exports[0].lag_ms_max, 120_000);
        let twice = config(&format!("{table}\n{table}"));
        assert!(fault(&twice).contains("two exports have this name"));
        // What another destination has and this one does not.
        let own: Vec<&str> = lines
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        let others = EXPORTS.iter().flat_map(|(_, lines)| lines.lines());
        for line in others.filter(|line| !own.contains(&line.split(' ').next().unwrap())) {
            assert!(
                settle(&path, &config(&format!("{table}\n{line}"))).is_err(),
                "{to}: {line}"
            );
        }
    }
}

#[test]
fn every_setting_of_the_parser_stands_in_the_table() {
    let raw = include_str!("raw.rs");
    let known: BTreeSet<&str> = settings()
        .flat_map(|s| {
            let table = s.table.trim_matches(['[', ']']);
            table.split('.').chain([s.name])
        })
        .collect();
    for line in raw
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub(super) "))
    {
        let Some((name, _)) = line.split_once(':') else {
            continue;
        };
        assert!(
            known.contains(name),
            "`{name}` is missing among the settings"
        );
    }
}
