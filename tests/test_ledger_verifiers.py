"""Others verify the log without this product: a Go program that uses nothing
but golang.org/x/mod's note and tlog, PyPI's aics-tlog, and a C2SP witness
(PyPI's aics-witness). Each accepts the log and its growth, and refuses what is
not the log."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from harness import gate as product
from harness import raw
from harness.process import Process
from harness.running import await_that
from harness.sockets import unused_port

GO = Path(__file__).parent / "go" / "verify.go"
CALLS = 330
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """The Go verifier, built from Debian's packages alone."""
    folder = tmp_path_factory.mktemp("go")
    env = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOFLAGS": "",
        "GOCACHE": str(folder / "cache"),
    }
    program = folder / "verify"
    subprocess.run(["go", "build", "-o", program, GO], check=True, env=env, timeout=300)
    return program


class Log:
    """A copy of what a gate published, at two sizes."""

    def __init__(self, folder, key, older):
        self.folder, self.key, self.older = folder, key, older

    def copy(self, folder):
        shutil.copytree(self.folder, folder)
        return Log(folder, self.key, self.older)

    @property
    def note(self):
        return (self.folder / "checkpoint").read_bytes()

    @property
    def size(self):
        return int(self.note.split(b"\n")[1])

    def tile(self, row, index):
        full = self.folder / "tile" / row / f"{index:03}"
        if full.exists():
            return full
        parts = (self.folder / "tile" / row / f"{index:03}.p").iterdir()
        return max(parts, key=lambda path: int(path.name))

    def entries(self, index):
        data, entries = self.tile("entries", index).read_bytes(), []
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
        return entries

    def put_entries(self, index, entries):
        data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        self.tile("entries", index).write_bytes(data)


def talk(house, calls):
    for _ in range(calls):
        body = {"model": "m", "messages": [{"role": "user", "content": "good morning"}]}
        reply = raw.post(house.url, "/v1/chat/completions", body, house.key)
        assert reply.status == 200


def published(house, sequence):
    """What is published, as soon as it covers so many entries."""
    folder = house.gate.folder / "data" / "ledger" / "tlog"

    def covered():
        note = (folder / "checkpoint").read_text()
        return int(note.split("\n")[1]) >= sequence and note

    return folder, await_that(covered, says="no checkpoint covers the entries")


@pytest.fixture(scope="module")
def house(_folders):
    house = product.House(_folders("verifiers"))
    yield house
    house.close()


@pytest.fixture(scope="module")
def log(house, tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    key = house.gate.cli("ledger", "key").stdout.strip()
    talk(house, 20)
    _, note = published(house, 40)
    older = root / "older"
    older.write_text(note)
    talk(house, CALLS)
    house.gate.stop()
    folder, _ = published(house, 40 + 2 * CALLS)
    shutil.copytree(folder, root / "log")
    house.gate.start()
    return Log(root / "log", key, older)


@pytest.fixture
def copy(log, tmp_path):
    return log.copy(tmp_path / "copy")


def by_go(program, log, older=True, key=None):
    words = [program, key or log.key, "log", log.folder] + ([log.older] if older else [])
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.returncode == 0, done.stdout + done.stderr


AICS = """
import sys
from aics_tlog import *


def refuse(_kind, error, _trace):
    print(f"refused: {type(error).__name__} {error}")


sys.excepthook = refuse
key, folder, older = sys.argv[1:]
note = parse_note(open(folder + "/checkpoint", "rb").read().decode())
signed = verify_checkpoint(note, parse_vkey(key))
assert signed.ok, signed.error
reader = FileSystemTileReader(folder)
audit_tiles(VerifiedTileReader(reader, signed.size, signed.root), signed.size, signed.root)
before = verify_checkpoint(parse_note(open(older, "rb").read().decode()), parse_vkey(key))
assert before.ok, before.error
proof = consistency_proof_from_tiles(reader, before.size, signed.size)
assert verify_consistency(before.size, signed.size, before.root, signed.root, proof), "growth"
print("ok", signed.size)
"""


def by_aics(_go, log, key=None):
    words = [sys.executable, "-c", AICS, key or log.key, log.folder, log.older]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120)
    return done.returncode == 0, done.stdout + done.stderr


def by_merestone(_go, log, key=None):
    words = ["ledger", "verify", "--dir", log.folder, "--key", key or log.key]
    words += ["--since", log.older]
    command = [str(product.MERESTONE), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=product.ENV)
    return done.returncode == 0, done.stdout + done.stderr


VERIFIERS = [by_go, by_aics, by_merestone]


@pytest.fixture(params=VERIFIERS, ids=lambda verifier: verifier.__name__[3:])
def verifier(request, go):
    return lambda log, **more: request.param(go, log, **more)


def test_the_log_and_its_growth_are_accepted(verifier, log):
    good, says = verifier(log)
    assert good, says
    assert str(log.size) in says


def changed_byte(log):
    path = log.tile("entries", 1)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def changed_hash(log):
    path = log.tile("0", 0)
    data = bytearray(path.read_bytes())
    data[77] ^= 1
    path.write_bytes(data)


def rewritten_entry(log):
    """An entry says something else, and its leaf tile agrees."""
    entries = log.entries(1)
    leaf = json.loads(entries[9])
    leaf["at_ms"] += 1
    entries[9] = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode()
    log.put_entries(1, entries)
    path = log.tile("0", 1)
    data = bytearray(path.read_bytes())
    data[9 * 32 : 10 * 32] = hashlib.sha256(b"\0" + entries[9]).digest()
    path.write_bytes(data)


def dropped_last(log):
    last = log.size // 256
    log.put_entries(last, log.entries(last)[:-1])


def dropped_last_with_its_hash(log):
    """The log is one entry shorter, and says so; nobody signed that."""
    last, width = divmod(log.size, 256)
    entries, hashes = log.entries(last)[:-1], log.tile("0", last).read_bytes()[:-32]
    for row, data in [("entries", None), ("0", hashes)]:
        part = log.folder / "tile" / row / f"{last:03}.p"
        (part / str(width)).unlink()
        (part / str(width - 1)).write_bytes(data or b"")
    data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    (log.folder / "tile" / "entries" / f"{last:03}.p" / str(width - 1)).write_bytes(data)
    (log.folder / "checkpoint").write_bytes(resized(log.note, log.size - 1))


def rollback(log):
    """The older checkpoint in place of the newer, and the newer as what is known."""
    newer, older = log.note, log.older.read_bytes()
    log.older = log.folder.parent / "known"
    log.older.write_bytes(newer)
    (log.folder / "checkpoint").write_bytes(older)
    width = log.size % 256
    for row, cut in [("0", 32 * width), ("entries", None)]:
        part = log.folder / "tile" / row / "000.p"
        part.mkdir(exist_ok=True)
        data = log.tile(row, 0).read_bytes()
        if cut is None:
            entries = log.entries(0)[:width]
            data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        else:
            data = data[:cut]
        (part / str(width)).write_bytes(data)


def resized(note, size):
    lines = note.split(b"\n")
    lines[1] = str(size).encode()
    return b"\n".join(lines)


def forged_size(log):
    (log.folder / "checkpoint").write_bytes(resized(log.note, log.size - 1))


def swapped_bundles(log):
    one, other = log.tile("entries", 0), log.tile("entries", 1)
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def missing_bundle(log):
    log.tile("entries", 0).unlink()


DAMAGE = [
    changed_byte,
    changed_hash,
    rewritten_entry,
    dropped_last,
    dropped_last_with_its_hash,
    rollback,
    forged_size,
    swapped_bundles,
    missing_bundle,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_what_is_not_the_log_is_refused(verifier, copy, damage):
    damage(copy)
    good, says = verifier(copy)
    assert not good, says
    assert "refused: " in says or "is not sound" in says, says


def test_another_key_is_refused(verifier, copy, tmp_path):
    from aics_tlog import vkey_from_ed25519
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    origin = copy.key.split("+")[0]
    other = str(vkey_from_ed25519(origin, Ed25519PrivateKey.generate().public_key()))
    good, says = verifier(copy, key=other)
    assert not good, says


def test_the_first_bad_entry_is_named(copy):
    rewritten = copy.entries(1)
    rewritten[9] = rewritten[9].replace(b'"v":1', b'"v":2')
    copy.put_entries(1, rewritten)
    good, says = by_merestone(None, copy)
    assert not good and "entry 265" in says, says


def test_a_proof_of_one_entry_stands_alone(go, house, log, tmp_path):
    file = tmp_path / "one.tlog-proof"
    made = house.gate.cli("ledger", "prove", "300", "--out", file)
    assert made.code == 0, made.text
    assert log.entries(1)[300 - 256] == base64.b64decode(
        file.read_text().split("\n")[1].removeprefix("extra ")
    )

    def verdicts(path):
        words = [go, log.key, "proof", path]
        there = subprocess.run(words, capture_output=True, timeout=30).returncode == 0
        command = [product.MERESTONE, "ledger", "verify", "--proof", path, "--key", log.key]
        ours = subprocess.run(command, capture_output=True, timeout=30, env=product.ENV)
        return there, ours.returncode == 0

    assert verdicts(file) == (True, True)
    text = file.read_text()
    other = tmp_path / "other.tlog-proof"
    house.gate.cli("ledger", "prove", "301", "--out", other)
    swapped = other.read_text().split("\n")[1]
    for number, wrong in enumerate(
        [
            text.replace("index 300", "index 301"),
            "\n".join([text.split("\n")[0], swapped, *text.split("\n")[2:]]),
            text.replace("\n\n", "\n" + text.split("\n")[3] + "\n\n", 1),
        ]
    ):
        path = tmp_path / f"wrong-{number}"
        path.write_text(wrong)
        assert verdicts(path) == (False, False), wrong


def test_the_checkpoint_is_measured(build_house):
    house = build_house(tables={"admin": {"listen": "127.0.0.1:0"}})
    start = "metrics and readiness are on "
    admin = house.gate.process.wait_for_line(start, house.gate.process.stderr_path)
    talk(house, 2)
    _, note = published(house, 6)

    def measured():
        text = urllib.request.urlopen(admin + "/metrics", timeout=5).read().decode()
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if " " in line)
        name = "merestone_checkpoint_"
        return {key[len(name) :]: int(values[key]) for key in values if key.startswith(name)}

    covered = int(note.split("\n")[1])
    found = await_that(lambda: measured()["entries"] >= covered and measured())
    assert found["failed"] == 0
    assert 0 < found["unwitnessed_milliseconds"] < 60_000
    assert found["age_milliseconds"] <= found["unwitnessed_milliseconds"] + 1_000


def test_pruning_and_a_hold_by_command(go, build_house, tmp_path):
    house = build_house()
    key = house.gate.cli("ledger", "key").stdout.strip()
    talk(house, 140)
    tlog, note = published(house, 280)
    older = tmp_path / "older"
    older.write_text(note)
    assert house.gate.cli("ledger", "hold", "set", "--reason", "case 12").code == 0
    refused = house.gate.cli("ledger", "prune", "--before", "256")
    assert refused.code != 0 and "legal hold" in refused.text
    assert (tlog / "tile/entries/000").exists()
    assert house.gate.cli("ledger", "hold", "lift", "--reason", "case 12 closed").code == 0
    pruned = house.gate.cli("ledger", "prune", "--before", "270")
    assert pruned.code == 0 and "before 256" in pruned.text, pruned.text
    assert not (tlog / "tile/entries/000").exists()
    assert "256 entries before it still stand in the oldest segment" in pruned.text
    unproved = house.gate.cli("ledger", "prove", "17")
    assert unproved.code != 0 and "entry 17 was pruned" in unproved.text, unproved.text
    told = [leaf for leaf in house.gate.ledger() if leaf.get("type") == "event"]
    acts = [leaf["act"] for leaf in told]
    assert acts[-3:] == ["hold-set", "hold-lifted", "pruned"]
    talk(house, 3)
    house.gate.verify()
    house.gate.restart()
    house.gate.verify()
    assert by_merestone(None, Log(tlog, key, older))[0]


class Witness:
    """A C2SP witness of its own process."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder, self.config = folder, folder / "witness.json"
        self.url = unused_port()
        listen = self.url.removeprefix("http://")
        self.key = self.cli("init", "--name", "witness.example/w1", "--listen", listen)
        self.key = next(word for word in self.key.split() if word.startswith("witness.example/w1+"))
        self.process = None

    def cli(self, *words):
        command = [BIN / "aics-witness", words[0], "--config", self.config, *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def know(self, key):
        self.cli("add-log", "--origin", key.split("+")[0], "--vkey", key)

    def start(self):
        command = [BIN / "aics-witness", "serve", "--config", self.config]
        self.process = Process(command, self.folder, "witness")
        await_that(self.alive, says="the witness does not answer")

    def alive(self):
        try:
            return urllib.request.urlopen(self.url + "/healthz", timeout=2).status == 200
        except OSError:
            return False


@pytest.fixture
def witness(tmp_path):
    witness = Witness(tmp_path / "witness")
    yield witness
    if witness.process:
        witness.process.stop()


def test_a_witness_cosigns_one_branch_and_refuses_the_other(build_house, witness, tmp_path):
    house = build_house(start=False)
    key = house.gate.cli("ledger", "key", "--origin", "log.example/branches").stdout.strip()
    assert key.startswith("log.example/branches+")
    witness.know(key)
    witness.start()
    line = f'witnesses = ["{witness.url} {witness.key}"]'
    text = house.gate.file.read_text()
    assert "[evidence]" not in text
    house.gate.file.write_text(f"{text}\n[evidence]\n{line}\n")
    house.gate.start()
    talk(house, 3)
    house.gate.stop()
    # The other branch begins here.
    data, branch = house.gate.folder / "data", house.gate.folder / "branch"
    shutil.copytree(data, branch, ignore=shutil.ignore_patterns("*.sock"))
    house.gate.start()
    talk(house, 3)
    tlog = data / "ledger" / "tlog"

    def cosigned():
        """The newest checkpoint, if the witness signed it and it covers all."""
        path = tlog / "checkpoint.witnessed"
        if not path.exists():
            return None
        note = path.read_text()
        newest = (tlog / "checkpoint").read_text()
        fits = note.split("\n\n")[0] == newest.split("\n\n")[0]
        return note if fits and "witness.example/w1 " in newest else None

    note = await_that(cosigned, 20, says="the witness's line does not come")
    check_cosigned(note, key, witness.key)
    verify_witnessed(house, tlog, key, witness, tmp_path)
    # It grew, so the witness saw more than the beginning of both.
    assert int(note.split("\n")[1]) > 14
    house.gate.stop()

    shutil.rmtree(data)
    branch.rename(data)
    house.gate.start()
    talk(house, 1)
    told = house.gate.await_leaf(
        lambda leaf: leaf.get("act") == "degraded" and leaf.get("subject") == "witness", 20
    )
    assert "this log was" in told["facts"]["why"]
    assert "witness.example/w1 " not in (tlog / "checkpoint").read_text()


def verify_witnessed(house, tlog, key, witness, tmp_path):
    """merestone tells who cosigned how much, of the log, a copy and a proof."""
    size = int((tlog / "checkpoint.witnessed").read_text().split("\n")[1])

    def verified(*words):
        done = house.gate.cli("ledger", "verify", "--json", *words)
        return done.code, json.loads(done.stdout)

    code, told = verified()
    assert code == 0 and told["witnessed"] >= size, told
    assert [line["witness"] for line in told["witnesses"]] == ["witness.example/w1"]
    people = house.gate.cli("ledger", "verify").text
    assert "are witnessed" in people and "by witness.example/w1 at 20" in people, people
    copy = tmp_path / "copy"
    shutil.copytree(tlog, copy)
    named = tmp_path / "witnesses"
    named.write_text(f"# mine\n{witness.key}\n")
    for word in [witness.key, str(named)]:
        code, told = verified("--dir", str(copy), "--key", key, "--witness", word)
        assert code == 0 and told["witnessed"] >= size, told
    proof = tmp_path / "w.tlog-proof"
    assert house.gate.cli("ledger", "prove", "3", "--out", str(proof)).code == 0
    code, told = verified("--proof", str(proof), "--key", key, "--witness", witness.key)
    assert code == 0 and told["witnesses"][0]["witness"] == "witness.example/w1", told
    note = (copy / "checkpoint").read_text()
    text, lines = note.split("\n\n")
    lines = [line for line in lines.split("\n") if "witness.example/w1 " not in line]
    (copy / "checkpoint").write_text(text + "\n\n" + "\n".join(lines))
    (copy / "checkpoint.witnessed").unlink()
    assert verified("--dir", str(copy), "--key", key)[0] == 0
    code, told = verified("--dir", str(copy), "--key", key, "--witness", witness.key)
    assert code != 0 and "witness.example/w1 cosigned no checkpoint" in told["fault"], told


def check_cosigned(note, key, witness_key):
    from aics_tlog import parse_note, parse_vkey, verify_checkpoint

    keys = [parse_vkey(witness_key)]
    judged = verify_checkpoint(parse_note(note), parse_vkey(key), keys, quorum=1)
    assert judged.ok, judged.error
