//! House rules that no compiler holds: floors, lengths, dead files, and no
//! text in the repository that looks like a key.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The floor of each crate; a crate imports lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("terms", 0),
    ("wire", 1),
    ("detect", 1),
    ("ledger", 1),
    ("policy", 2),
    ("store", 2),
    ("govern", 3),
    ("export", 3),
    ("gate", 4),
    ("doubles", 5),
    ("merestone", 6),
];
/// One import on the same floor: a key's grant is a term of policy.
const SAME_FLOOR: &[(&str, &str)] = &[("store", "policy")];
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn files(folder: &Path, ending: &str, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir()
            && !matches!(
                name.as_str(),
                "target" | ".git" | "node_modules" | "corpus" | "artifacts" | "__pycache__"
            )
        {
            files(&path, ending, out);
        } else if path.is_file() && name.ends_with(ending) {
            out.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut out = Vec::new();
    files(&root().join("crates"), ".rs", &mut out);
    assert!(out.len() > 100);
    out
}

#[test]
fn crates_import_lower_floors_only() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let floor = floors
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} has no floor"));
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            let Some(other) = floors.get(dependency.as_str()) else {
                continue;
            };
            let allowed =
                other < floor || SAME_FLOOR.contains(&(name.as_str(), dependency.as_str()));
            assert!(
                allowed,
                "{name} (floor {floor}) imports {dependency} (floor {other})"
            );
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), FLOORS.len());
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.len() <= FILE_LINES_MAX,
            "{name} has {} lines",
            lines.len()
        );
        let mut begun: Option<(usize, usize)> = None;
        for (number, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            let is_fn = head.starts_with("fn ")
                || (head.starts_with("pub")
                    || head.starts_with("async ")
                    || head.starts_with("const "))
                    && head.contains("fn ")
                    && head.contains('(');
            if begun.is_none() && is_fn {
                begun = Some((number, indent));
            }
            if let Some((start, depth)) = begun {
                let ended = indent == depth
                    && (*line).trim_end() == format!("{}}}", " ".repeat(depth))
                    || (number == start && head.ends_with('}'))
                    || (indent == depth && head.ends_with(';') && number == start);
                if ended {
                    let length = number - start + 1;
                    if length > FUNCTION_LINES_MAX {
                        long.push(format!("{name}:{}: {length} lines", start + 1));
                    }
                    begun = None;
                }
            }
        }
    }
    assert!(long.is_empty(), "functions too long: {long:#?}");
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let tests =
            path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        assert!(
            tests || text.starts_with("//! "),
            "{} has no first sentence",
            path.display()
        );
    }
}

#[test]
fn no_file_is_dead() {
    for path in sources() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = path.parent().unwrap();
        let roots = ["lib", "main", "build", "mod"];
        if roots.contains(&stem.as_str())
            || (folder.ends_with("tests") || folder.ends_with("benches"))
                && folder.parent().unwrap().join("Cargo.toml").exists()
            || folder.ends_with("bin")
        {
            continue;
        }
        let module = format!("mod {stem};");
        let parent_file = folder.with_extension("rs");
        let declared = [
            folder.join("lib.rs"),
            folder.join("main.rs"),
            folder.join("mod.rs"),
            parent_file,
        ]
        .iter()
        .filter_map(|parent| fs::read_to_string(parent).ok())
        .any(|text| text.contains(&module));
        assert!(declared, "{} is no module of anything", path.display());
    }
}

#[test]
fn nothing_looks_like_a_key() {
    let mut all = Vec::new();
    for ending in [
        ".rs", ".toml", ".md", ".py", ".mjs", ".js", ".sh", ".sql", ".yml",
    ] {
        files(&root(), ending, &mut all);
    }
    let armour = format!("{}BEGIN", "-".repeat(5));
    let signs: &[(&str, usize)] = &[
        ("sk-", 24),
        ("AKIA", 16),
        ("ghp_", 36),
        ("AIza", 35),
        ("xoxb-", 20),
        ("xoxp-", 20),
    ];
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains(&armour),
            "{} holds PEM armour",
            path.display()
        );
        for (sign, length) in signs {
            for (at, _) in text.match_indices(sign) {
                let rest = &text[at + sign.len()..];
                let run = rest
                    .bytes()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                    .count();
                assert!(
                    run < *length,
                    "{} holds what looks like a key ({sign})",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_readme_is_short_and_its_links_lead_somewhere() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(text.lines().count() < 150);
    for (_, rest) in text
        .match_indices("](")
        .map(|(at, _)| ((), &text[at + 2..]))
    {
        let target = rest.split(')').next().unwrap();
        assert!(
            target.starts_with("http") || root().join(target).exists(),
            "README links to {target}"
        );
    }
}
