//! Validators: what a pattern alone cannot tell.

mod address;
mod americas;
mod asia;
mod bank;
mod card;
mod config;
mod crypto;
mod cue;
mod digits;
mod east;
mod glued;
mod health;
mod link;
mod login;
mod markup;
mod named;
mod net;
mod north;
mod number;
mod pacific;
mod payment;
mod phone;
mod setting;
mod value;
mod vehicle;
mod west;

use std::ops::Range;

use serde::Deserialize;

pub(crate) use card::luhn;
pub(crate) use crypto::checksummed;
pub use number::Number;

/// Bytes of a match in which digits are counted before it is tried.
pub(crate) const DIGITS_WITHIN_BYTES: usize = 64;

/// The part of a match that is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Valid {
    /// Where it ends in the text.
    pub(crate) end: usize,
    /// How far the text was looked at: more text behind an open end may
    /// change the answer.
    pub(crate) looked: usize,
}

/// A check of a match. Where a shorter text is the true match (a card followed
/// by its expiry), the length of that is the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validator {
    /// The pattern is enough.
    #[default]
    None,
    /// A payment card: brand by first digits, length of the brand, Luhn, and
    /// no part of a longer number.
    Card,
    /// A US social security number: no area, group or serial that is never given.
    Ssn,
    /// An IBAN: length of the country, mod 97.
    Iban,
    /// A telephone number: a country and a length that it has, or ten digits.
    Phone,
    /// A telephone number that a word before or behind it names.
    PhoneNamed,
    /// A mailbox at a domain that can exist.
    Email,
    /// A public IPv4 address, and no version.
    Ipv4,
    /// Any IPv4 address of one host, and no version.
    Ipv4Any,
    /// An IPv6 address of one host.
    Ipv6,
    /// A hardware address of one device.
    Mac,
    /// A person's name behind a phrase or a title.
    Person,
    /// A day that a phrase names as a birthday.
    Birth,
    /// A street, and not the one that licences print.
    Street,
    /// A US state and ZIP code behind a place.
    UsZip,
    /// A postal code that a word names.
    PostCode,
    /// The code on a card's back, by a word right before it.
    CardCode,
    /// The code on a card's back, behind the card and its month.
    CardCodeInTriple,
    /// The last month of a card, behind a word or the card.
    CardExpiry,
    /// A secret: enough different characters.
    Entropy,
    /// Likewise, and where a word runs into it no hash with a name before it.
    Key,
    /// A JSON web token: its header is a JSON object that names an algorithm
    /// (RFC 7515, section 4.1.1).
    Jwt,
    /// A setting whose value is a secret, and no expression or placeholder.
    Config,
    /// A password: the value of a setting that is named as one. The name is
    /// part of the match, the value alone is the secret.
    Password,
    /// Likewise a key, token or secret that chance made.
    Secret,
    /// Likewise a value that a hyphen, a blank or a full stop joins to its name.
    Glued,
    /// A key behind a prefix with underscores: its last part is random.
    Prefixed,
    /// Likewise the password of `scheme://name:password@host`.
    Address,
    /// Likewise the last argument of a command.
    Argument,
    /// Likewise the password of `name:password` as the last argument.
    Pair,
    /// Likewise the credentials of `Basic ...` (RFC 7617).
    Basic,
    /// Likewise the credentials behind the scheme of a header (RFC 6750).
    Token,
    /// A random value behind a word that says that it is secret.
    Named,
    /// A link with a value that is no word, or with a token of ours.
    Link,
    /// A tag, and no parameter of a type.
    Tag,
    /// An image, and no code that negates a list.
    Image,
    /// A number with a rule of its own, and no part of a longer one.
    #[serde(untagged)]
    Number(Number),
}

impl Validator {
    /// The part of the match at `span` that is valid, if any is.
    pub(crate) fn accept(self, text: &str, span: &Range<usize>) -> Option<Valid> {
        let found = text.get(span.clone())?;
        let length = match self {
            Self::Card => return card::valid(text, span),
            Self::Image => return markup::image(text, span),
            Self::None => Some(found.len()),
            Self::Ssn => {
                return (ssn(found) && !behind_flat(text, span))
                    .then(|| no_part(text, span))
                    .flatten();
            }
            Self::Iban => iban(found),
            Self::Phone => return phone::valid(text, span),
            Self::PhoneNamed => return phone::named(text, span),
            Self::Email => return net::email(text, span),
            Self::Ipv4 => return net::ipv4(text, span),
            Self::Ipv4Any => return net::ipv4_any(text, span),
            Self::Ipv6 => return net::ipv6(text, span),
            Self::Mac => return net::mac(text, span),
            Self::Person => cue::person(text, span).then_some(found.len()),
            Self::Birth => return cue::birth(text, span),
            Self::Street => address::street(found),
            Self::UsZip => return address::us_zip(text, span),
            Self::PostCode => return address::post_code(text, span),
            Self::CardCode => return payment::code(text, span),
            Self::CardCodeInTriple => return payment::code_in_triple(text, span),
            Self::CardExpiry => return payment::expiry(text, span),
            Self::Number(number) => {
                return number.fits(found).then(|| alone(text, span)).flatten();
            }
            Self::Entropy => varied(found).then_some(found.len()),
            Self::Key => key(text, span).then_some(found.len()),
            Self::Jwt => jwt(found).then_some(found.len()),
            Self::Password
            | Self::Secret
            | Self::Glued
            | Self::Address
            | Self::Argument
            | Self::Pair
            | Self::Token
            | Self::Basic => self.value(text, span).map(|value| value.end - span.start),
            Self::Prefixed => glued::prefixed(found).then_some(found.len()),
            Self::Named => named::is_named(text, span).then_some(found.len()),
            Self::Config => config::holds_secret(text, span).then_some(found.len()),
            Self::Link => link::carries_data(found).then_some(found.len()),
            Self::Tag => markup::is_tag(text, span).then_some(found.len()),
        };
        let end = span.start + length?;
        Some(Valid { end, looked: end })
    }

    /// Digits that each valid match has in its first [`DIGITS_WITHIN_BYTES`], at
    /// least, where its pattern does not say so.
    pub(crate) const fn digits_min(self) -> usize {
        match self {
            Self::PhoneNamed => phone::LOCAL_DIGITS_MIN,
            _ => 0,
        }
    }

    /// Where the secret begins in a match that has its name before it: the
    /// name stays as it is.
    pub(crate) fn value_start(self, text: &str, span: &Range<usize>) -> usize {
        self.value(text, span)
            .map_or(span.start, |value| value.start)
    }

    /// Whether a match for a secret, or what stands last in it, reads as a word
    /// that people write where one is to be filled in, or is too dull for one.
    pub(crate) fn is_placeholder(self, text: &str, span: &Range<usize>) -> bool {
        let secret = matches!(
            self,
            Self::Password
                | Self::Secret
                | Self::Glued
                | Self::Address
                | Self::Argument
                | Self::Pair
                | Self::Token
                | Self::Basic
                | Self::Entropy
                | Self::Key
                | Self::Config
        );
        let found = text.get(span.clone()).unwrap_or_default();
        let parts = |char: char| char.is_whitespace() || "=:\"'`".contains(char);
        let last = found.rsplit(parts).find(|part| !part.is_empty());
        secret && (value::placeholder(found) || last.is_some_and(value::placeholder))
    }

    /// The value behind a name, for the validators that take a match apart.
    fn value(self, text: &str, span: &Range<usize>) -> Option<Range<usize>> {
        match self {
            Self::Password => setting::password(text, span),
            Self::Secret => setting::key(text, span),
            Self::Glued => glued::value(text, span),
            Self::Address => login::address(text, span),
            Self::Argument => login::argument(text, span),
            Self::Pair => login::pair(text, span),
            Self::Token => login::token(text, span),
            Self::Basic => login::basic(text, span),
            Self::None
            | Self::Card
            | Self::Ssn
            | Self::Iban
            | Self::Phone
            | Self::Entropy
            | Self::Key
            | Self::Jwt
            | Self::Config
            | Self::Named
            | Self::Prefixed
            | Self::Link
            | Self::Tag
            | Self::Image
            | Self::PhoneNamed
            | Self::Email
            | Self::Ipv4
            | Self::Ipv4Any
            | Self::Ipv6
            | Self::Mac
            | Self::Person
            | Self::Birth
            | Self::Street
            | Self::UsZip
            | Self::PostCode
            | Self::CardCode
            | Self::CardCodeInTriple
            | Self::CardExpiry
            | Self::Number(_) => None,
        }
    }
}

/// What stands before a place on its line, without blanks at the ends; `None`
/// if that is much. Blanks are read however many: no two matches share them.
fn line_before(text: &str, start: usize) -> Option<&str> {
    /// LIMIT: bytes that are looked at: nobody asks for a longer one.
    const LINE_BYTES_MAX: usize = 64;
    let blank = [' ', '\t'];
    let before = text.get(..start)?.trim_end_matches(blank);
    let mut from = before.len().saturating_sub(LINE_BYTES_MAX);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = before.get(from..)?;
    if let Some(end) = near.rfind('\n') {
        return near.get(end + 1..).map(str::trim_start);
    }
    let word = near.trim_start_matches(blank);
    let indent = before.get(..before.len() - word.len())?;
    let indent = indent.trim_end_matches(blank);
    (indent.is_empty() || indent.ends_with('\n')).then_some(word)
}

fn ssn(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| {
        digits
            .get(from..to)
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let (area, group, serial) = (part(0, 3), part(3, 5), part(5, 9));
    // Numbers that were printed in advertisements (SSA).
    let printed = matches!(digits.as_str(), "078051120" | "219099999");
    !printed
        && digits.len() == 9
        && area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
}

/// Whether a number in groups begins with that of a flat: `Suite 123 45 6789 …`.
fn behind_flat(text: &str, span: &Range<usize>) -> bool {
    const WORDS: &[&str] = &["suite", "apt", "unit", "flat", "room", "floor", "box"];
    let before = text.get(..span.start).unwrap_or_default();
    let word = before.trim_end_matches([' ', '.', '#']);
    WORDS.iter().any(|known| {
        let from = word.len().checked_sub(known.len());
        from.and_then(|from| word.get(from..))
            .is_some_and(|last| last.eq_ignore_ascii_case(known))
    })
}

/// A number with dots in it that is no part of a longer one, as the names of
/// objects and versions are.
fn no_part(text: &str, span: &Range<usize>) -> Option<Valid> {
    let before = text.as_bytes().get(..span.start)?;
    let after = text.as_bytes().get(span.end..)?;
    let found = text.get(span.clone())?;
    if !found.contains('.') {
        return Some(Valid {
            end: span.end,
            looked: span.end,
        });
    }
    let inside = matches!(before, [.., digit, b'.'] if digit.is_ascii_digit())
        || matches!(after, [b'.', digit, ..] if digit.is_ascii_digit());
    (!inside).then(|| Valid {
        end: span.end,
        looked: span.end + usize::from(after.first() == Some(&b'.')),
    })
}

/// Length of an IBAN by country (the SWIFT registry).
pub(crate) fn iban_length(country: &str) -> Option<usize> {
    const LENGTHS: &[(usize, &str)] = &[
        (15, "NO"),
        (16, "BE"),
        (18, "DK FI FK FO GL NL SD"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU MN XK"),
        (21, "CH HR LI LV"),
        (22, "BG BH CR DE GB GE IE ME RS VA"),
        (23, "AE GI IL IQ OM SO TL"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
        (25, "LY PT ST"),
        (26, "IS TR"),
        (27, "BI DJ FR GR IT MC MR SM"),
        (28, "AL AZ BY CY DO GT HU LB NI PL SV"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU YE"),
        (31, "MT SC"),
        (32, "LC"),
        (33, "RU"),
    ];
    LENGTHS
        .iter()
        .find(|(_, countries)| countries.split(' ').any(|known| known == country))
        .map(|(length, _)| *length)
}

/// The length of the valid IBAN that the text begins with, blanks included.
pub(crate) fn iban(text: &str) -> Option<usize> {
    let wanted = iban_length(&text.get(..2)?.to_ascii_uppercase())?;
    let mut plain = String::new();
    let mut end = 0;
    for (at, char) in text.char_indices() {
        if char.is_ascii_alphanumeric() {
            plain.push(char.to_ascii_uppercase());
            end = at + 1;
        }
        if plain.len() == wanted {
            break;
        }
    }
    if plain.len() != wanted {
        return None;
    }
    let (head, body) = plain.split_at_checked(4)?;
    let rest = body
        .chars()
        .chain(head.chars())
        .try_fold(0_u32, |rest, char| {
            let value = char.to_digit(36)?;
            Some(if value > 9 {
                (rest * 100 + value) % 97
            } else {
                (rest * 10 + value) % 97
            })
        });
    (rest == Some(1)).then_some(end)
}

/// A number before or behind which no further group of digits stands, and that
/// is none of a table of constants.
fn alone(text: &str, span: &Range<usize>) -> Option<Valid> {
    /// Shorter ones are not written in such tables.
    const LONG_DIGITS_MIN: usize = 13;
    let gap = |byte: &u8| matches!(byte, b'.' | b'-' | b'/');
    let before = text.as_bytes().get(..span.start)?;
    let after = text.as_bytes().get(span.end..)?;
    let inside = matches!(before, [.., digit, mark] if digit.is_ascii_digit() && gap(mark))
        || matches!(after, [mark, digit, ..] if digit.is_ascii_digit() && gap(mark));
    let found = text.as_bytes().get(span.clone())?;
    let long = found.len() >= LONG_DIGITS_MIN && found.iter().all(u8::is_ascii_digit);
    let (constant, looked) = if long {
        card::is_constant(before, after)
    } else {
        (false, 0)
    };
    let looked = looked.max(usize::from(after.first().is_some_and(gap)));
    (!inside && !constant).then_some(Valid {
        end: span.end,
        looked: span.end + looked,
    })
}

fn jwt(text: &str) -> bool {
    let header = text
        .split('.')
        .next()
        .and_then(crate::view::from_base64)
        .unwrap_or_default();
    header.starts_with('{') && header.ends_with('}') && header.contains("\"alg\"")
}

/// `task-` before a hash looks like `sk-` before a key, but a hash has letters
/// of one case.
fn key(text: &str, span: &Range<usize>) -> bool {
    let found = text.get(span.clone()).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let glued = before.ends_with(|char: char| char.is_ascii_alphanumeric());
    let secret = found.strip_prefix("sk-").unwrap_or(found).as_bytes();
    let mixed = secret.iter().any(u8::is_ascii_uppercase)
        && secret.iter().any(u8::is_ascii_lowercase)
        && secret.iter().any(u8::is_ascii_digit);
    varied(found) && (mixed || !glued)
}

/// Whether a text is varied enough for a secret, or begins with what is: what
/// somebody glued to the end of one hides nothing.
fn varied(text: &str) -> bool {
    /// Keys of no fixed length are no shorter.
    const FRONT_BYTES: usize = 40;
    let varied = |bytes: &[u8]| {
        let mut seen = [0_u32; 256];
        for byte in bytes {
            if let Some(count) = seen.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        let kinds = seen.iter().filter(|count| **count > 0).count();
        let most = seen.iter().copied().max().unwrap_or(0) as usize;
        kinds * 3 >= bytes.len().min(36) && most * 3 <= bytes.len()
    };
    varied(text.as_bytes()) || text.as_bytes().get(..FRONT_BYTES).is_some_and(varied)
}

#[cfg(test)]
mod tests;
