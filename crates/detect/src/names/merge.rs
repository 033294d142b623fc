//! What a model found, among the pieces that the engine cleared.

use std::ops::Range;

use terms::Finding;

use crate::{Held, Segment};

/// A stretch of the text that leaves as one piece.
struct Stretch {
    span: Range<usize>,
    /// `None` for a placeholder.
    findings: Option<Vec<Finding>>,
}

/// The pieces of one whole text, with further findings in it. Findings that
/// overlap are one piece; a placeholder stays what it is, and what a model
/// found is told on both sides of it.
#[must_use]
pub fn merge(segments: Vec<Segment>, further: &[Finding]) -> Vec<Segment> {
    if further.is_empty() {
        return segments;
    }
    let mut text = String::new();
    let mut stretches: Vec<Stretch> = Vec::new();
    for segment in segments {
        let start = text.len();
        let findings = match segment {
            Segment::Plain(part) => {
                text.push_str(&part);
                continue;
            }
            Segment::Found {
                text: part,
                findings,
            } => {
                text.push_str(part.as_str());
                Some(findings)
            }
            Segment::Token(part) => {
                text.push_str(&part);
                None
            }
        };
        let span = start..text.len();
        stretches.push(Stretch { span, findings });
    }
    let tokens: Vec<Range<usize>> = stretches
        .iter()
        .filter(|stretch| stretch.findings.is_none())
        .map(|stretch| stretch.span.clone())
        .collect();
    for finding in further {
        stretches.extend(beside(&finding.span, &tokens, &text).map(|span| Stretch {
            findings: Some(vec![Finding {
                span: span.clone(),
                ..finding.clone()
            }]),
            span,
        }));
    }
    stretches.sort_by_key(|stretch| (stretch.span.start, stretch.span.end));
    written(&text, joined(stretches))
}

/// The parts of a span that lie in no placeholder and hold a letter or digit.
fn beside<'a>(
    span: &Range<usize>,
    tokens: &'a [Range<usize>],
    text: &'a str,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let first = tokens.partition_point(|token| token.end <= span.start);
    let end = span.end.min(text.len());
    let mut at = span.start;
    let mut within = tokens
        .iter()
        .skip(first)
        .take_while(move |token| token.start < end);
    let mut over = false;
    let parts = std::iter::from_fn(move || {
        if over {
            return None;
        }
        let part = match within.next() {
            Some(token) => {
                let part = at..token.start.max(at);
                at = token.end;
                part
            }
            None => {
                over = true;
                at..end.max(at)
            }
        };
        Some(part)
    });
    parts.filter(|part| {
        let part = text.get(part.clone()).unwrap_or_default();
        part.chars().any(char::is_alphanumeric)
    })
}

fn joined(stretches: Vec<Stretch>) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        let over = out
            .last_mut()
            .filter(|last| stretch.span.start < last.span.end);
        // INVARIANT: no stretch with findings overlaps a placeholder.
        match (over, stretch) {
            (Some(last), Stretch { span, findings }) => {
                last.span.end = last.span.end.max(span.end);
                if let (Some(all), Some(findings)) = (&mut last.findings, findings) {
                    all.extend(findings);
                }
            }
            (None, stretch) => out.push(stretch),
        }
    }
    out
}

fn written(text: &str, stretches: Vec<Stretch>) -> Vec<Segment> {
    let part = |span: Range<usize>| text.get(span).unwrap_or_default().to_owned();
    let mut out = Vec::new();
    let mut at = 0;
    for Stretch { span, findings } in stretches {
        if at < span.start {
            out.push(Segment::Plain(part(at..span.start)));
        }
        at = span.end;
        let text = part(span);
        out.push(match findings {
            Some(findings) => Segment::Found {
                text: Held::new(text),
                findings,
            },
            None => Segment::Token(text),
        });
    }
    if at < text.len() {
        out.push(Segment::Plain(part(at..text.len())));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::{Control, DetectorId, Kind, View};

    use super::*;

    fn finding(span: Range<usize>) -> Finding {
        Finding {
            detector: DetectorId::new("person-model"),
            kind: Kind::new("person"),
            control: Control::Redaction,
            span,
            score: 80,
            view: View::Plain,
        }
    }

    fn plain(text: &str) -> Segment {
        Segment::Plain(text.to_owned())
    }

    fn text_of(segment: &Segment) -> &str {
        match segment {
            Segment::Plain(text) | Segment::Token(text) => text,
            Segment::Found { text, .. } => text.as_str(),
        }
    }

    fn seen(segments: &[Segment]) -> Vec<(char, String)> {
        let sort = |segment: &Segment| match segment {
            Segment::Plain(_) => 'p',
            Segment::Token(_) => 't',
            Segment::Found { .. } => 'f',
        };
        let each = segments.iter();
        each.map(|segment| (sort(segment), text_of(segment).to_owned()))
            .collect()
    }

    #[test]
    fn findings_join_and_placeholders_stay() {
        let segments = vec![
            plain("Ada "),
            Segment::Found {
                text: Held::new("a@b.example".to_owned()),
                findings: vec![finding(4..15)],
            },
            plain(" Bob "),
            Segment::Token("TOKEN".to_owned()),
            plain(" Eve"),
        ];
        let merged = merge(segments.clone(), &[finding(0..6), finding(16..29)]);
        let told = |sort, text: &str| (sort, text.to_owned());
        assert_eq!(
            seen(&merged),
            [
                told('f', "Ada a@b.example"),
                told('p', " "),
                told('f', "Bob "),
                told('t', "TOKEN"),
                told('f', " Eve"),
            ]
        );
        assert_eq!(merge(segments.clone(), &[]), segments);
        // What lies in a placeholder alone is none of the model's.
        let merged = merge(segments.clone(), &[finding(21..24), finding(19..21)]);
        assert_eq!(seen(&merged), seen(&merge(segments, &[])).clone());
    }

    fn some() -> impl Strategy<Value = Vec<Segment>> {
        let one = ("[a-z é€]{1,8}", 0_u8..4).prop_map(|(text, sort)| match sort {
            0 => Segment::Token(text),
            1 => Segment::Found {
                text: Held::new(text),
                findings: vec![finding(0..1)],
            },
            _ => Segment::Plain(text),
        });
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_all_that_was_found_is_told(
            segments in some(),
            places in proptest::collection::vec((0_usize..60, 1_usize..9), 0..6),
        ) {
            let text: String = segments.iter().map(text_of).collect();
            let whole = |at: usize| text.floor_char_boundary(at);
            let further: Vec<Finding> = places
                .into_iter()
                .map(|(at, bytes)| finding(whole(at)..whole(at + bytes)))
                .collect();
            let merged = merge(segments.clone(), &further);
            prop_assert_eq!(merged.iter().map(text_of).collect::<String>(), text.clone());
            let spans = |segments: &[Segment]| {
                let mut at = 0;
                let mut spans = Vec::new();
                for segment in segments {
                    let span = at..at + text_of(segment).len();
                    at = span.end;
                    spans.push((span, seen(std::slice::from_ref(segment))[0].0));
                }
                spans
            };
            let (before, after) = (spans(&segments), spans(&merged));
            for (at, char) in text.char_indices() {
                let sort = |spans: &[(Range<usize>, char)]| {
                    spans.iter().find(|(span, _)| span.contains(&at)).unwrap().1
                };
                let spotted = further.iter().any(|each| each.span.contains(&at));
                match sort(&before) {
                    'p' if spotted && char.is_alphanumeric() => prop_assert_eq!(sort(&after), 'f'),
                    'p' if spotted => {}
                    'p' => prop_assert!(sort(&after) == 'p'),
                    same => prop_assert_eq!(sort(&after), same),
                }
            }
        }
    }
}
