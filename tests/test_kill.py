"""Kill -9 under load: no reply without its record.

Every completely received reply has both halves of its record, every partly
received one its first and, after the restart, a closing one with its cause.
"""

import time
from collections import Counter

import pytest

from harness.load import Load
from harness.paths import LONG, rng

# Two or three seconds each.
TIMES = 50 if LONG else 20


def _check(leaves, calls):
    admitted = {leaf["exchange"] for leaf in leaves if leaf["type"] == "admitted"}
    closed = {leaf["exchange"]: leaf for leaf in leaves if leaf["type"] == "closed"}
    assert admitted == set(closed), "exactly one closing half for each first half"
    for call in calls:
        if call.came == "complete":
            assert call.exchange in admitted
            assert closed[call.exchange]["outcome"] == "complete"
        elif call.came == "partial":
            assert call.exchange in admitted
            assert closed[call.exchange]["outcome"] in ("node-stopped", "complete")


@pytest.mark.parametrize("turn", range(TIMES))
def test_kill_under_load(build_house, turn):
    house = build_house()
    house.openai.behave(delay_ms=rng("delay", turn).choice([0, 1, 5, 20]))
    load = Load(house.url, house.key)
    time.sleep(rng("kill", turn).uniform(0.2, 1.2))
    house.gate.kill()
    calls = load.stop()
    came = Counter(call.came for call in calls)
    assert came["complete"], "the load did run"

    house.gate.start()
    leaves = house.gate.ledger()
    _check(leaves, calls)
    assert Counter(leaf["type"] for leaf in leaves)["unclean-start"] == 1
    house.gate.verify()
    assert Load(house.url, house.key, callers=1).stop()[0].came == "complete"
    house.gate.stop()
    house.gate.verify()


def test_many_kills_in_one_log(build_house):
    """One folder, killed again and again: the log goes on without a gap."""
    house = build_house()
    house.openai.behave(delay_ms=2)
    key, calls = house.key, []
    for turn in range(TIMES):
        load = Load(house.url, key, callers=4)
        time.sleep(rng("again", turn).uniform(0.1, 0.5))
        house.gate.kill()
        calls += load.stop()
        house.gate.start()
    _check(house.gate.ledger(), calls)
    house.gate.verify()
