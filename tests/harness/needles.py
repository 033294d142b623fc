"""Needles and their harmless twins, made from a seed: nothing here looks like a key.

A needle is a value that must not pass. Its twin has the same shape and is
harmless: a card number that fails its check digit, an impossible SSN, a key
that is too short, an address without a domain.
"""

import re
import string
import zlib
from dataclasses import dataclass

from .paths import rng

ALNUM = string.ascii_letters + string.digits
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CLASSES = {
    "alnum": ALNUM,
    "urlsafe": ALNUM + "-_",
    "upper": string.ascii_uppercase + "234567",
    "digit": string.digits,
    "lower": string.ascii_lowercase,
}

# Templates of vendors' keys. `{class:count}` is that many random characters,
# `{crc}` GitHub's check letters over what stands before them. The second is the
# twin: too short to be one.
KEYS = {
    "openai": ("sk-proj-{urlsafe:73}{alnum:1}T3BlbkFJ{urlsafe:73}{alnum:1}", "sk-proj-{lower:5}"),
    "anthropic": ("sk-ant-api03-{urlsafe:93}AA", "sk-ant-api03-{lower:4}"),
    "aws": ("AKIA{upper:16}", "AKIA{upper:5}"),
    "google": ("AIza{urlsafe:34}{alnum:1}", "AIza{lower:4}"),
    "github": ("ghp_{alnum:30}{crc}", "ghp_{lower:6}"),
    "slack": ("xoxb-{digit:12}-{digit:12}-{alnum:24}", "xoxb-{lower:4}"),
}


@dataclass(frozen=True)
class Needle:
    """A value that must not pass, and a harmless one of like shape."""

    kind: str
    name: str
    text: str
    twin: str


def fill(template, source):
    """Fills a template such as `ghp_{alnum:36}` from a random source."""

    def part(match):
        if match[0] == "{crc}":
            return match[0]
        return "".join(source.choice(CLASSES[match[1]]) for _ in range(int(match[2])))

    text = re.sub(r"\{(\w+):(\d+)\}|\{crc\}", part, template)
    if "{crc}" in text:
        body = text.replace("{crc}", "").split("_", 1)[1]
        text = text.replace("{crc}", _base62(zlib.crc32(body.encode())).rjust(6, "0"))
    return text


def _base62(number):
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits or "0"


def luhn(digits):
    """The check digit for these digits."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def card(source):
    gap = source.choice(["", " ", "-"])

    def number(wrong):
        prefix = source.choice(["4", "51", "55", "6011"])
        body = prefix + "".join(source.choice("0123456789") for _ in range(15 - len(prefix)))
        # Few different digits are a test pattern to some detectors.
        if len(set(body[4:])) < 5:
            return number(wrong)
        digits = body + str((int(luhn(body)) + wrong) % 10)
        return gap.join(digits[at : at + 4] for at in range(0, 16, 4))

    return Needle("card", "card", number(0), number(source.randrange(1, 10)))


def ssn(source):
    area = source.choice([n for n in range(101, 899) if n not in (666, 219, 457)])
    group, serial = source.randrange(11, 99), source.randrange(1001, 9999)
    return Needle("ssn", "ssn", f"{area}-{group}-{serial}", f"000-{group}-{serial}")


def key(source, name):
    good, bad = KEYS[name]
    return Needle("key", f"key-{name}", fill(good, source), fill(bad, source))


def email(source):
    def word(length):
        return "".join(source.choice(string.ascii_lowercase) for _ in range(length))

    def person():
        return f"{word(5)}.{word(7)}{source.randrange(10, 99)}"

    domain = f"{word(6)}-{word(4)}." + source.choice(["org", "net", "com"])
    return Needle("email", "email", f"{person()}@{domain}", f"{person()} at {word(6)}-{word(4)}")


def draw():
    """The needles of this run: one of each kind, and a key of each vendor."""
    source = rng("needles")
    needles = [card(source), ssn(source), email(source)]
    needles += [key(source, name) for name in KEYS]
    return {needle.name: needle for needle in needles}


ALL = draw()
# One of each kind, the key's vendor drawn from the seed: for the large tables.
FOUR = [
    ALL["card"],
    ALL["ssn"],
    ALL["email"],
    ALL["key-" + rng("which key").choice(sorted(KEYS))],
]
