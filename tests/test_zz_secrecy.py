"""After everything else: no output and no file holds a needle or a key.

Searches all that the gates of this run printed and every file in their state
folders. It comes last (conftest.py sees to that), so that it searches the
traces of all other tests.
"""

import pytest
from ahocorasick_rs import BytesAhoCorasick, Implementation

from harness import encode, needles
from harness.gate import KEYS, OUTPUTS, SECRETS, STATES
from harness.paths import VENDOR_KEY

# Room for a value that lies across two reads.
_PIECE, _OVERLAP = 8 << 20, 4096


def _secrets():
    """What must be nowhere, with a name that may be told."""
    secrets = {VENDOR_KEY: "the vendor's key", **SECRETS}
    for key in KEYS:
        secrets[key] = secrets[key.removeprefix("mst_")] = "a caller's key"
    for needle in needles.ALL.values():
        for form in encode.forms(needle.text):
            secrets[form] = f"a needle ({needle.name})"
            secrets[form.lower()] = f"a needle ({needle.name}), in lower case"
    return secrets


def _files():
    folders = [path for state in STATES if state.is_dir() for path in state.rglob("*")]
    return sorted({path for path in [*OUTPUTS, *folders] if path.is_file()})


def _pieces(path):
    with open(path, "rb") as file:
        before = b""
        while piece := file.read(_PIECE):
            yield before + piece
            before = piece[-_OVERLAP:]


@pytest.fixture(scope="module")
def files():
    files = _files()
    if not files:
        pytest.fail("no gate ran, so there is nothing to search")
    return files


def test_no_secret_is_in_any_output_or_file(files):
    texts, names = zip(*((text.encode(), name) for text, name in _secrets().items()), strict=True)
    anyone = BytesAhoCorasick(texts, implementation=Implementation.DFA)
    found = {
        (str(path), names[match])
        for path in files
        for piece in _pieces(path)
        for match, _, _ in anyone.find_matches_as_indexes(piece)
    }
    assert not found


def test_no_gate_panicked(files):
    panics = [
        str(path)
        for path in files
        if path.suffix == ".stderr" and b"panicked at" in path.read_bytes()
    ]
    assert not panics
