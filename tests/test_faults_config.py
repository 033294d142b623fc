"""Configurations that do not settle: refused with the line and what to write."""

import re

import pytest

from harness.gate import Gate
from harness.needles import fill
from harness.paths import rng

# name: (what to replace in a good file, by what)
FAULTS = {
    "not TOML": ("[gate]", "[gate"),
    "unknown key": ("state =", "sttae ="),
    "unknown table": ("[vendors.openai]", "[vendor.openai]"),
    "wrong type": ('"listen" = "127.0.0.1:0"', '"listen" = 4000'),
    "no address": ('"127.0.0.1:0"', '"somewhere"'),
    "unknown API": ('"api" = "openai"', '"api" = "opena1"'),
    "plain http to another host": ("http://127.0.0.1", "http://vendor.example"),
    "a key in the file": ("env:FAKE_OPENAI_KEY", "a-key-as-it-stands"),
    "unknown mode": ('"mode" = "enforce"', '"mode" = "monitor"'),
    "shadow without an end": ('"mode" = "enforce"', '"mode" = "shadow"'),
    "unknown action": ('"*" = "redact"', '"*" = "mask"'),
    "unknown detector": ('"*" = "redact"', '"crad" = "redact"'),
    "unknown slot": ('"*" = "redact"', '"*@tool-rezult" = "redact"'),
    "unknown control": ("[controls.screening]", "[controls.screning]"),
    "unknown limit": ('"body_bytes_max"', '"body_max"'),
    "senseless limit": ("= 65536", "= 0"),
}


@pytest.fixture
def good(build_house):
    house = build_house(start=False, limits={"body_bytes_max": 65536})
    return house.config(limits={"body_bytes_max": 65536}).replace('"state"', "state")


def _faulty(good, name):
    old, new = FAULTS[name]
    assert old in good, (name, good)
    return good.replace(old, new, 1), good[: good.index(old)].count("\n") + 1


def test_a_good_file_settles(good, tmp_path):
    assert Gate(tmp_path / "good", good).cli("config", "check").code == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_file_is_refused_with_its_line(good, tmp_path, name):
    text, line = _faulty(good, name)
    gate = Gate(tmp_path / "bad", text)
    result = gate.cli("config", "check")
    assert result.code != 0
    lines = [int(number) for number in re.findall(r"(?:line |:)(\d+)", result.text)]
    # A table that lacks something is named by its own line.
    assert lines and min(abs(line - number) for number in lines) <= 2, (line, result.text)
    assert "panicked" not in result.text
    assert "a-key-as-it-stands" not in result.text


@pytest.mark.parametrize("name", ["unknown key", "a key in the file", "unknown mode"])
def test_a_gate_does_not_start_on_it(good, tmp_path, name):
    gate = Gate(tmp_path / "bad", _faulty(good, name)[0])
    result = gate.cli("up", seconds=20)
    assert result.code != 0 and "is ready" not in result.text


def test_a_key_in_the_place_of_a_name_is_not_repeated(good, tmp_path):
    key = fill("gh{alnum:38}", rng("key as a name"))
    for at, (old, new) in enumerate(
        [
            ("[vendors.openai]", f"[{key}]"),
            ("state =", f"{key} ="),
            ('"body_bytes_max"', f'"{key}"'),
            ('"mode" = "enforce"', f'"mode" = "{key}"'),
            ('"*" = "redact"', f'"{key}" = "redact"'),
        ]
    ):
        assert old in good
        result = Gate(tmp_path / str(at), good.replace(old, new, 1)).cli("config", "check")
        assert result.code != 0 and key not in result.text


def _refuse_alike(gate, *words):
    """`config check` and `up` say the same of it."""
    for command in (("config", "check"), ("up",)):
        result = gate.cli(*command, seconds=20)
        assert result.code != 0 and "is ready" not in result.text, command
        assert all(word in result.text for word in words), result.text


def test_a_policy_that_allows_all_it_finds(build_house):
    house = build_house(start=False, redaction="allow")
    _refuse_alike(house.gate, "redaction", "canary")


def test_an_authority_that_is_no_certificate(build_house, tmp_path):
    file = tmp_path / "authority.pem"
    armour = "-" * 5 + "{} CERTIFICATE" + "-" * 5 + "\n"
    file.write_text(armour.format("BEGIN") + "bm90IG9uZQ==\n" + armour.format("END"))
    house = build_house(start=False, authority=str(file))
    _refuse_alike(house.gate, "authority")


def test_a_missing_file(tmp_path):
    gate = Gate(tmp_path / "none", "")
    gate.file.unlink()
    result = gate.cli("config", "check")
    assert result.code != 0 and "merestone.toml" in result.text


def test_a_vendor_key_that_is_not_there(build_house):
    from harness import raw

    house = build_house(start=False, openai_key="env:NO_SUCH_VARIABLE")
    result = house.gate.cli("config", "check")
    if result.code == 0:
        house.gate.start()
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        reply = raw.post(house.url, "/v1/chat/completions", body, house.key)
        assert reply.status == 503 and "MS-VENDOR-007" in reply.message
    else:
        assert "NO_SUCH_VARIABLE" in result.text


def test_a_second_gate_on_the_same_folder(build_house):
    house = build_house()
    result = house.gate.cli("up", seconds=20)
    assert result.code != 0 and "is ready" not in result.text
