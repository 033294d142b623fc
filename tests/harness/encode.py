"""Ways to write a text so that a careless reader does not see it.

Each takes the whole sentence around the needle and the needle in it, and gives
the sentence as it goes into the JSON document: `text` is what the JSON string
holds after unescaping, `raw` the JSON source between the quotes.
"""

import base64
import json

BEFORE, AFTER = "the reference is ", " thanks"


def _json(text):
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _sentence(needle):
    return BEFORE + needle + AFTER


def plain(needle):
    text = _sentence(needle)
    return text, _json(text)


def json_escapes(needle):
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in needle)
    return _sentence(needle), _json(BEFORE) + escaped + _json(AFTER)


def full_width(needle):
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in needle)
    text = _sentence(wide)
    return text, _json(text)


def zero_width(needle):
    text = _sentence("\u200b".join(needle))
    return text, _json(text)


def url(needle):
    text = _sentence("".join(f"%{byte:02X}" for byte in needle.encode()))
    return text, _json(text)


def hexadecimal(needle):
    text = _sentence(needle.encode().hex())
    return text, _json(text)


def base_64(needle):
    # At each of the three alignments, by the needle's length.
    lead = "x" * (len(needle) % 3)
    text = _sentence(base64.b64encode(f"{lead} no {needle} ok".encode()).decode())
    return text, _json(text)


WAYS = {
    "plain": plain,
    "json-escapes": json_escapes,
    "full-width": full_width,
    "zero-width": zero_width,
    "url": url,
    "hex": hexadecimal,
    "base64": base_64,
}


def forms(needle):
    """Every spelling of the needle alone, for searches through files."""
    inner = [way(needle)[0][len(BEFORE) : -len(AFTER)] for way in WAYS.values()]
    return sorted({*inner, needle, needle.replace(" ", "").replace("-", "")})
