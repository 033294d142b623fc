"""Reads captures without the product, by docs/specs/captures.md alone."""

import hashlib
import hmac
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SLOT_BYTES = 512
PARTS = {1: "caller", 2: "findings", 3: "request", 4: "reply"}


def derived(key, what, purpose, exchange):
    """32 bytes for one purpose."""
    info = b"merestone seal v1"
    for word in (what, purpose):
        info += bytes([len(word)]) + word.encode()
    info += bytes.fromhex(exchange.removeprefix("mx-"))
    return HKDF(hashes.SHA256(), 32, None, info).derive(key), info


def open_frame(key, purpose, exchange, frame):
    """The text of a frame; None if the key is not the one that it commits to."""
    assert frame[0] == 1
    nonce, committed, body = frame[1:13], frame[13:45], frame[45:]
    commitment, _ = derived(key, "commit", purpose, exchange)
    if not hmac.compare_digest(commitment, committed):
        return None
    encrypt, _ = derived(key, "encrypt", purpose, exchange)
    _, info = derived(key, "frame", purpose, exchange)
    try:
        return AESGCM(encrypt).decrypt(nonce, body, info + b"\x01" + commitment)
    except InvalidTag:
        return None


def commitment(key, part, exchange, text):
    """What a record says of a part."""
    salt, _ = derived(key, "text", part, exchange)
    return hmac.new(salt, text, hashlib.sha256).hexdigest()


def record_commitment(node_key, salt, exchange, field, value):
    """What a record with a salt says of one of its fields."""
    mac = lambda key, *parts: hmac.new(key, b"".join(parts), hashlib.sha256)
    node = mac(node_key, b"merestone salted v1", salt).digest() if salt else node_key
    own = mac(node, b"merestone record v1", exchange.encode()).digest()
    return mac(own, len(field).to_bytes(8, "big"), field.encode(), value).hexdigest()


@dataclass
class Slot:
    """One slot of the table of keys."""

    exchange: str
    sealed: bytes
    key: str | None
    wrapped: bytes | None

    def parts(self):
        """The frames by the names of their parts."""
        assert self.sealed[:8] == b"mstncap1"
        rest, frames = self.sealed[8:], {}
        while rest:
            length = int.from_bytes(rest[1:5], "little")
            frames[PARTS[rest[0]]] = rest[5 : 5 + length]
            assert len(frames[PARTS[rest[0]]]) == length
            rest = rest[5 + length :]
        return frames

    def record_key(self, tenant):
        """The record's key, by the tenant's."""
        return self.wrapped and open_frame(tenant, "wrap", self.exchange, self.wrapped)

    def open(self, tenant):
        """Every part in the clear; None if nothing opens."""
        key = self.record_key(tenant)
        if key is None:
            return None
        return {part: open_frame(key, part, self.exchange, frame) for part, frame in self.parts().items()}


def slots(state):
    """All slots of a state folder, by exchange."""
    found = {}
    for path in sorted((state / "captures").glob("*.keys")):
        table, sealed = path.read_bytes(), path.with_suffix(".sealed").read_bytes()
        assert len(table) % SLOT_BYTES == 0
        for at in range(0, len(table), SLOT_BYTES):
            slot = table[at : at + SLOT_BYTES]
            assert int.from_bytes(slot[-4:], "little") == crc32c(slot[:-4])
            exchange = "mx-" + slot[8:24].hex()
            offset, length = int.from_bytes(slot[32:40], "little"), int.from_bytes(slot[40:44], "little")
            held = slot[:8] == b"mstnkey1"
            assert held or slot[:8] == b"mstngone"
            size = int.from_bytes(slot[91:93], "little")
            found[exchange] = Slot(
                exchange,
                sealed[offset : offset + length],
                slot[44:59].decode() if held else None,
                slot[93 : 93 + size] if held else None,
            )
    return found


def crc32c(data):
    """CRC-32C (Castagnoli), bit by bit."""
    total = 0xFFFFFFFF
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ (0x82F63B78 if total & 1 else 0)
    return total ^ 0xFFFFFFFF


def raw_files(folder):
    """Every file of a folder, as bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stands_in(folder, text):
    """The files that hold these bytes, as they are or as hexadecimal digits."""
    forms = (text, text.hex().encode(), text.hex().upper().encode())
    return [path for path, content in raw_files(folder).items() if any(form in content for form in forms)]


def text(part):
    """A part's JSON."""
    return json.loads(part)
