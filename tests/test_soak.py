"""Streams and plain calls mixed, for a while: the records are equal to what the
clients counted, and memory does not grow.

Ten minutes in a long run, with the memory's slope; twenty seconds otherwise,
for the counts.
"""

import http.client
import json
import re
import statistics
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from harness import sse
from harness.gate import ENV, OUTPUTS
from harness.paths import LONG, MERESTONE, rng
from harness.process import Process

CALLERS = 8
SAMPLE_SECONDS = 5
# Least squares over the second half.
SLOPE_MIB_PER_MINUTE_MAX = 1.0
WORDS = "some words that are echoed one after the other and then some more of them ".split()


class Caller:
    """One caller on one connection: what it asked and what came, counted."""

    def __init__(self, house, number, stop):
        self.asked, self.came, self.faults = Counter(), {}, []
        self._house, self._stop = house, stop
        self._source = rng("soak", number)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._key = house.key

    def start(self):
        self._thread.start()

    def join(self):
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self):
        parts = urlsplit(self._house.url)
        line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        while not self._stop.is_set():
            api = self._source.choice(["openai", "anthropic"])
            stream = self._source.random() < 0.5
            try:
                self._call(line, api, stream)
            except (OSError, http.client.HTTPException, AssertionError) as fault:
                self.faults.append((api, stream, repr(fault)))
                return
        line.close()

    def _call(self, line, api, stream):
        text = " ".join(self._source.choices(WORDS, k=self._source.randrange(5, 200)))
        body = {"model": f"soak-{api}", "stream": stream, "max_tokens": 4_096}
        body["messages"] = [{"role": "user", "content": text}]
        path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[api]
        heads = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        heads["anthropic-version"] = "2026-10-21"
        sent = json.dumps(body)
        line.request("POST", path, sent, heads)
        reply = line.getresponse()
        data = reply.read()
        assert reply.status == 200, data
        if stream:
            assert sse.ended(api, data) in ("stop", "end_turn"), data[-300:]
        exchange = reply.headers["x-merestone-exchange"]
        assert exchange not in self.came
        self.asked[api, stream] += 1
        self.came[exchange] = (api, stream, len(sent), None if stream else tokens(api, data))


def tokens(api, data):
    """Tokens read and written, as a plain reply tells them."""
    usage = json.loads(data)["usage"]
    names = {
        "openai": ("prompt_tokens", "completion_tokens"),
        "anthropic": ("input_tokens", "output_tokens"),
    }[api]
    return tuple(usage[name] for name in names)


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1_024


def slope(samples):
    """MiB a minute, by least squares, of (seconds, MiB)."""
    seconds, sizes = zip(*samples)
    return statistics.linear_regression(seconds, sizes).slope * 60


def soak(house, seconds):
    """Runs the callers; what they counted, and the gate's memory meanwhile."""
    stop, samples = threading.Event(), []
    callers = [Caller(house, number, stop) for number in range(CALLERS)]
    pid, started = house.gate.process.popen.pid, time.monotonic()
    for caller in callers:
        caller.start()
    while (passed := time.monotonic() - started) < seconds:
        samples.append((passed, rss_mib(pid)))
        # The fakes keep what they were asked, which is not what is measured.
        for vendor in house.vendors.values():
            vendor.forget()
        time.sleep(min(SAMPLE_SECONDS, max(0.0, seconds - passed)))
    stop.set()
    for caller in callers:
        caller.join()
    assert [fault for caller in callers for fault in caller.faults] == []
    return callers, samples


class Followed:
    """`ledger tail --follow` beside the gate: every leaf, however many."""

    def __init__(self, gate):
        command = [MERESTONE, "ledger", "tail", "--follow", "--json", "--count", 100_000]
        self._process = Process([*command, "--config", gate.file], gate.folder, "tail", env=ENV)
        OUTPUTS.extend([self._process.stdout_path, self._process.stderr_path])

    def leaves(self, seconds=60):
        """All of them, once the gate has said that it stopped."""
        self._process.wait_for_line('"gate-stopped"', self._process.stdout_path, seconds)
        self._process.kill()
        with open(self._process.stdout_path) as lines:
            entries = [json.loads(line) for line in lines]
        assert [entry["sequence"] for entry in entries] == list(range(len(entries)))
        return [entry["leaf"] for entry in entries]


def counts_are_equal(house, callers):
    came = {}
    for caller in callers:
        assert not came.keys() & caller.came.keys()
        came.update(caller.came)
    assert sum((caller.asked for caller in callers), Counter()).total() == len(came) > CALLERS
    assert len({(api, stream) for api, stream, *_ in came.values()}) == 4, "all kinds ran"
    verified = house.gate.cli("ledger", "verify", "--json", seconds=120).json
    assert verified["sound"] and verified["open"] == [] and verified["refused"] == 0
    assert verified["admitted"] == verified["closed"] == len(came)
    return came


def records_are_equal(leaves, came):
    admitted, closed = {}, {}
    for leaf in leaves:
        if leaf["type"] == "admitted":
            assert leaf["exchange"] not in admitted
            admitted[leaf["exchange"]] = leaf
        elif leaf["type"] == "closed":
            assert leaf["exchange"] not in closed
            closed[leaf["exchange"]] = leaf
    assert admitted.keys() == closed.keys() == came.keys()
    for exchange, (api, stream, length, used) in came.items():
        request = admitted[exchange]["request"]
        assert (request["vendor"], request["stream"]) == (api, stream)
        assert request["model"] == f"soak-{api}"
        assert closed[exchange]["outcome"] == "complete"
        assert request["body_bytes"] == length
        if used is not None:
            usage = closed[exchange]["usage"]
            assert used == (usage["input_tokens"], usage["output_tokens"])


@pytest.mark.parametrize("seconds", [600] if LONG else [20])
def test_soak(build_house, seconds):
    house = build_house()
    house.key
    for vendor in house.vendors.values():
        vendor.behave(delay_ms=rng("soak", vendor.api).choice([1, 2, 3]))
    followed = Followed(house.gate)
    callers, samples = soak(house, seconds)
    came = counts_are_equal(house, callers)
    if LONG:
        half = samples[len(samples) // 2 :]
        assert len(half) >= 50
        assert slope(half) < SLOPE_MIB_PER_MINUTE_MAX, samples
        assert max(size for _, size in samples) < 256, samples
    house.gate.stop()
    records_are_equal(followed.leaves(), came)
    house.gate.verify()
