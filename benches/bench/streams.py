"""Callers of streams: how late the first byte and the first text come.

A program of its own, so that its CPU is known: `streams.py CALLERS SECONDS`,
with BENCH_URL, BENCH_BODIES and BENCH_KEY in the environment. It prints one
line of JSON. Raw asyncio protocols, no HTTP library: its own cost is part of
what the vendor-alone row shows.
"""

import asyncio
import gc
import itertools
import json
import os
import re
import sys
import time
from time import perf_counter_ns
from urllib.parse import urlsplit

# A delta with text in it; the role that comes first has none.
TEXT = re.compile(rb'"content":\s*"[^"]')
GRACE_SECONDS = 8  # LIMIT: for streams that were begun to end


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as its stream has ended, and not
    again once it broke."""

    def __init__(self, tally, requests):
        self.tally, self.requests = tally, requests
        self.sent = 0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.ask()

    def ask(self):
        self.buffer, self.body_at, self.length = bytearray(), -1, None
        self.first_text = self.reads = 0
        self.tally.begun += 1
        request = self.requests[self.sent % len(self.requests)]
        request = request.replace(TURN, next(self.tally.words))
        self.sent += 1
        self.asked_at = perf_counter_ns()
        self.transport.write(request)

    def data_received(self, data):
        now = perf_counter_ns()
        self.buffer += data
        if self.body_at < 0 and not self.read_head():
            return
        if len(self.buffer) > self.body_at and not self.reads:
            self.tally.first_byte.append(now - self.asked_at)
        self.reads += 1
        if not self.first_text and TEXT.search(self.buffer, self.body_at):
            self.first_text = now
            self.tally.first_text.append(now - self.asked_at)
        if self.is_whole():
            self.finish(now)

    def read_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self.body_at = end + 4
        head = bytes(self.buffer[:end]).lower()
        self.ok = head.startswith(b"http/1.1 200")
        if match := re.search(rb"content-length: *(\d+)", head):
            self.length = int(match[1])
        return len(self.buffer) > self.body_at

    def is_whole(self):
        if self.length is not None:
            return len(self.buffer) >= self.body_at + self.length
        return self.buffer.endswith(b"\r\n0\r\n\r\n")

    def finish(self, now):
        body = self.buffer[self.body_at :]
        self.tally.total.append(now - self.asked_at)
        self.tally.chunks += body.count(b"data: ")
        self.tally.reads += self.reads
        self.tally.refused += not self.ok
        self.tally.unended += self.ok and b"data: [DONE]" not in body
        if perf_counter_ns() < self.tally.until:
            self.ask()
        else:
            self.asked_at = None
            self.transport.close()

    def connection_lost(self, _error):
        if self.asked_at is not None and not self.tally.closing:
            self.tally.lost += 1
        if not self.ended.done():
            self.ended.set_result(None)


class Tally:
    """What all callers saw; times in nanoseconds."""

    def __init__(self, until):
        self.until, self.closing = until, False
        self.words = words()
        self.first_byte, self.first_text, self.total = [], [], []
        self.begun = self.chunks = self.reads = self.refused = 0
        # Broken off by the connection's end, or ended well without [DONE].
        self.lost = self.unended = 0

    def report(self, seconds):
        microseconds = lambda values: [round(value / 1000, 1) for value in values]
        return {
            "requests": len(self.total),
            "seconds": seconds,
            "chunks": self.chunks,
            "reads": self.reads,
            "refused": self.refused,
            "broken": self.lost + self.unended,
            "unfinished": self.begun - len(self.total) - self.lost,
            "first_byte_us": microseconds(self.first_byte),
            "first_text_us": microseconds(self.first_text),
            "total_us": microseconds(self.total),
        }


TURN = b"@@turn@@"  # see prompts.py; this module runs alone


def words():
    """Words of as many letters as TURN has, none of which was sent before:
    another beginning each second."""
    for number in itertools.count(int(time.time()) % 1_000_000 * 200_000):
        letters = bytearray()
        for _ in TURN:
            number, letter = divmod(number, 26)
            letters.append(97 + letter)
        yield bytes(letters)


def read_requests(url, path, key):
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: "
    )
    with open(path, "rb") as file:
        bodies = [line.rstrip(b"\n") for line in file]
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


async def run(callers, seconds):
    url = os.environ["BENCH_URL"]
    requests = read_requests(url, os.environ["BENCH_BODIES"], os.environ["BENCH_KEY"])
    parts, loop = urlsplit(url), asyncio.get_running_loop()
    started = perf_counter_ns()
    tally = Tally(started + seconds * 1_000_000_000)
    protocols = []
    for number in range(callers):
        turned = requests[number % len(requests) :] + requests[: number % len(requests)]
        make = lambda turned=turned: Caller(tally, turned)
        _, protocol = await loop.create_connection(make, parts.hostname, parts.port)
        protocols.append(protocol)
        # Spread over the first second, so that streams do not march in step.
        await asyncio.sleep(1 / callers if callers > 1 else 0)
    ends = [protocol.ended for protocol in protocols]
    left = (tally.until - perf_counter_ns()) / 1e9 + GRACE_SECONDS
    await asyncio.wait(ends, timeout=max(left, 1))
    measured = (perf_counter_ns() - started) / 1e9
    tally.closing = True
    for protocol in protocols:
        protocol.transport.abort()
    return tally.report(measured)


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))))
