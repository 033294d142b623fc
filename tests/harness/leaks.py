"""Does a needle pass, in any form that can be read back?"""

import base64
import binascii
import json
import re
import unicodedata
from urllib.parse import unquote

TOKEN = re.compile(r"MS[A-Z]{2,12}[a-z2-7]{26}")
_HALF_TOKEN = re.compile(r"MS[A-Z]{2}")
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){8,}")
_GAP = re.compile(r"(?<=\d)[ \-.\u00a0](?=\d)")


def strings(document):
    """All keys, strings and numbers of a JSON document, in order."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from strings(value)
    elif isinstance(document, str):
        yield document
    elif isinstance(document, (int, float)) and not isinstance(document, bool):
        yield str(document)


def _fold(text):
    text = unicodedata.normalize("NFKC", text)
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def _decoded(text):
    """Other readings of a text, one step deep."""
    try:
        document = json.loads(text)
    except ValueError:
        pass
    else:
        leaves = list(strings(document))
        yield "\n".join(leaves)
        yield "".join(leaves)
    if "\\u" in text:
        yield _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    folded = _fold(text)
    if folded != text:
        yield folded
    if "%" in text:
        yield unquote(text, errors="replace")
    for run in _HEX.findall(text):
        yield bytes.fromhex(run).decode(errors="replace")
    for run in _BASE64.findall(text):
        run = run.rstrip("=").replace("-", "+").replace("_", "/")
        for start in range(4):
            piece = run[start:]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]
            try:
                data = base64.b64decode(piece + "=" * (-len(piece) % 4))
            except (binascii.Error, ValueError):
                continue
            yield data.decode(errors="replace")


def readings(text, depth=3):
    """The text and what it decodes to, a few steps deep."""
    seen, layer = {text}, [text]
    for _ in range(depth):
        layer = [new for old in layer for new in _decoded(old) if new not in seen]
        if not layer:
            break
        seen.update(layer)
    return seen


def _pieces(needle):
    """What must not be readable: the whole, and halves that are telling."""
    if needle.kind == "card":
        digits = re.sub(r"\D", "", needle.text)
        return [digits, digits[:8], digits[8:]]
    if needle.kind == "ssn":
        return [needle.text.replace("-", "")]
    if needle.kind == "email":
        return [needle.text, needle.text.split("@")[0]]
    half = len(needle.text) // 2
    return [needle.text[:half], needle.text[half:]]


def leaks(data, needle):
    """Whether the needle can be read in these bytes or this text."""
    text = data.decode(errors="replace") if isinstance(data, (bytes, bytearray)) else data
    pieces = _pieces(needle)
    for reading in readings(text):
        squeezed = _GAP.sub("", reading) if needle.kind in ("card", "ssn") else reading
        if any(piece in squeezed for piece in pieces):
            return True
    return False


def half_token(text):
    """Whether a placeholder was cut: what is left of the text when all whole
    ones are taken out still holds the beginning of one."""
    return _HALF_TOKEN.search(TOKEN.sub("", text)) is not None
