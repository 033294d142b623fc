"""After everything else: no output and no file holds a needle or a key.

Searches all that the gates of this run printed and every file in their state
folders. It comes last (conftest.py sees to that), so that it searches the
traces of all other tests.
"""

import os
from pathlib import Path

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
    # A folder that a running gate takes away meanwhile is passed over.
    walked = (Path(at, name) for state in STATES for at, _, names in os.walk(state) for name in names)
    return sorted({path for path in [*OUTPUTS, *walked] if path.is_file()})


def _pieces(path):
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return  # A gate that still runs wrote a fuller one in its place.
    with file:
        before = b""
        while piece := file.read(_PIECE):
            yield before + piece
            before = piece[-_OVERLAP:]


def _all_files(files):
    """These, and what gates that still run wrote meanwhile."""
    seen = set()
    for _ in range(5):
        fresh = [path for path in files if path not in seen]
        seen.update(fresh)
        yield from fresh
        files = _files()


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
        for path in _all_files(files)
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
