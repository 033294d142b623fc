//! Everything about one row, for a person who wants to know why.

use crate::{Proof, RowView};

/// One row as text, wrapped to this many columns.
#[must_use]
pub fn explain(view: &RowView<'_>, width: u16) -> String {
    let (row, state) = (view.row(), view.state());
    let mut page = Page {
        text: String::new(),
        width: usize::from(width.max(40)),
    };
    page.line(&format!("Row {}: {}", row.id, row.title));
    page.entry("duty", &row.statement);
    page.entry("owner, layer", &format!("{}, {}", row.owner, row.layer));
    page.entry(
        "guide",
        &format!("line {}, {}", row.guide_line, row.section),
    );
    page.entry(
        "state",
        &format!("{} (grade {})", state.state(), state.grade()),
    );
    page.entry("reason", state.reason());
    page.entry(
        "population",
        &format!("{} in the window {}", state.population(), state.window()),
    );
    page.entry("traffic share", state.coverage().traffic_share);
    for note in &state.coverage().notes {
        page.entry("note", note);
    }
    page.entry("evidence", &evidence(view));
    page.entry(
        "query",
        row.proof
            .map_or("none yet; no computation reaches this row", Proof::query),
    );
    for missing in state.missing() {
        page.entry("missing", missing);
    }
    for one in row.references.chunk_by(|a, b| a.framework == b.framework) {
        let ids: Vec<&str> = one.iter().map(|reference| reference.id.as_str()).collect();
        if let Some(first) = one.first() {
            page.entry(
                "serves",
                &format!("{}: {}", first.framework, ids.join(", ")),
            );
        }
    }
    if let Some(note) = &row.guide {
        page.entry("the guide says", &note.cites);
        page.entry("correct is", &note.correct);
        page.entry("why", &note.why);
    }
    page.text
}

fn evidence(view: &RowView<'_>) -> String {
    let evidence = view.state().evidence();
    let (Some(first), Some(last)) = (evidence.first, evidence.last) else {
        return "none".to_owned();
    };
    let mut text = format!("ledger entries {first} to {last}");
    if let Some(config) = evidence.config {
        text.push_str(&format!(", configuration at {config}"));
    }
    for (control, sequence) in &evidence.canaries {
        text.push_str(&format!(", canary of {control} at {sequence}"));
    }
    text
}

impl Proof {
    /// What the computation asks of the ledger, in words.
    #[must_use]
    pub const fn query(self) -> &'static str {
        match self {
            Self::PlatformObserved => {
                "`closed` entries of the window with a status: status, authentication, TLS and rate-limit headers as recorded"
            }
            Self::ApplicationControls => {
                "the queries of rows 22, 25, 23 and 58 together, and every `admitted` entry names a key with a `key-created` event, no earlier `key-revoked` and no earlier expiry"
            }
            Self::ScreeningRequests => {
                "each `admitted` entry of the window under the configuration in force has a line for screening with mode `enforce`, looking at all inspected bytes and more than none; the newest `config-loaded` says `enforce`, and `redact` or `block` at the least for every kind; no finding was allowed by the policy; the newest `canary-shown` for that policy says caught"
            }
            Self::SanitisingReplies => {
                "each `closed` entry that delivered a reply to an exchange of the window under the configuration in force has such a line for sanitising; the newest `config-loaded` says `enforce`, and `redact` or `block` at the least for every kind; no finding was allowed by the policy; the newest `canary-shown` for that policy says caught"
            }
            Self::ScreeningAndSanitising => "the queries of rows 22 and 23 together",
            Self::RedactionRequests => {
                "each `admitted` entry of the window under the configuration in force has a line for redaction with mode `enforce`, looking at all inspected bytes and more than none; no dialect carries training data; the newest `config-loaded` says `enforce`, and `redact` or `block` at the least for every kind; no finding was allowed by the policy; the newest `canary-shown` for that policy says caught"
            }
            Self::RedactionByKind => {
                "as row 25, for the kinds card, key and ssn only and for every dialect, with the findings of `admitted` and `refused` entries counted by kind"
            }
            Self::LeakageReplies => {
                "each `closed` entry that delivered a reply to an exchange of the window under the configuration in force has a line for leakage with mode `enforce`, looking at all inspected bytes and more than none; the newest `config-loaded` says `enforce`, and `redact` or `block` at the least for every kind that the catalogue stops; no finding was allowed by the policy; the newest `canary-shown` for that policy says caught"
            }
            Self::KeyGrants => {
                "each `admitted` entry of the window names a key with a `key-created` event, no earlier `key-revoked` and no earlier expiry; some of them name a key that is limited to vendors or models and still in force, or a `refused` entry says MS-ADMIT-001 or MS-ADMIT-002: these are the population"
            }
            Self::VendorAuthentication => {
                "`closed` entries of the window in which the vendor answered 2xx to our credential, or 401 or 403"
            }
            Self::VendorRateLimits => {
                "`closed` entries of the window with rate-limit headers or status 429"
            }
            Self::VendorFilter => {
                "`closed` entries of the window whose finish reason or error is that of the vendor's own filter"
            }
        }
    }
}

/// LIMIT: columns of the names on the left.
const NAME_COLUMNS: usize = 16;

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn entry(&mut self, name: &str, value: &str) {
        let mut line = format!("  {name:<NAME_COLUMNS$}");
        let indent = line.chars().count();
        let mut used = indent;
        for word in value.split_whitespace() {
            let columns = word.chars().count();
            if used > indent && used + 1 + columns > self.width {
                self.line(line.trim_end());
                line = " ".repeat(indent);
                used = indent;
            }
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += columns;
        }
        self.line(line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use crate::{Facts, Matrix, Window, state::utc};

    #[test]
    fn a_row_with_a_wrong_citation_says_all_three_things() {
        let matrix = Matrix::embedded().unwrap();
        let states = matrix.compute(&Facts::new(1_795_457_700_000, Window::default()));
        let text = matrix.explain(63, &states, 72).unwrap();
        for part in [
            "the guide says",
            "correct is",
            "why",
            "12.8.1",
            "gap (grade none)",
            "unknown: traffic past the gate",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(&utc(1_795_457_700_000)), "{text}");
        assert!(
            joined.contains("serves PCI DSS 4.0.1: 3.2.1, 3.5.1,"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 72),
            "{text}"
        );
        assert_eq!(matrix.explain(84, &states, 72), None);
    }
}
