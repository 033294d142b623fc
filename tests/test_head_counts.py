"""Each day's head-count in the log: the gate runs two days ago by
libfaketime, then today, then two days ago again."""

import glob
import json
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from harness import gate as harness_gate
from harness import raw

CHAT = "/v1/chat/completions"
LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
AGO = timedelta(days=2)


def day(ago):
    return (datetime.now(timezone.utc) - ago).date().isoformat()


@pytest.fixture
def two_days_ago(monkeypatch):
    """Sets the clock of every program that is started from now on, back or right."""
    assert LIBRARY, "libfaketime is not installed; ./test does it"

    def turn(back):
        for name, value in (("LD_PRELOAD", LIBRARY[0]), ("FAKETIME", "-48h"), ("DONT_FAKE_MONOTONIC", "1")):
            if back:
                monkeypatch.setitem(harness_gate.ENV, name, value)
            else:
                monkeypatch.delitem(harness_gate.ENV, name)

    return turn


def head_counts(house):
    return [leaf for leaf in house.gate.ledger() if leaf["type"] == "head-count"]


def ask(house):
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    reply = raw.post(house.url, CHAT, body, house.key)
    assert reply.status == 200
    return reply.json["usage"]


def test_a_day_is_recorded_once_at_the_next_start_and_held_against_its_entries(build_house, two_days_ago):
    house = build_house(start=False)
    two_days_ago(True)
    then = day(AGO)
    house.gate.start()
    usage = Counter()
    for _ in range(3):
        usage.update({name: count for name, count in ask(house).items() if isinstance(count, int)})
    assert head_counts(house) == [], "the day goes on"
    house.gate.stop()
    two_days_ago(False)
    house.gate.start()
    house.gate.await_leaf(lambda leaf: leaf["type"] == "head-count" and leaf["day"] >= then)
    [first, *_] = head_counts(house)
    assert (first["day"], first["part"], first["parts"]) == (then, 1, 1)
    [row] = first["rows"]
    assert (row["admitted"], row["closed"], row["requests"], row["open"]) == (3, 3, 3, 0)
    assert row["input_tokens"] == usage["prompt_tokens"]
    assert row["output_tokens"] == usage["completion_tokens"]
    # Its clock goes back, something passes on that day again, and it is right again.
    house.gate.stop()
    two_days_ago(True)
    house.gate.start()
    ask(house)
    house.gate.stop()
    two_days_ago(False)
    house.gate.start()
    days = Counter(leaf["day"] for leaf in head_counts(house))
    assert days[then] == 1 and set(days.values()) == {1}
    done = house.gate.cli("ledger", "count", "--json").json
    assert done["head_counts"]["equal"] == done["head_counts"]["recorded"] >= 1
    assert done["head_counts"]["differences"] == [] and done["total"]["requests"] == 4
    assert json.loads(house.gate.cli("ledger", "verify", "--json").stdout)["head_counts"]["faults"] == []
    house.gate.verify()
