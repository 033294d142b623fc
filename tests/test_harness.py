"""The tests' own instruments: a needle test that cannot see a leak proves nothing."""

import json
import re

import pytest

from harness import encode, needles
from harness.channels import CHANNELS
from harness.leaks import TOKEN, half_token, leaks
from harness.paths import rng
from harness.slots_anthropic import SLOTS as ANTHROPIC
from harness.slots_openai import SLOTS as OPENAI


@pytest.mark.parametrize("way", encode.WAYS)
@pytest.mark.parametrize("name", sorted(needles.ALL))
def test_a_leak_is_seen_in_any_slot_and_spelling(name, way):
    needle = needles.ALL[name]
    _, source = encode.WAYS[way](needle.text)
    _, harmless = encode.WAYS[way](needle.twin)
    slots = [slot for slot in OPENAI + ANTHROPIC if not slot.number]
    for slot in rng("harness", name, way).sample(slots, 25):
        body = slot.body("m", source)
        json.loads(body)
        assert leaks(body, needle), slot.name
        assert not leaks(slot.body("m", harmless), needle), slot.name


@pytest.mark.parametrize("name", sorted(needles.ALL))
def test_a_leak_over_two_parts_is_seen(name):
    needle = needles.ALL[name]
    half = len(needle.text) // 2
    parts = [{"text": "it is " + needle.text[:half]}, {"text": needle.text[half:] + " yes"}]
    assert leaks(json.dumps([part["text"] for part in parts]), needle)


def test_half_a_token_is_seen():
    token = "MSEMAIL" + "ab2c" * 6 + "de"
    assert TOKEN.fullmatch(token)
    assert not half_token(f"mail {token} now")
    assert half_token(f"mail {token[:-1]} now") and half_token("mail MSEMA")


def test_channels_read_back_what_they_hold():
    for channel in CHANNELS:
        text = channel.wrap("so “it” is")
        assert channel.unwrap(channel.read(channel.whole(text), False)) == "so “it” is"
        assert channel.read(channel.stream([text]), True) == text, channel.name
        if channel.cuttable:
            assert channel.read(channel.stream(list(text)), True) == text, channel.name


def test_needles_are_what_they_claim():
    card = re.sub(r"\D", "", needles.ALL["card"].text)
    assert needles.luhn(card[:-1]) == card[-1]
    twin = re.sub(r"\D", "", needles.ALL["card"].twin)
    assert needles.luhn(twin[:-1]) != twin[-1]
    assert len(needles.ALL) == 3 + len(needles.KEYS) and len(needles.FOUR) == 4


def test_slots_have_names_of_their_own():
    names = [(slot.api, slot.name) for slot in OPENAI + ANTHROPIC]
    assert len(names) == len(set(names)) > 90
