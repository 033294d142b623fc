"""`[when_down]` with "open": exchanges pass where the operator said so, for as
long as they said, each one counted; nowhere else and no longer. The closed
cells of the table are in test_when_down.py."""

import datetime
import json
import time

import pytest

from harness import raw
from harness.channels import CHANNELS
from harness.disk import MIB
from harness.metrics import ADMIN, Metrics
from harness.running import await_that
from harness.streaming import CHAT, Streaming, slow_script
from harness.vendor import script

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
# Each letter of it folds into eighteen, in each reading of each reading.
UNFOLDING = "\ufdfa" * 20_000 + " %41%42 \\u0041\\u0042 &#65;&#66; =41=42"
LATER = "2100-01-31"
# The fake would say the text again.
FINE = script(CHANNELS[0].whole("fine"))


def in_seconds(count):
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=count)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def call(house, **more):
    return raw.post(house.url, CHAT, {**HELLO, **more}, house.key)


def exchanges(house):
    return [leaf["exchange"] for leaf in house.gate.ledger() if leaf["type"] in ("admitted", "closed")]


def degraded(house):
    return [leaf for leaf in house.gate.ledger() if leaf.get("act") == "degraded"]


def open_evidence(on_disk, until, mib=48):
    tables = {**ADMIN, "when_down": {"evidence": "open", "evidence_until": until}}
    house, disk = on_disk(mib, tables=tables)
    assert call(house).status == 200
    return house, disk, Metrics(house.gate)


def unrecorded(house, call_once, seconds=3):
    """Calls until one passes without a record; its name, and how many calls
    came before it. A reading of the free space counts for a moment."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        reply = call_once()
        assert reply.status == 200
        if reply.exchange not in exchanges(house):
            return reply.exchange
    raise AssertionError("every exchange still has its record")


@pytest.mark.parametrize("left", [MIB // 2, 0], ids=["a little room", "not one byte"])
def test_exchanges_pass_without_evidence_and_are_counted(on_disk, left):
    house, disk, metrics = open_evidence(on_disk, LATER)
    disk.fill(leave=MIB // 2)
    passed = [unrecorded(house, lambda: call(house))]
    # What was recorded before is whole on the disk: a write that fails ends
    # the process, whatever the operator says.
    time.sleep(2)
    disk.fill(leave=left)
    house.openai.forget()
    passed += [call(house).exchange for _ in range(4)]
    house.openai.script(slow_script(words=3, every_ms=20))
    stream = Streaming(house.url, house.key).await_end(20)
    assert stream.ended_cleanly
    passed.append(stream.exchange)
    assert len(house.openai.requests()) == 5
    # What is refused is refused all the same, known or not.
    assert raw.post(house.url, CHAT, b"{", house.key).status == 400
    assert raw.post(house.url, CHAT, HELLO, "nobody").status == 401
    time.sleep(1.5)  # Counts are written each second, if there is room.
    assert house.gate.process.popen.poll() is None, house.gate.process.stderr_path.read_text()
    assert metrics("exchanges_unrecorded_total") == len(passed)
    assert degraded(house) == [], "it is told when it is over"
    assert not set(passed) & set(exchanges(house))
    assert "when_down.evidence" in house.gate.process.stderr_path.read_text()

    disk.clear()
    await_that(lambda: degraded(house), 5, "it is not told")
    (leaf,) = degraded(house)
    assert leaf["subject"] == "evidence"
    assert leaf["facts"]["unrecorded"] == str(len(passed))
    assert int(leaf["facts"]["from_ms"]) <= int(leaf["facts"]["to_ms"]) <= leaf["at_ms"]
    later = call(house)
    assert later.status == 200 and exchanges(house).count(later.exchange) == 2
    assert metrics("exchanges_unrecorded_total") == len(passed)
    summaries = [leaf for leaf in house.gate.ledger() if leaf["type"] == "refused-summary"]
    counted = {leaf["code"]: leaf["count"] for leaf in summaries}
    assert counted == {"MS-ADMIT-003": 1, "MS-KNOW-002": 1}, "no refusal is lost"
    house.gate.stop()
    assert len(degraded(house)) == 1
    house.gate.verify()


def test_the_exception_of_evidence_ends_at_its_time(on_disk):
    house, disk, _ = open_evidence(on_disk, in_seconds(12))
    disk.fill(leave=MIB // 2)
    unrecorded(house, lambda: call(house))
    await_that(lambda: call(house).status == 503, 15, "it is open for good")
    house.openai.forget()
    reply = call(house)
    assert reply.status == 503 and "MS-LEDGER-001" in reply.message
    assert house.openai.requests() == []
    disk.clear()
    await_that(lambda: call(house).status == 200, 5)
    await_that(lambda: degraded(house), 5)
    house.gate.stop()
    house.gate.verify()


def test_an_exception_that_is_over_is_none(on_disk):
    house, disk, _ = open_evidence(on_disk, "2026-01-31")
    disk.fill(leave=MIB // 2)
    await_that(lambda: call(house).status == 503, 3)
    assert "MS-LEDGER-001" in call(house).message


def test_what_is_counted_is_told_by_a_gate_that_stops(on_disk):
    """With a little room, and none set aside for more exchanges."""
    house, disk, metrics = open_evidence(on_disk, LATER)
    disk.fill(leave=MIB // 2)
    unrecorded(house, lambda: call(house))
    count = metrics("exchanges_unrecorded_total")
    house.gate.stop()
    disk.clear()
    (leaf,) = degraded(house)
    assert leaf["facts"]["unrecorded"] == str(int(count))


def test_a_switch_works_while_evidence_is_open(on_disk):
    house, disk, _ = open_evidence(on_disk, LATER)
    disk.fill(leave=MIB // 2)
    unrecorded(house, lambda: call(house))
    house.openai.script(slow_script(words=200))
    stream = Streaming(house.url, house.key).await_words()
    assert house.gate.cli("switch", "off", "all", "--reason", "a leak").code == 0
    stream.await_end(5)
    assert stream.end == "error" and call(house).status == 503


# Controls


def unfolding(house):
    return raw.post(
        house.url, CHAT, {**HELLO, "messages": [{"role": "user", "content": UNFOLDING}]}, house.key
    )


def open_controls(build_house, until):
    tables = {**ADMIN, "when_down": {"controls": "open", "controls_until": until}}
    house = build_house(tables=tables)
    return house, Metrics(house.gate)


def test_a_text_passes_that_no_control_can_look_through(build_house):
    house, metrics = open_controls(build_house, LATER)
    house.openai.script(FINE)
    reply = unfolding(house)
    assert reply.status == 200, reply.message
    (body,) = house.openai.bodies()["m"]
    assert json.loads(body)["messages"][0]["content"].startswith("\ufdfa")
    assert metrics("texts_unseen_total") == 1
    (admitted,) = [leaf for leaf in house.gate.leaves_of(reply.exchange) if leaf["type"] == "admitted"]
    notes = [note["decided"] for note in admitted["rooms"]]
    assert any("1 texts passed that no control could look through" in note for note in notes), notes
    # What can be looked through is, and nothing is noted.
    plain = call(house)
    (admitted,) = [leaf for leaf in house.gate.leaves_of(plain.exchange) if leaf["type"] == "admitted"]
    assert not any("texts passed" in note["decided"] for note in admitted["rooms"])
    assert metrics("texts_unseen_total") == 1


def test_a_reply_never_passes_so(build_house):
    house, _ = open_controls(build_house, LATER)
    house.openai.script(script(CHANNELS[0].whole(UNFOLDING)))
    reply = call(house)
    assert reply.status == 502 and "MS-REPLY-00" in reply.message


def test_the_exception_of_controls_ends_at_its_time(build_house):
    house, metrics = open_controls(build_house, in_seconds(8))
    house.openai.script(FINE)
    assert unfolding(house).status == 200
    passed = metrics("texts_unseen_total")
    time.sleep(8)
    house.openai.forget()
    reply = unfolding(house)
    assert reply.status == 413 and "MS-SCREEN-004" in reply.message
    assert house.openai.requests() == []
    assert metrics("texts_unseen_total") == passed


@pytest.mark.parametrize("part", ["evidence", "controls"])
def test_only_who_says_until_when_opens_it(build_house, part):
    house = build_house(start=False)
    for table, says in (
        ({part: "open"}, "an exception needs an end"),
        ({f"{part}_until": LATER}, "goes with"),
        ({part: "open", f"{part}_until": "soon"}, "a moment as"),
        ({part: "open", f"{part}_until": "2100-01-31T12:00:00"}, "a moment as"),
        ({part: "ajar", f"{part}_until": LATER}, "open"),
    ):
        house.gate.file.write_text(house.config(tables={"when_down": table}))
        result = house.gate.cli("config", "check")
        assert result.code != 0 and says in result.text, (table, result.text)
