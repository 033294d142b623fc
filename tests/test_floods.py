"""Floods: a gate under attack keeps its memory and serves its other callers."""

import collections
import contextlib
import gzip
import json
import select
import shutil
import socket
import subprocess
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness import http1, paths, raw
from harness.channels import CHANNELS
from harness.floods import MEMORY_MIB_MAX, Crowd, peak_mib, rss_mib
from harness.http1 import Request
from harness.needles import fill
from harness.paths import rng
from harness.running import await_that
from harness.vendor import script

CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CHUNKED = "transfer-encoding: chunked"
GIB = 1 << 30


def of_model(house, model):
    return house.openai.bodies().get(model, [])


def test_heads_that_come_byte_by_byte(siege):
    """Slow-loris: whoever has no whole head in time is let go."""
    besieged = siege(header_seconds_max=2)
    start = f"POST {CHAT} HTTP/1.1\r\nhost: {besieged.request.host}\r\n".encode()
    with besieged.attacked() as attack:
        while attack.again():
            with Crowd(besieged.url, 300, start, b"x-a: b\r\n", every=0.4) as crowd:
                crowd.run(8)
                assert crowd.open == 0, "they are held for ever"
    assert of_model(besieged.house, "m") == []


def test_first_bytes_that_do_not_come_at_all(siege):
    """Neither a silent caller nor one that begins HTTP/2 slowly is held."""
    besieged = siege(header_seconds_max=2)
    for start in (b"", b"PRI * HTTP/2.0\r\n", b"P"):
        with besieged.attacked() as attack:
            while attack.again():
                with Crowd(besieged.url, 100, start) as crowd:
                    crowd.run(8)
                    assert crowd.open == 0, start


def test_bodies_that_come_byte_by_byte(siege):
    """They hold what they hold; nothing reaches the vendor, others go on, and
    those that stop are let go."""
    besieged = siege(body_idle_seconds_max=1)
    head = besieged.request(body=b"{", more="content-length: 100000", length=False)
    with besieged.attacked() as attack:
        while attack.again():
            with Crowd(besieged.url, 200, head, b" ", every=0.2) as crowd:
                crowd.run(4)
                crowd.drip = b""
                crowd.run(8)
                assert crowd.open == 0, "they are held for ever"
                assert all(b"MS-ARRIVE-005" in answer for answer in crowd.answers.values())
    assert of_model(besieged.house, "m") == []


def test_connections_that_are_half_closed(siege):
    """The end of what a caller sends ends what is half sent."""
    besieged = siege()
    whole = besieged.request()
    for start in (b"", whole[:30], whole[:-5]):
        with besieged.attacked() as attack:
            while attack.again():
                with Crowd(besieged.url, 200, start, half_close=True) as crowd:
                    crowd.run(8)
                    assert crowd.open == 0, start
                    for answer in crowd.answers.values():
                        assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert of_model(besieged.house, "m") == []


@pytest.mark.parametrize("shape", ["one line", "many lines", "many in one request line"])
def test_a_hundred_thousand_header_bytes(siege, shape):
    besieged = siege()
    wrong = {
        "one line": {"more": ["x-a: " + "b" * 100_000]},
        "many lines": {"more": ["a: b"] * 17_000},
        "many in one request line": {"line": f"POST {CHAT}?a={'b' * 100_000} HTTP/1.1"},
    }[shape]
    data = besieged.request(**wrong)

    def converse(_):
        answers, closed = http1.converse(besieged.url, data)
        return [answer.code for answer in answers], closed

    with besieged.attacked() as attack, ThreadPoolExecutor(8) as pool:
        while attack.again():
            for outcome in pool.map(converse, range(100)):
                assert outcome == (["MS-ARRIVE-013"], True)
    assert of_model(besieged.house, "m") == []


def _sockets_hold():
    """The most that two ends of a connection hold, by this machine's settings."""
    settings = [Path(f"/proc/sys/net/ipv4/tcp_{side}mem") for side in "rw"]
    return sum(int(setting.read_text().split()[2]) for setting in settings)


def _pour(url, head, total=GIB, chunked=False):
    """Sends a head and then so much, until the gate says no: its answer and
    how much it took."""
    piece = b" " * (1 << 20)
    framed = f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if chunked else piece
    sent, received = 0, b""
    with http1.line(url) as line:
        line.settimeout(20)
        line.sendall(head)
        line.setblocking(False)
        until, left = time.monotonic() + 60, memoryview(framed)
        while sent < total and not received and time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                received = line.recv(65536)
                if not received:
                    break
            try:
                took = line.send(left)
            except BlockingIOError:
                select.select([line], [line], [], 0.1)
                continue
            except OSError:
                break
            sent += took
            left = left[took:] or memoryview(framed)
        line.settimeout(20)
        with contextlib.suppress(OSError):
            while part := line.recv(65536):
                received += part
    return received, sent


@pytest.mark.parametrize("told", ["with a length", "chunked", "by nobody known"])
def test_a_body_of_a_gibibyte(siege, told):
    besieged = siege()
    request = Request(besieged.url, "nobody" if told == "by nobody known" else besieged.house.key)
    more = CHUNKED if told == "chunked" else f"content-length: {GIB}"
    head = request(more=more, length=False, body=b"")
    codes = [b"MS-KNOW-002"] if told == "by nobody known" else [b"MS-ARRIVE-002"]
    if told == "chunked":
        # Four at once are more than there is room for.
        codes.append(b"MS-ARRIVE-007")

    def pour(_):
        return _pour(besieged.url, head, chunked=told == "chunked")

    with besieged.attacked() as attack, ThreadPoolExecutor(4) as pool:
        while attack.again():
            for received, sent in pool.map(pour, range(4)):
                assert any(code in received for code in codes), received[:300]
                # The body that is allowed, what is taken after the refusal, and
                # what the sockets hold.
                allowed = (32 << 20) if told == "chunked" else 0
                assert sent < allowed + (8 << 20) + _sockets_hold(), "it takes the whole of it"
    assert of_model(besieged.house, "m") == []


def test_a_refusal_of_a_gibibyte_arrives(siege):
    """A caller who says first how much it is, and waits, is told."""
    besieged = siege()
    head = besieged.request(more=f"content-length: {GIB}", length=False, body=b"")
    with besieged.attacked() as attack:
        while attack.again():
            (answer,), closed = http1.converse(besieged.url, head)
            assert (answer.status, answer.code) == (413, "MS-ARRIVE-002") and closed


def test_many_large_bodies_at_once(siege):
    """Each of them is allowed; together they must not be more than there is
    room for. Whoever finds no room is told so."""
    besieged = siege()
    body = json.dumps({**HELLO, "pad": "x" * (31 << 20)}).encode()
    head = besieged.request(body=b"", more=f"content-length: {len(body)}", length=False)

    def send(line):
        line.settimeout(20)
        with contextlib.suppress(OSError):
            # All but the last byte, so that all are there at once.
            line.sendall(head + body[:-1])

    with besieged.attacked() as attack, ThreadPoolExecutor(12) as pool:
        while attack.again():
            with contextlib.ExitStack() as stack:
                lines = [stack.enter_context(http1.line(besieged.url)) for _ in range(12)]
                list(pool.map(send, lines))
                time.sleep(0.5)
                assert peak_mib(besieged.house.gate) < MEMORY_MIB_MAX


# What to make a text of that takes many times its bytes to look at.
LAVISH = {
    "addresses": "a@b.co ",
    "cards": "4111111111111111 ",
    "names of secrets": 'password: secret= api_key token: passwd="',
    "context words": "card ssn iban passport phone tax account licence ",
    "escapes": "%41\\n",
    "invisible characters": "a\u200b",
    "letters that stand for eighteen": "\ufdfa",
    "pairs of digits": "34 ",
    "digits": "4 1 ",
}


@pytest.mark.parametrize("kind", LAVISH)
def test_texts_that_take_memory_to_look_at(build_house, kind):
    """As long as a body may be. What is known of one text has its limits."""
    house = build_house()
    size = (31 if paths.LONG else 3) << 20
    unit = json.dumps(LAVISH[kind], ensure_ascii=False)[1:-1]
    text = unit * (size // len(unit.encode()))
    body = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % text.encode()
    for _ in range(2):
        reply = raw.post(house.url, CHAT, body, house.key)
        assert reply.status == 200 or "MS-SCREEN-004" in reply.message
    assert peak_mib(house.gate) < MEMORY_MIB_MAX


def test_what_large_bodies_took_is_given_back(build_house):
    """The allocator would keep pieces as large as those that it saw."""
    house = build_house()
    body = json.dumps({**HELLO, "pad": "x" * (31 << 20)}).encode()
    assert raw.post(house.url, CHAT, HELLO, house.key).status == 200
    before = rss_mib(house.gate)
    for _ in range(4):
        assert raw.post(house.url, CHAT, body, house.key).status == 200
    given_back = lambda: rss_mib(house.gate) < before + 30
    await_that(given_back, 5, "it stays with the gate")


DEPTH = 1_000_000
DEEP = {
    "lists": b'{"model":"m","x":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
    "objects": b'{"model":"m","x":' + b'{"a":' * DEPTH + b"1" + b"}" * DEPTH + b"}",
    "never closed": b"[" * DEPTH,
    "in a string": json.dumps(
        {
            "model": "m",
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "f", "arguments": "[" * DEPTH + "]" * DEPTH},
                        }
                    ],
                }
            ],
        }
    ).encode(),
}


@pytest.mark.parametrize("shape", sorted(DEEP))
def test_json_a_million_deep(siege, shape):
    besieged = siege()

    def post(_):
        return raw.post(besieged.url, CHAT, DEEP[shape], besieged.house.key)

    replies = []
    with besieged.attacked() as attack, ThreadPoolExecutor(4) as pool:
        while attack.again():
            replies += pool.map(post, range(8))
    for reply in replies:
        if shape == "in a string":
            # A text that is no document any more: read as text, or refused.
            assert reply.status == 200 or "MS-" in reply.message
        else:
            assert reply.status == 400 and "MS-ADMIT-006" in reply.message
    if shape != "in a string":
        assert of_model(besieged.house, "m") == []


def _gzip_bomb():
    """Half a gibibyte of nothing in half a mebibyte."""
    packer = zlib.compressobj(9, wbits=31)
    piece = b"\0" * (1 << 20)
    return b"".join([packer.compress(piece) for _ in range(512)] + [packer.flush()])


def test_bodies_that_unpack_to_very_much(siege):
    """They are refused as they are, without being unpacked."""
    besieged = siege()
    bomb = _gzip_bomb()
    assert len(bomb) < 1 << 20
    twice = gzip.compress(bomb)
    bombs = {
        "gzip": bomb,
        "x-gzip": bomb,
        "GZIP": bomb,
        "deflate": bomb,
        "br": bomb,
        "zstd": bomb,
        "gzip, gzip": twice,
        "identity, gzip": bomb,
        "x-unknown": bomb,
    }
    with besieged.attacked() as attack:
        while attack.again():
            for coding, body in [*bombs.items()] * 5:
                reply = raw.post(
                    besieged.url, CHAT, body, besieged.house.key, content_encoding=coding
                )
                assert reply.status == 415 and "MS-ARRIVE-003" in reply.message, coding
    assert of_model(besieged.house, "m") == []
    good = raw.post(besieged.url, CHAT, HELLO, besieged.house.key, content_encoding="identity")
    assert good.status == 200


def test_a_vendors_reply_that_unpacks_to_very_much(siege):
    besieged = siege()
    headers = {"content-encoding": "gzip"}
    reply = script(_gzip_bomb(), headers=headers, model="bomb")
    with besieged.attacked() as attack:
        while attack.again():
            for _ in range(5):
                besieged.house.openai.script(reply)
                answer = raw.post(besieged.url, CHAT, {**HELLO, "model": "bomb"}, besieged.house.key)
                assert answer.status == 502 and "MS-VENDOR-006" in answer.message


def test_as_many_idle_connections_as_there_may_be(siege):
    """Who is connected is served; who comes later has to wait until the idle
    ones are let go, and no longer."""
    besieged = siege(connections_max=300, header_seconds_max=3)
    late, times = besieged.request(model="late"), 0
    with besieged.attacked() as attack:
        while attack.again():
            times += 1
            with Crowd(besieged.url, 350) as crowd:
                started = time.monotonic()
                (answer,), _ = http1.converse(besieged.url, late, replies=1, seconds=15)
                assert answer.status == 200
                assert time.monotonic() - started < 10
                crowd.run(10)
                assert crowd.open == 0
    assert len(of_model(besieged.house, "late")) == times


def test_callers_that_were_served_and_stay_idle(siege):
    """A connection that is kept open does not stay for ever either."""
    besieged = siege(header_seconds_max=2)
    with besieged.attacked() as attack:
        while attack.again():
            with Crowd(besieged.url, 50, besieged.request(model="idle")) as crowd:
                crowd.run(12)
                first = [answer.partition(b"\r\n")[0] for answer in crowd.answers.values()]
                assert all(b" 200 " in line for line in first)
                assert crowd.open == 0


# name: slowhttptest's own words for it.
TOOL = {
    "slow heads": ["-H", "-i", "1"],
    "slow bodies": ["-B", "-i", "1", "-s", "8192"],
    "slow reading": ["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"],
    "many ranges": ["-R", "-a", "5", "-b", "3000"],
}


@pytest.mark.parametrize("name", sorted(TOOL))
def test_slowhttptest(siege, name):
    """The known tool's attacks: others are served all along."""
    tool = shutil.which("slowhttptest")
    assert tool, "run `apt-get install -y slowhttptest` first"
    seconds = 20 if paths.LONG else 5
    besieged = siege(header_seconds_max=2, body_idle_seconds_max=2)
    common = ["-c", "300", "-r", "200", "-l", str(seconds), "-p", "3", "-t", "POST"]
    command = [tool, *TOOL[name], *common, "-u", besieged.url + CHAT]
    with besieged.attacked(served=50) as attack:
        while attack.again():
            done = subprocess.run(
                command,
                capture_output=True,
                timeout=seconds + 60,
                stdin=subprocess.DEVNULL,
                cwd=besieged.house.gate.folder,
            )
            said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
            assert "connected" in said, said[-500:]


def _counts(leaves):
    found = collections.Counter()
    for leaf in leaves:
        if leaf["type"] == "refused-summary":
            found[leaf["code"]] += leaf["count"]
        elif leaf["type"] == "refused":
            found[leaf["code"]] += 1
    return found


def _bad_keys(house, count, unknown):
    """Keys that are none, and every tenth one of another gate."""
    source = rng("bad keys")
    return [
        unknown[n // 10 % len(unknown)] if n % 10 == 0 else fill("mst_{alnum:43}", source)
        for n in range(count)
    ]


def _flood(url, requests, source="127.0.0.1"):
    """Sends all on one connection, a hundred at a time: the replies' codes."""
    parts = urlsplit(url)
    codes = collections.Counter()
    with socket.create_connection(
        (parts.hostname, parts.port), timeout=30, source_address=(source, 0)
    ) as line:
        for at in range(0, len(requests), 100):
            batch = requests[at : at + 100]
            line.sendall(b"".join(batch))
            received, answers = b"", []
            while len(answers) < len(batch):
                part = line.recv(1 << 20)
                assert part, "the gate closed"
                received += part
                if received.count(b'"code":"MS-') >= len(batch):
                    answers = http1.parse(received)
            codes.update(answer.code for answer in answers)
    return codes


@pytest.mark.parametrize("sources", [1, 250], ids=["one address", "many addresses"])
def test_a_flood_from_unknown_callers(build_house, siege, sources):
    """It costs the ledger ten entries a second, and not one is uncounted."""
    other = build_house()
    unknown = [other.gate.key(owner=f"elsewhere-{n}")["key"] for n in range(3)]
    besieged = siege()
    total = 10_000
    keys = _bad_keys(besieged.house, total, unknown)
    requests = [Request(besieged.url, key)() for key in keys]
    share = total // sources

    def flood(n):
        return _flood(besieged.url, requests[n * share : (n + 1) * share], f"127.0.{n}.9")

    before = len(besieged.house.gate.ledger())
    started = time.monotonic()
    sent, floods = collections.Counter(), 0
    with besieged.attacked() as attack, ThreadPoolExecutor(4) as pool:
        while attack.again():
            floods += 1
            for codes in pool.map(flood, range(sources)):
                sent.update(codes)
    assert sum(sent.values()) == floods * total and set(sent) == {"MS-KNOW-002", "MS-KNOW-003"}
    assert sent["MS-KNOW-003"] == floods * total // 10
    leaves = besieged.house.gate.ledger()[before:]
    summaries = [leaf for leaf in leaves if leaf["type"] == "refused-summary"]
    lasted = time.monotonic() - started
    assert len(summaries) <= 10 * (lasted + 2)
    assert len(leaves) <= len(summaries) + 2 * len(attack.witness.took) + 10
    # What was not written yet is written when it stops.
    assert besieged.house.gate.stop() == 0
    assert _counts(besieged.house.gate.ledger()) == sent
    besieged.house.gate.verify()
