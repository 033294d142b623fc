use aes::cipher::{BlockCipherEncrypt, KeyInit as _};
use aes_gcm::{Aes256Gcm, aead::AeadInOut};
use proptest::prelude::*;
use terms::SeededEntropy;

use super::*;

fn exchange(number: u8) -> ExchangeId {
    ExchangeId::from_bytes([number; 16])
}

fn keys(seed: u64) -> (RecordKey, LocalKey, SeededEntropy) {
    let entropy = SeededEntropy::new(seed);
    let mut tenant = [0; KEY_BYTES];
    entropy.fill(&mut tenant);
    let tenant = LocalKey::new(Secret::new(tenant));
    (RecordKey::new(&entropy), tenant, entropy)
}

fn opened(key: &RecordKey, context: &Context<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealFault> {
    let frame = Frame::read(bytes)?;
    key.open(context, &frame).map(|text| text.reveal().clone())
}

proptest! {
    #[test]
    fn what_is_sealed_opens_for_the_same_and_nothing_else(
        text in prop::collection::vec(any::<u8>(), 0..200),
        seed in any::<u64>(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (key, _, entropy) = keys(seed);
        let context = Context::part(exchange(1), CapturePart::Request);
        let bytes = key.seal(&context, &text, &entropy).unwrap();
        prop_assert_eq!(bytes.len(), text.len() + FRAME_OVERHEAD_BYTES);
        prop_assert_eq!(opened(&key, &context, &bytes), Ok(text.clone()));
        let others = [
            Context::part(exchange(2), CapturePart::Request),
            Context::part(exchange(1), CapturePart::Reply),
        ];
        for other in others {
            prop_assert_eq!(opened(&key, &other, &bytes), Err(SealFault::OtherKey));
        }
        let stranger = RecordKey::new(&entropy);
        prop_assert_eq!(opened(&stranger, &context, &bytes), Err(SealFault::OtherKey));
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        prop_assert!(opened(&key, &context, &changed).is_err());
        prop_assert!(opened(&key, &context, &bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn content_is_read_strictly(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut framed = b"mstncap1".to_vec();
        framed.extend_from_slice(&bytes);
        for bytes in [bytes, framed] {
            if let Ok(content) = Content::read(&bytes) {
                let parts: Vec<CapturePart> = content.parts().collect();
                prop_assert!(parts.is_sorted());
                prop_assert!(parts.len() <= CapturePart::ALL.len());
            }
        }
    }
}

#[test]
fn parts_open_one_by_one_and_stand_in_order() {
    let (key, _, entropy) = keys(1);
    let parts: [(CapturePart, &[u8]); 2] =
        [(CapturePart::Caller, b"who"), (CapturePart::Reply, b"what")];
    let bytes = content::seal(&key, exchange(1), &parts, &entropy).unwrap();
    let read = Content::read(&bytes).unwrap();
    assert!(read.parts().eq([CapturePart::Caller, CapturePart::Reply]));
    let open = |part| {
        let text = read.open(&key, exchange(1), part).unwrap();
        text.map(|text| text.reveal().clone())
    };
    assert_eq!(open(CapturePart::Reply).unwrap(), b"what");
    assert_eq!(open(CapturePart::Request), None);
    let [one, two] = parts;
    for wrong in [[two, one], [one, one]] {
        assert_eq!(
            content::seal(&key, exchange(1), &wrong, &entropy),
            Err(SealFault::Shape)
        );
    }
    // A part put in the place of another opens for neither.
    let only = content::seal(&key, exchange(1), &[one], &entropy).unwrap();
    let mut moved = only.clone();
    moved[8] = 4;
    let moved = Content::read(&moved).unwrap();
    assert_eq!(
        moved
            .open(&key, exchange(1), CapturePart::Reply)
            .unwrap_err(),
        SealFault::OtherKey
    );
    let mut trailing = only;
    trailing.push(0);
    assert_eq!(Content::read(&trailing), Err(SealFault::Shape));
}

#[test]
fn a_record_key_comes_back_by_its_tenants_key_alone() {
    let (key, tenant, entropy) = keys(2);
    let wrapped = tenant.wrap(exchange(1), &key, &entropy).unwrap();
    let back = tenant.unwrap(exchange(1), &wrapped).unwrap();
    assert_eq!(back.reveal(), key.reveal());
    let other = WrapFault::Sealed(SealFault::OtherKey);
    assert_eq!(tenant.unwrap(exchange(2), &wrapped).unwrap_err(), other);
    let stranger = LocalKey::new(Secret::new([9; KEY_BYTES]));
    assert_eq!(stranger.unwrap(exchange(1), &wrapped).unwrap_err(), other);
    let said = format!("{key:?} {tenant:?} {wrapped:?}");
    let length = wrapped.as_bytes().len();
    assert_eq!(
        said,
        format!("RecordKey(..) LocalKey(..) Wrapped({length} bytes)")
    );
    assert_eq!(Wrapped::new(Vec::new()).unwrap_err(), WrapFault::Odd);
    assert_eq!(
        Wrapped::new(vec![0; WRAPPED_BYTES_MAX + 1]).unwrap_err(),
        WrapFault::Odd
    );
}

#[test]
fn a_local_key_is_64_hexadecimal_digits() {
    let digits = "0aF9".repeat(16);
    assert!(LocalKey::read(&digits).is_some());
    for wrong in [
        digits.get(1..).unwrap(),
        &format!("{digits}0"),
        &"0g".repeat(32),
        &"+1".repeat(32),
        "",
    ] {
        assert!(LocalKey::read(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn without_the_record_key_no_guess_can_be_checked() {
    let (key, _, entropy) = keys(3);
    let context = Context::part(exchange(1), CapturePart::Request);
    let commitment = key.commit(&context, b"guess");
    assert_eq!(commitment, key.commit(&context, b"guess"));
    assert_ne!(commitment, key.commit(&context, b"other"));
    for _ in 0..100 {
        assert_ne!(
            commitment,
            RecordKey::new(&entropy).commit(&context, b"guess")
        );
    }
    let elsewhere = Context::part(exchange(2), CapturePart::Request);
    assert_ne!(commitment, key.commit(&elsewhere, b"guess"));
    assert_ne!(
        key.salt(exchange(1)).reveal(),
        key.salt(exchange(2)).reveal()
    );
}

/// The field of GCM: 128 bits, the first the highest (NIST SP 800-38D, 6.3).
mod field {
    pub(super) const ONE: u128 = 1 << 127;

    pub(super) fn times(one: u128, other: u128) -> u128 {
        let (mut sum, mut shifted) = (0, other);
        for bit in (0..128).rev() {
            if one >> bit & 1 == 1 {
                sum ^= shifted;
            }
            let carry = shifted & 1;
            shifted >>= 1;
            if carry == 1 {
                shifted ^= 0xe1 << 120;
            }
        }
        sum
    }

    /// To the power of 2^128 - 2.
    pub(super) fn inverse(value: u128) -> u128 {
        let (mut power, mut product) = (value, ONE);
        for _ in 1..128 {
            power = times(power, power);
            product = times(product, power);
        }
        product
    }
}

/// One key of AES-GCM, with what a builder of collisions needs of it.
struct Gcm {
    block: aes::Aes256,
    key: [u8; 32],
}

impl Gcm {
    fn new(key: [u8; 32]) -> Self {
        Self {
            block: aes::Aes256::new(&key.into()),
            key,
        }
    }

    fn encrypt(&self, block: [u8; 16]) -> u128 {
        let mut block = block.into();
        self.block.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }

    fn counter(&self, nonce: [u8; 12], count: u32) -> u128 {
        let mut block = [0; 16];
        block[..12].copy_from_slice(&nonce);
        block[12..].copy_from_slice(&count.to_be_bytes());
        self.encrypt(block)
    }

    /// The tag over these blocks.
    fn tag(&self, nonce: [u8; 12], blocks: &[u128]) -> u128 {
        let hash = self.encrypt([0; 16]);
        let sum = blocks
            .iter()
            .fold(0, |sum, block| field::times(sum ^ block, hash));
        sum ^ self.counter(nonce, 1)
    }

    fn opens(&self, nonce: [u8; 12], beside: &[u8], body: &[u8], tag: [u8; 16]) -> Option<Vec<u8>> {
        let mut text = body.to_vec();
        Aes256Gcm::new(&self.key.into())
            .decrypt_inout_detached(
                &nonce.into(),
                beside,
                text.as_mut_slice().into(),
                &tag.into(),
            )
            .ok()?;
        Some(text)
    }
}

fn blocks(bytes: &[u8]) -> Vec<u128> {
    let padded = |chunk: &[u8]| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        u128::from_be_bytes(block)
    };
    bytes.chunks(16).map(padded).collect()
}

/// Two blocks and a tag that AES-GCM takes under both keys; the first block
/// reads as `text` under the first of them.
fn collision(
    keys: [&Gcm; 2],
    nonce: [u8; 12],
    beside: &[u8],
    text: [u8; 16],
) -> ([u8; 32], [u8; 16]) {
    let [one, other] = keys;
    let first = u128::from_be_bytes(text) ^ one.counter(nonce, 2);
    let lengths = (beside.len() as u128 * 8) << 64 | 256;
    let with = |second| {
        let mut all = blocks(beside);
        all.extend([first, second, lengths]);
        all
    };
    let difference = one.tag(nonce, &with(0)) ^ other.tag(nonce, &with(0));
    let square = |key: &Gcm| {
        let hash = key.encrypt([0; 16]);
        field::times(hash, hash)
    };
    let second = field::times(difference, field::inverse(square(one) ^ square(other)));
    let tag = one.tag(nonce, &with(second));
    assert_eq!(tag, other.tag(nonce, &with(second)));
    let mut body = [0; 32];
    body[..16].copy_from_slice(&first.to_be_bytes());
    body[16..].copy_from_slice(&second.to_be_bytes());
    (body, tag.to_be_bytes())
}

/// One sealed record, two texts: with AES-GCM alone it can be built, as Dodis
/// and others showed (IACR ePrint 2019/016). Here it is built and refused.
#[test]
fn one_sealed_record_never_opens_to_two_texts() {
    let nonce = [5; 12];
    let text = *b"pay nothing now.";
    let (one, other) = (
        RecordKey::from_bytes(Secret::new([1; 32])),
        RecordKey::from_bytes(Secret::new([2; 32])),
    );
    let context = Context::part(exchange(1), CapturePart::Request);
    let gcm = |key: &RecordKey| Gcm::new(derived(key.reveal(), &context.info("encrypt")));
    let pair = [&gcm(&one), &gcm(&other)];
    for committed in [&one, &other] {
        let commitment: [u8; 32] = derived(committed.reveal(), &context.info("commit"));
        let mut beside = context.info("frame");
        beside.push(1);
        beside.extend_from_slice(&commitment);
        let (body, tag) = collision(pair, nonce, &beside, text);
        // The negative control: AES-GCM takes it under both.
        let texts = pair.map(|key| key.opens(nonce, &beside, &body, tag).unwrap());
        assert_eq!(texts[0][..16], text);
        assert_ne!(texts[0], texts[1]);
        let frame = [[1].as_slice(), &nonce, &commitment, &body, &tag].concat();
        let open = [&one, &other].map(|key| opened(key, &context, &frame).is_ok());
        assert_eq!(open.iter().filter(|open| **open).count(), 1, "{open:?}");
    }
}

#[test]
fn the_vault_and_captures_have_no_key_in_common() {
    let key = RecordKey::from_bytes(Secret::new([1; 32]));
    let (entropy, text) = (SeededEntropy::new(1), b"text".as_slice());
    let purposes = [
        VaultPurpose::Value,
        VaultPurpose::Token,
        VaultPurpose::Person,
    ];
    let vault = purposes.map(|purpose| Context::vault(exchange(1), purpose, b"mark"));
    let parts = CapturePart::ALL
        .iter()
        .map(|part| Context::part(exchange(1), *part));
    let beside = [b"mark".as_slice(), b"", b"mar", b"marks"];
    let contexts: Vec<Context<'_>> = beside
        .iter()
        .map(|beside| Context::vault(exchange(1), VaultPurpose::Value, beside))
        .chain(vault.into_iter().skip(1))
        .chain([Context::vault(exchange(2), VaultPurpose::Value, b"mark")])
        .chain(parts)
        .collect();
    for (at, one) in contexts.iter().enumerate() {
        let sealed = key.seal(one, text, &entropy).unwrap();
        for (other_at, other) in contexts.iter().enumerate() {
            assert_eq!(opened(&key, other, &sealed).is_ok(), at == other_at);
            assert_eq!(
                key.commit(one, text) == key.commit(other, text),
                at == other_at
            );
        }
    }
}
