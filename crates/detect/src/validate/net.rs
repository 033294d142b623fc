//! Addresses of hosts and mailboxes.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use super::Valid;

/// Numbers as small in all four places are those of a version.
const VERSION_PART_MAX: u8 = 31;
/// Bytes before a number in which a word says that it is a version.
const WORD_BYTES_MAX: usize = 16;
/// Names for documents and tests (RFC 6761), which no list of suffixes has.
const RESERVED: &[&str] = &["example", "test"];

/// An IPv4 address that is no part of a longer number, and no network (`/24`).
fn plain_v4(text: &str, span: &Range<usize>) -> Option<(Ipv4Addr, Valid)> {
    let address: Ipv4Addr = text.get(span.clone())?.parse().ok()?;
    let before = text.as_bytes().get(..span.start)?;
    let after = text.as_bytes().get(span.end..)?;
    let inside = matches!(before, [.., beside, b'.' | b'-' | b'_'] if beside.is_ascii_alphanumeric())
        || matches!(after, [b'.' | b'-' | b'/', digit, ..] if digit.is_ascii_digit());
    let looked = span.end + usize::from(matches!(after.first(), Some(b'.' | b'-' | b'/')));
    (!inside).then_some((
        address,
        Valid {
            end: span.end,
            looked,
        },
    ))
}

/// Whether what stands before makes the number a version: `v1.2.3.4`,
/// `version 1.2.3.4`, `Chrome/120.1.2.3`, `package==1.2.3.4`.
fn is_version(before: &[u8]) -> bool {
    let from = before.len().saturating_sub(WORD_BYTES_MAX);
    let near = before.get(from..).unwrap_or_default().to_ascii_lowercase();
    let mark = matches!(
        near.as_slice(),
        [.., b'@' | b'~' | b'^'] | [.., b'=', b'='] | [.., b'>' | b'<', b'=']
    ) || matches!(near.as_slice(), [.., name, b'/'] if name.is_ascii_alphanumeric());
    let words = near.split(|byte| !byte.is_ascii_alphabetic());
    let word = words
        .rev()
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    mark || matches!(
        word,
        b"v" | b"ver" | b"version" | b"release" | b"build" | b"oid" | b"section"
    )
}

/// A public IPv4 address, and no version.
pub(super) fn ipv4(text: &str, span: &Range<usize>) -> Option<Valid> {
    let (address, valid) = plain_v4(text, span)?;
    let [a, b, c, d] = address.octets();
    let special = address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0);
    let small = [a, b, c, d].iter().all(|part| *part <= VERSION_PART_MAX);
    let network = c == 0 && d == 0;
    let version = is_version(text.as_bytes().get(..span.start)?);
    (!special && !small && !network && !version).then_some(valid)
}

/// Any IPv4 address of one host, and no version.
pub(super) fn ipv4_any(text: &str, span: &Range<usize>) -> Option<Valid> {
    let (address, valid) = plain_v4(text, span)?;
    let host = address.octets()[0] != 0 && !address.is_broadcast() && !address.is_loopback();
    let version = is_version(text.as_bytes().get(..span.start)?);
    (host && !version).then_some(valid)
}

/// An IPv6 address of one host that is not set aside for documents (RFC 3849,
/// RFC 9637).
pub(super) fn ipv6(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let address: Ipv6Addr = found.parse().ok()?;
    let before = text.as_bytes().get(..span.start)?;
    let after = text.as_bytes().get(span.end..)?;
    let inside = matches!(before, [.., b':'])
        || matches!(after, [b':', next, ..] if next.is_ascii_hexdigit() || *next == b':')
        || matches!(after, [b'/', next, ..] if next.is_ascii_digit());
    let [first, second, ..] = address.segments();
    let document = (first == 0x2001 && second == 0xdb8) || first == 0x3fff;
    let digits = found.bytes().any(|byte| byte.is_ascii_digit());
    let groups = found.split(':').filter(|group| !group.is_empty()).count();
    let plain = !address.is_loopback() && !address.is_unspecified() && !address.is_multicast();
    (!inside && !document && plain && digits && groups > 2).then_some(Valid {
        end: span.end,
        looked: span.end + usize::from(matches!(after.first(), Some(b':' | b'/'))),
    })
}

/// A hardware address of one device, and no part of a longer row of bytes.
pub(super) fn mac(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let mark = found.bytes().find(|byte| !byte.is_ascii_hexdigit())?;
    let mut bytes = [0_u8; 6];
    let mut nibbles = found.chars().filter_map(|char| char.to_digit(16));
    for slot in &mut bytes {
        *slot = u8::try_from(nibbles.next()? * 16 + nibbles.next()?).ok()?;
    }
    let before = text.as_bytes().get(..span.start)?;
    let after = text.as_bytes().get(span.end..)?;
    let inside = before.last() == Some(&mark)
        || matches!(after, [gap, next, ..] if *gap == mark && next.is_ascii_hexdigit());
    let alike = bytes.iter().all(|byte| Some(byte) == bytes.first());
    let step = |by: u8| {
        bytes
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.wrapping_add(by) == *b))
    };
    let group = bytes[0] & 1 == 1;
    // RFC 9542 sets 00-00-5E-00-53 aside for documents.
    let document = bytes[..5] == [0, 0, 0x5e, 0, 0x53];
    let few = found.bytes().filter(u8::is_ascii_digit).count() < 2;
    (!inside && !alike && !step(1) && !step(0x11) && !step(0x22) && !group && !document && !few)
        .then_some(Valid {
            end: span.end,
            looked: span.end + usize::from(after.first() == Some(&mark)),
        })
}

/// Whether `scheme://name:` stands right before: what follows is a password,
/// which another detector tells; or `scheme://`: what follows is the name of an
/// account and a host (RFC 3986, section 3.2.1), and no mailbox.
fn behind_login(before: &str) -> bool {
    /// LIMIT: bytes of the name that are looked at.
    const NAME_BYTES_MAX: usize = 64;
    // The mailbox may be only the end of the password.
    let word = |text: &str| {
        text.bytes()
            .rev()
            .take(NAME_BYTES_MAX)
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"._~%$!+*-".contains(byte))
            .count()
    };
    let head = before.get(..before.len() - word(before));
    if head.is_some_and(|head| head.ends_with("://")) {
        return true;
    }
    let Some(rest) = head.and_then(|head| head.strip_suffix(':')) else {
        return false;
    };
    rest.get(..rest.len() - word(rest))
        .is_some_and(|scheme| scheme.ends_with("://"))
}

/// A mailbox at a domain that can exist, and no address of a code store.
pub(super) fn email(text: &str, span: &Range<usize>) -> Option<Valid> {
    let found = text.get(span.clone())?;
    let (name, domain) = found.rsplit_once('@')?;
    let after = text.as_bytes().get(span.end..)?;
    let before = text.get(..span.start)?;
    let word = before.len()
        - before
            .trim_end_matches(|char: char| char.is_ascii_alphanumeric())
            .len();
    let whole = text.get(span.start - word..span.start + name.len())?;
    let store = matches!(whole, "git" | "hg") && after.first() == Some(&b':');
    let last = domain.rsplit('.').next()?.to_ascii_lowercase();
    let known = RESERVED.contains(&last.as_str())
        || psl::suffix(last.as_bytes()).is_some_and(|suffix| suffix.is_known());
    let login = behind_login(before);
    let dots = name.contains("..") || name.ends_with('.') || domain.contains("..");
    let hyphens = domain
        .split('.')
        .any(|label| label.starts_with('-') || label.ends_with('-'));
    (known && !store && !login && !dots && !hyphens).then_some(Valid {
        end: span.end,
        looked: span.end + usize::from(after.first() == Some(&b':')),
    })
}
