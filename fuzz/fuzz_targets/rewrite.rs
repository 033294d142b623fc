//! Any text around a token: nothing is lost, and waiting is bounded.
#![no_main]

use detect::redact::{RestoreRule, Rewriter, Root, TokenKey, Tokens};
use libfuzzer_sys::fuzz_target;
use terms::{Kind, Secret};

fuzz_target!(|data: (bool, Vec<&str>)| {
    let (json, parts) = data;
    let mut tokens = Tokens::new(&TokenKey::new(Secret::new([1; 32])), "fuzz");
    let token = tokens.issue(&Kind::new("email"), "\u{1}value").expect("a token");
    let mut rewriter = Rewriter::new(if json { Root::Json } else { Root::Text }, RestoreRule::All);
    let mut out = String::new();
    let mut sent = 0;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            rewriter.token(&token, &tokens, &mut out);
            sent += 1;
        }
        rewriter.plain(part, &mut out);
        assert!(rewriter.held_bytes() <= 8_192);
    }
    rewriter.finish(&tokens, &mut out);
    let counts = rewriter.counts();
    assert_eq!(counts.restored + counts.withheld + counts.foreign, sent);
});
