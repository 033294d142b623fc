"""When something is down: a row for each cell of the table that exists.

| down | shown in |
|---|---|
| the disk of the ledger | here: before an exchange's first record, between its two, after |
| the end of the ledger | here: torn, missing, exchanged, grown |
| the state folder's other parts | here: in use, without its keys, open to others |
| a control that cannot look through everything | here |
| the store | test_store.py |
| a vault, a vendor's key | test_secrets.py |
| the vendor: gone, slow, garbage, cut off | test_faults_vendor.py |
| the configuration | test_faults_config.py |

A small disk is a tmpfs, which only root can mount.
"""

import os
import resource
import shutil
import signal
import subprocess
import time

import pytest

from harness import raw
from harness.channels import CHANNELS
from harness.streaming import CHAT, Streaming, slow_script
from harness.vendor import EVENTS, script

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
MIB = 1 << 20
SECOND = 3


def call(house):
    return raw.post(house.url, CHAT, HELLO, house.key)


def await_that(holds, seconds, what):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.05)


# The disk is full.


class Disk:
    """A small file system for a gate's state folder."""

    def __init__(self, folder, mib):
        assert os.geteuid() == 0, "a small disk is a tmpfs, and only root mounts one"
        self.folder = folder
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "merestone-test", folder]
        subprocess.run(list(map(str, command)), check=True, timeout=30)

    @property
    def free(self):
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave=0):
        """Another program takes what is free."""
        with open(self.folder / "another-program", "ab") as file:
            while self.free > leave:
                length = min(self.free - leave, MIB)
                try:
                    file.write(b"x" * length)
                    file.flush()
                except OSError:
                    break

    def clear(self):
        (self.folder / "another-program").unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True, timeout=30)


@pytest.fixture
def on_disk(build_house):
    """A running gate with its state on a disk of so many MiB."""
    disks, houses = [], []

    def build(mib, free_bytes_min=MIB, **wanted):
        house = build_house(start=False)
        disks.append(Disk(house.gate.folder / "data", mib))
        evidence = {"free_bytes_min": free_bytes_min, **wanted}
        house.gate.file.write_text(house.config(tables={"evidence": evidence}))
        house.gate.start()
        houses.append(house)
        return house, disks[-1]

    yield build
    for house in houses:
        process = house.gate.process.popen
        if process.poll() is None:
            house.gate.kill()
    # The final search looks at what stood there.
    for disk in disks:
        disk.clear()
        kept = disk.folder.with_name("data-kept")
        shutil.copytree(disk.folder, kept, ignore=shutil.ignore_patterns("*.sock"))
        disk.close()
        shutil.copytree(kept, disk.folder, dirs_exist_ok=True)
        shutil.rmtree(kept)


def restarted(house, disk):
    """There is room again, and the gate runs: whether or not it ended by itself."""
    disk.clear()
    process = house.gate.process.popen
    if process.poll() is None:
        house.gate.kill()
    house.gate.start()
    house.openai.unscript()
    assert call(house).status == 200
    house.gate.verify()


def closings(house, exchange):
    leaves = house.gate.leaves_of(exchange)
    assert [leaf["type"] for leaf in leaves].count("admitted") <= 1
    return [leaf for leaf in leaves if leaf["type"] == "closed"]


def test_no_room_before_the_first_record(on_disk):
    house, disk = on_disk(48)
    assert call(house).status == 200
    disk.fill(leave=MIB // 2)
    # A reading of the free space counts for a moment.
    await_that(lambda: call(house).status == 503, 2, "nothing is admitted")
    house.openai.forget()
    for _ in range(3):
        reply = call(house)
        assert reply.status == 503 and "MS-LEDGER-001" in reply.message
        assert int(reply.headers["retry-after"]) >= 1
    assert house.openai.requests() == [], "nothing is sent that could not be recorded"
    disk.clear()
    await_that(lambda: call(house).status == 200, 2, "room again, without a restart")
    house.gate.stop()
    house.gate.verify()


def test_what_runs_has_its_room(on_disk):
    """Below the low-water mark nothing is admitted; what was, is recorded."""
    house, disk = on_disk(48)
    house.openai.script(*[slow_script(words=20) for _ in range(4)])
    streams = [Streaming(house.url, house.key).await_words() for _ in range(4)]
    disk.fill(leave=MIB // 2)
    house.openai.unscript()
    await_that(lambda: call(house).status == 503, 2, "nothing is admitted")
    assert "MS-LEDGER-001" in call(house).message
    for stream in streams:
        stream.await_end(20)
        assert stream.ended_cleanly
        (leaf,) = closings(house, stream.exchange)
        assert leaf["outcome"] == "complete"
    assert house.gate.process.popen.poll() is None
    house.gate.verify()


@pytest.mark.parametrize("mib", [4, 48], ids=["no room set aside", "room set aside"])
@pytest.mark.parametrize("durability", ["before-reply", "before-dispatch"])
def test_another_program_fills_the_disk_between_the_two_records(on_disk, mib, durability):
    """To the last byte. A stream whose end cannot be recorded has no end; one
    that ends has its record."""
    house, disk = on_disk(mib, free_bytes_min=MIB, durability=durability)
    house.openai.script(*[slow_script(words=15) for _ in range(4)])
    streams = [Streaming(house.url, house.key).await_words() for _ in range(4)]
    disk.fill()
    for stream in streams:
        stream.await_end(25)
    await_that(lambda: house.gate.process.popen.poll() is not None or disk.free == 0, 5, "full")
    if house.gate.process.popen.poll() is not None:
        assert house.gate.process.popen.returncode > 0
        assert "once the disk is well" in house.gate.process.stderr_path.read_text()
    before = {stream.exchange: stream.ended_cleanly for stream in streams}
    restarted(house, disk)
    for exchange, cleanly in before.items():
        (leaf,) = closings(house, exchange)
        if cleanly:
            assert leaf["outcome"] == "complete"
        else:
            assert leaf["outcome"] in ("node-stopped", "complete")


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "plain"])
def test_a_write_fails_between_the_two_records(build_house, streamed):
    """No file may grow from the middle of an exchange on: its reply has no
    end, the gate ends by itself and says so, and the next start closes it."""
    house = build_house()
    key = house.key
    if streamed:
        house.openai.script(slow_script(words=20))
    else:
        house.openai.script(script(CHANNELS[0].whole("fine"), head_delay_ms=2_000))
    if streamed:
        stream = Streaming(house.url, key).await_words()
        exchange = stream.exchange
    else:
        stream = Streaming(house.url, key)
        admitted = house.gate.await_leaf(lambda leaf: leaf["type"] == "admitted")
        exchange = admitted["exchange"]
    process = house.gate.process.popen
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    stream.await_end(20)
    if streamed:
        assert not stream.ended_cleanly
    else:
        assert stream.status != 200 or not stream.complete
    assert process.wait(20) > 0, "it ends by itself, and says that not all is well"
    house.gate.start()
    (leaf,) = closings(house, exchange)
    assert leaf["outcome"] == "node-stopped"
    house.gate.verify()


DURABILITIES = {
    # What may have left before the failure was seen.
    "before-reply": 1,
    "before-dispatch": 0,
}


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_write_fails_before_the_first_record(build_house, durability):
    house = build_house(start=False)
    evidence = {"evidence": {"durability": durability}}
    house.gate.file.write_text(house.config(tables=evidence))
    house.gate.start()
    key = house.key
    assert call(house).status == 200, house.gate.process.stderr_path.read_text()
    house.openai.forget()
    process = house.gate.process.popen
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    stream = Streaming(house.url, key).await_end(20)
    assert stream.status != 200 or not stream.data
    assert len(house.openai.requests()) <= DURABILITIES[durability]
    assert process.wait(20) > 0
    house.gate.start()
    assert call(house).status == 200
    house.gate.verify()


def test_no_room_after_the_last_record(on_disk):
    """What was recorded stays so; a gate that cannot say that it stopped says
    that, and the next one tells of the stop."""
    house, disk = on_disk(4)
    replies = [call(house) for _ in range(5)]
    disk.fill()
    house.gate.process.popen.terminate()
    assert house.gate.process.popen.wait(30) is not None
    restarted(house, disk)
    for reply in replies:
        (leaf,) = closings(house, reply.exchange)
        assert reply.status == 200 and leaf["outcome"] == "complete"


def test_a_start_on_a_full_disk_is_refused(on_disk):
    house, disk = on_disk(4)
    reply = call(house)
    house.gate.stop()
    disk.fill()
    result = house.gate.cli("up", seconds=30)
    assert result.code != 0 and "is ready" not in result.text
    assert "panicked" not in result.text
    words = ("space", "full", "recorded")
    assert any(word in result.text for word in words), result.text
    disk.clear()
    house.gate.start()
    assert call(house).status == 200
    (leaf,) = closings(house, reply.exchange)
    assert leaf["outcome"] == "complete"
    house.gate.verify()


# The end of the ledger.


def segments(house):
    folder = house.gate.folder / "data" / "ledger"
    return sorted(path for path in folder.iterdir() if path.suffix and path.name[0].isdigit())


def contents(folder):
    """Every file but the lock, which a look at it may make anew."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


TORN = {"one byte": b"\x01", "a header's beginning": b"\x00" * 7, "a page of zeros": bytes(4096), "noise": b"\xa5" * 333}


@pytest.mark.parametrize("rest", TORN)
def test_a_torn_tail_is_cut_and_the_cut_is_told(build_house, rest):
    house = build_house()
    reply = call(house)
    assert reply.status == 200
    house.gate.kill()
    with open(segments(house)[-1], "ab") as segment:
        segment.write(TORN[rest])
    house.gate.start()
    leaves = house.gate.ledger()
    (cut,) = [leaf for leaf in leaves if leaf.get("act") == "tail-cut"]
    assert int(cut["facts"]["bytes"]) == len(TORN[rest])
    assert [leaf["type"] for leaf in leaves].count("unclean-start") == 1
    (leaf,) = closings(house, reply.exchange)
    assert leaf["outcome"] == "complete"
    house.gate.verify()
    assert call(house).status == 200


def _cut(count):
    def cut(house):
        path = segments(house)[-1]
        os.truncate(path, path.stat().st_size - count)

    return cut


def _older_segment(house):
    """The segment as it was before the last calls; the head is of now."""
    shutil.copy(house.gate.folder / "before", segments(house)[-1])


def _bit(house):
    path = segments(house)[-1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _checkpoint_bit(house):
    path = house.gate.folder / "data" / "ledger" / "tlog" / "checkpoint"
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 1] ^= 1
    path.write_bytes(data)


def _grown(house):
    with open(segments(house)[-1], "ab") as segment:
        segment.write(b"\x00" * 64)


def _gone(name):
    return lambda house: (house.gate.folder / "data" / name).unlink()


def _no_segments(house):
    for path in segments(house):
        path.unlink()


HEAD = "Put the newest copy of the whole ledger folder back"
VERIFY = "`merestone ledger verify` tells more"
# name: (what is done to a ledger that was closed in good order, words of the error)
UNSOUND = {
    "its last byte is missing": (_cut(1), [VERIFY]),
    "its last kilobyte is missing": (_cut(1_000), [VERIFY]),
    "its last records are missing": (_older_segment, [HEAD, "the last ones are missing"]),
    "all its segments are missing": (_no_segments, [HEAD, "the last ones are missing"]),
    "its head is missing": (_gone("ledger/head"), [HEAD, "`head` is missing"]),
    "one bit is another": (_bit, [VERIFY]),
    "its checkpoint was changed": (_checkpoint_bit, [HEAD, "its signature is wrong"]),
    "something was added": (_grown, [VERIFY]),
}


@pytest.mark.parametrize("how", UNSOUND)
def test_a_ledger_that_is_not_as_it_was_left_is_refused(build_house, how):
    house = build_house()
    assert call(house).status == 200
    house.gate.stop()
    shutil.copy(segments(house)[-1], house.gate.folder / "before")
    house.gate.start()
    assert call(house).status == 200
    house.gate.stop()
    ledger = house.gate.folder / "data" / "ledger"
    kept = house.gate.folder / "kept"
    shutil.copytree(ledger, kept)
    damage, words = UNSOUND[how]
    damage(house)
    before = contents(ledger)
    for command in (("up",), ("key", "create", "--owner", "x")):
        result = house.gate.cli(*command, seconds=30, secret=command[0] == "key")
        assert result.code != 0 and "is ready" not in result.text, command
        assert all(word in result.text for word in words), (command, result.text)
        assert "Nothing was changed" in result.text
        assert contents(ledger) == before
    assert house.gate.cli("ledger", "verify").code != 0
    # With the copy back it goes on.
    shutil.rmtree(ledger)
    shutil.copytree(kept, ledger)
    house.gate.start()
    assert call(house).status == 200
    house.gate.verify()


# The other parts of the state folder.


def test_a_second_process_on_the_folder_is_refused(build_house):
    house = build_house()
    assert call(house).status == 200
    result = house.gate.cli("up", seconds=30)
    assert result.code != 0 and "is ready" not in result.text
    assert "another merestone process is using" in result.text
    assert call(house).status == 200, "the first one does not mind"
    assert house.gate.cli("key", "list").code == 0, "its control socket is still its own"
    # Nor does a command take the folder from under a gate whose socket is gone.
    (house.gate.folder / "data" / "control.sock").unlink()
    result = house.gate.cli("key", "create", "--owner", "x", secret=True)
    assert result.code != 0 and "another merestone process is using" in result.text
    house.gate.stop()
    house.gate.verify()


def test_a_second_process_while_the_first_hangs(build_house):
    """A process that does not answer is there all the same."""
    house = build_house()
    process = house.gate.process.popen
    os.kill(process.pid, signal.SIGSTOP)
    try:
        result = house.gate.cli("up", seconds=30)
        assert result.code != 0 and "another merestone process is using" in result.text
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert call(house).status == 200


def _secrets_gone(house):
    shutil.rmtree(house.gate.folder / "data" / "secrets")


def _short_secret(house):
    path = house.gate.folder / "data" / "secrets" / "commitments.key"
    path.write_bytes(path.read_bytes()[:16])


def _open_folder(house):
    (house.gate.folder / "data").chmod(0o755)


def _garbage(name, text="{"):
    return lambda house: (house.gate.folder / "data" / name).write_text(text)


# name: (what is done to the folder of a stopped gate, words of the error)
PARTS = {
    "its keys": (_secrets_gone, ["secrets/", "is missing", "put it back from a copy"]),
    "the key of its commitments": (
        _gone("secrets/commitments.key"),
        ["secrets/commitments.key is missing", "put it back from a copy"],
    ),
    "the key of its tokens": (
        _gone("secrets/tokens.key"),
        ["secrets/tokens.key is missing", "put it back from a copy"],
    ),
    "the key of its checkpoints": (
        _gone("secrets/checkpoint.key"),
        ["secrets/checkpoint.key is missing", "put it back from a copy"],
    ),
    "half of a key": (_short_secret, ["commitments.key is too short"]),
    "its privacy": (_open_folder, ["chmod 700"]),
    "what is switched off": (_garbage("switches.json"), ["switches.json cannot be understood"]),
    "the virtual keys": (_garbage("keys.db", "no database" * 100), ["store"]),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_state_folder_that_lost(build_house, part):
    house = build_house()
    assert call(house).status == 200
    house.gate.cli("switch", "off", "model", "other", "--reason", "so that there is a file")
    house.gate.stop()
    data, kept = house.gate.folder / "data", house.gate.folder / "kept"
    shutil.copytree(data, kept)
    lose, words = PARTS[part]
    lose(house)
    for command in (("up",), ("up",)):
        result = house.gate.cli(*command, seconds=30)
        assert result.code != 0 and "is ready" not in result.text
        assert all(word in result.text for word in words), result.text
        assert "panicked" not in result.text
    names = {str(path) for path in contents(data / "secrets")} if (data / "secrets").exists() else set()
    assert names <= {"checkpoint.key", "commitments.key", "tokens.key"}
    if part == "its keys":
        assert names == set(), "no new keys are made in their place"
    # With the copy back it goes on.
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    data.chmod(0o700)
    house.gate.start()
    assert call(house).status == 200
    house.gate.verify()


def test_a_key_made_before_the_first_start(build_house):
    """A command may be the first to use a folder; the gate starts after it."""
    house = build_house(start=False)
    key = house.gate.key("first of all")
    assert house.gate.key("second")["id"] != key["id"]
    house.gate.start()
    assert raw.post(house.url, CHAT, HELLO, key["key"]).status == 200


# A control that cannot look through everything.

# Each letter of it folds into eighteen, in each reading of each reading.
UNFOLDING = "\ufdfa" * 20_000 + " %41%42 \\u0041\\u0042 &#65;&#66; =41=42"


def test_a_request_that_is_more_work_than_may_be_done(build_house):
    house = build_house()
    body = {**HELLO, "messages": [{"role": "user", "content": UNFOLDING}]}
    started = time.monotonic()
    reply = raw.post(house.url, CHAT, body, house.key)
    assert reply.status == 413 and "MS-SCREEN-004" in reply.message
    assert time.monotonic() - started < 20
    assert house.openai.requests() == [], "what was not looked through is not sent"
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("code") == "MS-SCREEN-004")
    assert leaf["type"] == "refused"
    assert call(house).status == 200


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "plain"])
def test_a_reply_that_is_more_work_than_may_be_done(build_house, streamed):
    house = build_house()
    content = CHANNELS[0]
    body = content.stream([UNFOLDING]) if streamed else content.whole(UNFOLDING)
    house.openai.script(script(body, kind=EVENTS if streamed else "application/json"))
    reply = raw.post(house.url, CHAT, {**HELLO, "stream": streamed}, house.key)
    assert "\ufdfa".encode() not in reply.body and b"\\ufdfa" not in reply.body
    assert b"MS-REPLY-00" in reply.body
    assert streamed or reply.status == 502
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed")
    assert leaf["outcome"] != "complete" and leaf["code"].startswith("MS-REPLY-00")
