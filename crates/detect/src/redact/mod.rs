//! Reversible redaction: tokens that stand for values, and the way back.

mod mask;
mod place;
mod rewrite;
mod token;

pub use mask::mask;
pub use rewrite::{NotInString, Reading, RestoreRule, Rewriter, Root, Spelled};
pub(crate) use token::KIND_CHARS_MAX;
pub use token::{Issued, TOKEN_BYTES_MAX, TokenKey, TokenLimit, Tokens, token_pattern};
