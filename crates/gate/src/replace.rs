//! What stands in place of a text that was found.

use detect::{
    Redaction,
    redact::{Spelled, Tokens},
};
use terms::{Code, Finding, Refusal};

use crate::Ruling;

/// The replacement in a request: a token that this exchange can turn back, or
/// the catalogue's fixed text where turning back makes no sense.
pub(crate) fn issue(
    ruling: &Ruling,
    tokens: &mut Tokens,
    findings: &[Finding],
    value: Spelled,
) -> Result<String, Refusal> {
    match chosen(ruling, findings) {
        Chosen::Token(finding) => tokens
            .issue_spelled(&finding.kind, value)
            .map_err(|_| Refusal::new(Code::ScanLimit)),
        Chosen::Fixed(text) => Ok(text),
    }
}

/// The replacement in a reply: of the same form, and never turned back.
pub(crate) fn mask(ruling: &Ruling, tokens: &Tokens, findings: &[Finding], value: &str) -> String {
    match chosen(ruling, findings) {
        Chosen::Token(finding) => tokens.mask(&finding.kind, value),
        Chosen::Fixed(text) => text,
    }
}

enum Chosen<'f> {
    Token(&'f Finding),
    Fixed(String),
}

/// Where findings overlap, sensitive data decides over markup, and the surest
/// finding gives the name.
fn chosen<'f>(ruling: &Ruling, findings: &'f [Finding]) -> Chosen<'f> {
    let engine = ruling.engine();
    let mut fixed = None;
    let mut token: Option<&Finding> = None;
    for finding in findings {
        match engine.redaction(&finding.detector) {
            Some(Redaction::Fixed(text)) => fixed = Some(text.clone()),
            Some(Redaction::Token) | None => {
                if token.is_none_or(|best| best.score < finding.score) {
                    token = Some(finding);
                }
            }
        }
    }
    match (token, fixed) {
        (Some(finding), _) => Chosen::Token(finding),
        (None, fixed) => Chosen::Fixed(fixed.unwrap_or_else(|| "[removed]".to_owned())),
    }
}
