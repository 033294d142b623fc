//! Any bytes as sealed content, as a frame or as a slot of the table of keys:
//! read or refused, opened by no key that did not seal them; never a panic.
#![no_main]

use ledger::{
    captures::{SLOT_BYTES, Slot},
    seal::{Content, Frame, LocalKey, RecordKey, Wrap, Wrapped},
};
use libfuzzer_sys::fuzz_target;
use terms::{CapturePart, ExchangeId, Secret};

fuzz_target!(|data: &[u8]| {
    let exchange = ExchangeId::from_bytes([1; 16]);
    let key = RecordKey::from_bytes(Secret::new([2; 32]));
    let _ = Frame::read(data);
    for bytes in [data.to_vec(), [b"mstncap1", data].concat()] {
        let Ok(content) = Content::read(&bytes) else {
            continue;
        };
        let parts: Vec<CapturePart> = content.parts().collect();
        assert!(parts.is_sorted());
        for part in parts {
            assert!(content.open(&key, exchange, part).is_err());
        }
    }
    if let Ok(wrapped) = Wrapped::new(data.to_vec()) {
        let tenant = LocalKey::new(Secret::new([3; 32]));
        assert!(tenant.unwrap(exchange, &wrapped).is_err());
    }
    // A checksum that is right, so that what lies behind it is reached.
    let mut slot = data.to_vec();
    slot.resize(SLOT_BYTES - 4, 0);
    let sum = crc32c(&slot);
    slot.extend_from_slice(&sum.to_le_bytes());
    if let Ok(bytes) = <&[u8; SLOT_BYTES]>::try_from(slot.as_slice())
        && let Ok(slot) = Slot::read(bytes)
    {
        assert_eq!(&slot.to_bytes(), bytes);
    }
});

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 }
        })
    })
}
