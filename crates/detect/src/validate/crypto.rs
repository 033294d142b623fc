//! Addresses of crypto currencies.

use bech32::{
    Bech32,
    primitives::decode::{CheckedHrpstring, SegwitHrpstring},
};
use sha3::{Digest as _, Keccak256};

/// LIMIT: bytes that an address in base 58 decodes to, with its sum.
const DECODED_BYTES_MAX: usize = 32;

/// First bytes of addresses in base 58: Bitcoin, its test network, Litecoin,
/// Dogecoin, Dash, Tron (each project's chain parameters).
const VERSIONS: &[u8] = &[
    0x00, 0x05, 0x6f, 0xc4, 0x30, 0x32, 0x1e, 0x16, 0x4c, 0x10, 0x41,
];

/// An address in base 58 with its check sum (Bitcoin wiki, "Base58Check encoding").
pub(super) fn base58check(text: &str) -> bool {
    let mut bytes = [0; DECODED_BYTES_MAX];
    let plain = bs58::decode(text).with_check(None).onto(&mut bytes[..]);
    plain == Ok(21) && VERSIONS.contains(&bytes[0])
}

/// A Ripple address: base 58 in another order (XRPL, "Base58 encodings").
pub(super) fn ripple(text: &str) -> bool {
    let mut bytes = [0; DECODED_BYTES_MAX];
    let plain = bs58::decode(text)
        .with_alphabet(bs58::Alphabet::RIPPLE)
        .with_check(None)
        .onto(&mut bytes[..]);
    plain == Ok(21) && bytes[0] == 0
}

/// A segwit address of Bitcoin or Litecoin (BIP 173, BIP 350).
pub(super) fn segwit(text: &str) -> bool {
    SegwitHrpstring::new(text).is_ok_and(|whole| {
        ["bc", "tb", "ltc"]
            .iter()
            .any(|known| whole.hrp().as_str().eq_ignore_ascii_case(known))
    })
}

/// A Cardano address or stake (CIP 19).
pub(super) fn cardano(text: &str) -> bool {
    CheckedHrpstring::new::<Bech32>(text).is_ok()
}

/// An Ethereum address: the case of its letters is its sum (EIP-55), unless it
/// has letters of one case only.
pub(super) fn ethereum(text: &str) -> bool {
    let Some(hex) = text.strip_prefix("0x").filter(|hex| hex.len() == 40) else {
        return false;
    };
    let first = hex.bytes().next();
    if !hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        || hex.bytes().all(|byte| Some(byte) == first)
    {
        return false;
    }
    let upper = hex.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = hex.bytes().any(|byte| byte.is_ascii_lowercase());
    !(upper && lower) || checksummed(&hex.to_ascii_lowercase()) == hex
}

/// Hexadecimal digits in the case that EIP-55 gives them.
pub(crate) fn checksummed(hex: &str) -> String {
    let hash = Keccak256::digest(hex.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.chars()
        .zip(nibbles)
        .map(|(char, nibble)| {
            if nibble > 7 {
                char.to_ascii_uppercase()
            } else {
                char
            }
        })
        .collect()
}
