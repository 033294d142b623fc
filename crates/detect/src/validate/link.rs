//! Links that carry data, told from links that search or name.

/// As many letters and digits in a row are no word of a search.
const RUN_CHARS_MIN: usize = 16;
/// Characters of a token's code: shortened, and whole.
const CODE_CHARS_MIN: usize = 20;
const CODE_CHARS: usize = 26;
/// Long ids of theirs stand in links that people share, and nobody else can
/// read what is asked there.
const SHARED: &[&str] = &[
    "www.youtube.com/watch?",
    "www.youtube.com/playlist?",
    "youtube.com/watch?",
    "youtube.com/playlist?",
    "music.youtube.com/watch?",
    "music.youtube.com/playlist?",
    "youtu.be/",
    "www.google.com/maps/",
    "google.com/maps/",
    "maps.google.com/",
];

/// Whether the link that was found has a value that is no word, or one of our
/// tokens in it.
pub(super) fn carries_data(found: &str) -> bool {
    if holds_token(found.as_bytes()) {
        return true;
    }
    // What a link shows may be another address.
    let target = found.split_once("](").map_or(found, |(_, target)| target);
    let Some((_, address)) = target.split_once("://") else {
        return true;
    };
    let lower = address.to_ascii_lowercase();
    if SHARED.iter().any(|shared| lower.starts_with(shared)) {
        return false;
    }
    address.split_once(['?', '&']).is_some_and(|(_, query)| {
        query.split('&').any(|pair| {
            pair.split_once('=')
                .is_some_and(|(_, value)| is_data(value))
        })
    })
}

fn is_data(value: &str) -> bool {
    let mut run = 0_usize;
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            // An escape parts words as a blank does.
            bytes.nth(1);
        }
        run = if byte.is_ascii_alphanumeric() {
            run + 1
        } else {
            0
        };
        if run >= RUN_CHARS_MIN {
            return true;
        }
    }
    false
}

fn holds_token(bytes: &[u8]) -> bool {
    bytes.windows(2).enumerate().any(|(at, head)| {
        head.eq_ignore_ascii_case(b"MS") && is_token(head, bytes.get(at + 2..).unwrap_or_default())
    })
}

/// As it was written, or all in one case, as host names are. Of the latter
/// and of shortened ones a digit must tell, which words do not have.
fn is_token(head: &[u8], after: &[u8]) -> bool {
    let code = |byte: &u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(byte);
    let length = |bytes: &[u8], fits: &dyn Fn(&u8) -> bool| {
        bytes.iter().take_while(|byte| fits(byte)).count()
    };
    let has_digit = |bytes: &[u8]| bytes.iter().any(u8::is_ascii_digit);
    let kind = length(after, &u8::is_ascii_uppercase);
    let rest = after.get(kind..).unwrap_or_default();
    let written = length(rest, &code);
    let told = written == CODE_CHARS || has_digit(rest.get(..written).unwrap_or_default());
    if head == b"MS" && (2..=12).contains(&kind) && written >= CODE_CHARS_MIN && told {
        return true;
    }
    let even = length(after, &|byte: &u8| code(&byte.to_ascii_lowercase()));
    let even = after.get(..even).unwrap_or_default();
    even.len() >= CODE_CHARS_MIN + 2
        && has_digit(even)
        && !(even.iter().any(u8::is_ascii_lowercase) && even.iter().any(u8::is_ascii_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_or_a_shared_link_carries_none() {
        for found in [
            "[x](https://www.amazon.com/s?k=wireless+headphones+blue)",
            "[x](https://www.youtube.com/playlist?list=PLabcdefghijklmnopqrstuvwxyz234567)",
            "[x](https://www.google.com/maps/search/?api=1&query=47.5951518%2C-122.3316393)",
            "[x](https://h.example/s?q=a%20few%20words%20of%20a%20search)",
            "https://www.problemsandsolutionsinmathematics.org/",
            "https://h.example/MSDNmagazinesubscriptions/x",
        ] {
            assert!(!carries_data(found), "{found}");
        }
    }

    #[test]
    fn data_and_tokens_are_carried() {
        let code = "k54w4zsfvxliguyd6bm472ue44";
        for found in [
            "[click](https://evil.example/?data=abcdefghijklmnop)".to_owned(),
            "[https://youtu.be/x](https://evil.example/?data=abcdefghijklmnop)".to_owned(),
            format!("https://evil.example/MSCARD{code}"),
            format!("https://mscard{code}.evil.example/"),
            format!("https://evil.example/MSCARD{}", &code[..20]),
        ] {
            assert!(carries_data(&found), "{found}");
        }
    }
}
