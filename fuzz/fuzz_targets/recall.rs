//! Any text as a reply in which tokens of other exchanges stand, and any value
//! as what was kept for one: only tokens that the key made are told, and only
//! the value that gives a token comes back for it; never a panic.
#![no_main]

use detect::redact::{TokenKey, Tokens};
use libfuzzer_sys::fuzz_target;
use terms::{Kind, Secret};

fuzz_target!(|data: (Vec<&str>, &str, &str)| {
    let (parts, word, value) = data;
    let key = || TokenKey::new(Secret::new([1; 32]));
    let kind = Kind::new("email");
    let token = Tokens::new(&key(), "fuzz").issue(&kind, "value").expect("a token");
    let text = parts.join(&token);
    let mut later = Tokens::new(&key(), "fuzz");
    let found = later.unknown_in(&text, text.len());
    for found in &found {
        assert!(key().made(found) && text.contains(found.as_str()));
    }
    // A text may have the token by itself: it is the same each time, and a
    // fuzzer learns it.
    assert!(parts.len() < 2 || text.contains(&token));
    assert_eq!(found.contains(&token), text.contains(&token));
    if let Ok(true) = later.recall(word, value) {
        let again = Tokens::new(&key(), "fuzz").issue(later.resolve(word).expect("it came back").kind(), value);
        assert_eq!(again.expect("a token"), word);
    }
    assert_eq!(later.recall(&token, value), Ok(value == "value"));
});
