//! One sealed text as bytes: version, nonce, commitment to the key, ciphertext.

use aes_gcm::{
    Aes256Gcm,
    aead::{AeadInOut, KeyInit},
};
use subtle::ConstantTimeEq;
use terms::{Entropy, Secret};
use zeroize::Zeroize;

use super::{Context, KEY_BYTES, SealFault, TEXT_BYTES_MAX, derived};

/// The version, the first byte of a frame.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Bytes that a frame has beyond its text.
pub const FRAME_OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// A frame, read strictly: all its bytes belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    nonce: &'a [u8; NONCE_BYTES],
    commitment: &'a [u8; KEY_BYTES],
    body: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Frame<'a> {
    /// Reads bytes that are one frame and nothing else.
    ///
    /// # Errors
    /// When they are not, or too many.
    pub fn read(bytes: &'a [u8]) -> Result<Self, SealFault> {
        let (version, rest) = bytes.split_first().ok_or(SealFault::Shape)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(SealFault::Shape)?;
        let (commitment, rest) = rest.split_first_chunk().ok_or(SealFault::Shape)?;
        let (body, tag) = rest.split_last_chunk().ok_or(SealFault::Shape)?;
        if *version != VERSION {
            return Err(SealFault::Shape);
        }
        if body.len() > TEXT_BYTES_MAX {
            return Err(SealFault::TooLong);
        }
        Ok(Self {
            nonce,
            commitment,
            body,
            tag,
        })
    }
}

/// The key that encrypts and the commitment to the record's key. Both come
/// out of one hash, so another record's key that gives the same commitment
/// would be a collision of SHA-256.
struct Derived {
    key: Secret<[u8; KEY_BYTES]>,
    commitment: [u8; KEY_BYTES],
}

fn both(key: &[u8; KEY_BYTES], context: &Context<'_>) -> Derived {
    Derived {
        key: Secret::new(derived(key, &context.info("encrypt"))),
        commitment: derived(key, &context.info("commit")),
    }
}

/// What is authenticated beside the text.
fn beside(context: &Context<'_>, commitment: &[u8; KEY_BYTES]) -> Vec<u8> {
    let mut beside = context.info("frame");
    beside.push(VERSION);
    beside.extend_from_slice(commitment);
    beside
}

pub(super) fn seal(
    key: &[u8; KEY_BYTES],
    context: &Context<'_>,
    text: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealFault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SealFault::TooLong);
    }
    let Derived { key, commitment } = both(key, context);
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    let mut out = Vec::with_capacity(text.len() + FRAME_OVERHEAD_BYTES);
    out.push(VERSION);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&commitment);
    let head = out.len();
    out.extend_from_slice(text);
    let body = out.get_mut(head..).unwrap_or_default();
    let tag = Aes256Gcm::new(key.reveal().into())
        .encrypt_inout_detached(&nonce.into(), &beside(context, &commitment), body.into())
        .map_err(|_| SealFault::TooLong)?;
    out.extend_from_slice(&tag);
    Ok(out)
}

pub(super) fn open(
    key: &[u8; KEY_BYTES],
    context: &Context<'_>,
    frame: &Frame<'_>,
) -> Result<Secret<Vec<u8>>, SealFault> {
    let Derived { key, commitment } = both(key, context);
    // INVARIANT: nothing is opened before the key is the one committed to.
    if !bool::from(commitment.ct_eq(frame.commitment)) {
        return Err(SealFault::OtherKey);
    }
    let mut text = frame.body.to_vec();
    let opened = Aes256Gcm::new(key.reveal().into()).decrypt_inout_detached(
        &(*frame.nonce).into(),
        &beside(context, &commitment),
        text.as_mut_slice().into(),
        &(*frame.tag).into(),
    );
    if opened.is_err() {
        text.zeroize();
        return Err(SealFault::Changed);
    }
    Ok(Secret::new(text))
}
