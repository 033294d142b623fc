//! Log probabilities: only what a plain list of them holds is left to those
//! who join its tokens; everything else in it is a text like any other.

use super::{At, PLACE_BYTES_MAX, Shape, Walker, dot, step};
use crate::{Document, Kind, NodeId};

/// LIMIT: bytes of a number that is taken for a probability.
const LOGPROB_BYTES_MAX: usize = 32;
/// LIMIT: digits before the point of such a number: too few for any detector.
const WHOLE_DIGITS_MAX: usize = 5;
/// The members of an entry.
const MEMBERS: &[&str] = &["token", "logprob", "bytes", "top_logprobs"];

impl Walker {
    /// Visits what is no part of a plain list of log probabilities. A list
    /// may be held back and sent later as it came, so nothing in it is
    /// rewritten; what is no list at all is an unknown value.
    pub(super) fn respelled(&mut self, document: &Document, node: NodeId, at: &At) {
        if document.kind(node) == Kind::Array {
            let around = std::mem::replace(&mut self.fixed, true);
            self.entries(document, node, at, true);
            self.fixed = around;
        } else {
            self.value(document, node, Shape::Unknown, at);
        }
    }

    fn entries(&mut self, document: &Document, list: NodeId, at: &At, outer: bool) {
        for (position, entry) in document.children(list).enumerate() {
            let mut inner = at.clone();
            step(
                &mut inner.place,
                format_args!("[{position}]"),
                PLACE_BYTES_MAX,
            );
            if document.kind(entry) == Kind::Object {
                self.entry(document, entry, &inner, outer);
            } else {
                self.value(document, entry, Shape::Unknown, &inner);
            }
        }
    }

    fn entry(&mut self, document: &Document, entry: NodeId, at: &At, outer: bool) {
        for (position, child) in document.children(entry).enumerate() {
            let Some(key) = document.key(child) else {
                continue;
            };
            let name = document.text(key).unwrap_or_default();
            let known = MEMBERS
                .iter()
                .find(|member| **member == name && (outer || name != "top_logprobs"));
            if known.is_some() && plain(document, child, name) {
                continue;
            }
            let mut inner = at.clone();
            match known {
                Some(member) => step(
                    &mut inner.place,
                    format_args!("{}{member}", dot(&at.place)),
                    PLACE_BYTES_MAX,
                ),
                None => {
                    step(
                        &mut inner.place,
                        format_args!("{}{{{position}}}", dot(&at.place)),
                        PLACE_BYTES_MAX,
                    );
                    self.key(document, key, Shape::Unknown, &inner);
                    inner.keys = at.keys.then(name);
                }
            }
            if known.is_some() && name == "top_logprobs" && document.kind(child) == Kind::Array {
                self.entries(document, child, &inner, false);
            } else {
                self.value(document, child, Shape::Unknown, &inner);
            }
        }
    }
}

/// Whether a member holds what its name says and nothing else. Tokens and
/// bytes are looked at as one text by whoever reads `Logprobs`.
fn plain(document: &Document, value: NodeId, name: &str) -> bool {
    match name {
        "token" => document.kind(value) == Kind::String,
        "logprob" => document.number(value).is_some_and(probability),
        "bytes" => {
            let byte = |node| document.whole(node).is_some_and(|byte| byte <= 255);
            match document.kind(value) {
                Kind::Null => true,
                Kind::Array => document.children(value).all(byte),
                Kind::Object | Kind::String | Kind::Number | Kind::True | Kind::False => false,
            }
        }
        _ => false,
    }
}

/// Whether a number can be the logarithm of a probability: few digits before
/// the point, and no exponent that moves the point to the right.
fn probability(number: &str) -> bool {
    let whole = number.strip_prefix('-').unwrap_or(number);
    let digits = whole.bytes().take_while(u8::is_ascii_digit).count();
    let exponent = number
        .split_once(['e', 'E'])
        .is_none_or(|(_, exponent)| exponent.starts_with('-'));
    number.len() <= LOGPROB_BYTES_MAX && digits <= WHOLE_DIGITS_MAX && exponent
}
