"""Every bound of the gate, met: its own code, and nothing got through."""

import json
import os
import resource
import signal
import socket
import threading
import time

import pytest

from harness import needles, raw, sse
from harness.channels import CHANNELS
from harness.gate import House
from harness.needles import fill
from harness.paths import rng
from harness.sockets import connect
from harness.vendor import EVENTS, chunk, script

CHAT = "/v1/chat/completions"
CONTENT = CHANNELS[0]
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def closed(house, code, outcome, seconds=8):
    """The closing record with this code is there."""
    fits = lambda leaf: leaf["type"] == "closed" and leaf.get("code") == code
    assert house.gate.await_leaf(fits, seconds)["outcome"] == outcome


def head(house, length, more=""):
    return (
        f"POST {CHAT} HTTP/1.1\r\nhost: {house.url[7:]}\r\nauthorization: Bearer {house.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
    ).encode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "one event"])
def test_a_reply_that_is_too_large(build_house, stream):
    house = build_house(limits={"reply_bytes_max": 4096})
    text = "word " * 2_000
    body = CONTENT.stream([text]) if stream else CONTENT.whole(text)
    house.openai.script(script(body, kind=EVENTS if stream else "application/json"))
    reply = raw.post(house.url, CHAT, {**HELLO, "stream": stream}, house.key)
    assert b"word word" not in reply.body and b"MS-REPLY-003" in reply.body
    if stream:
        assert sse.ended("openai", reply.body) == "error"
    else:
        assert reply.status == 502
    closed(house, "MS-REPLY-003", "vendor-failed")


def test_a_stream_that_would_hold_back_too_much(build_house):
    house = build_house(limits={"held_bytes_max": 1024})
    # The beginning of a private key, and no end of it.
    text = "-" * 5 + "BEGIN " + "PRIVATE KEY" + "-" * 5 + "\n" + fill("{alnum:3000}", rng("held"))
    pieces = [text[at : at + 100] for at in range(0, len(text), 100)]
    house.openai.script(script(CONTENT.stream(["so: ", *pieces]), kind=EVENTS))
    reply = raw.post(house.url, CHAT, {**HELLO, "stream": True}, house.key)
    assert sse.ended("openai", reply.body) == "error" and b"MS-REPLY-003" in reply.body
    assert text[40:60].encode() not in reply.body
    closed(house, "MS-REPLY-003", "vendor-failed")


def test_more_at_once_than_may_be(build_house):
    house = build_house(limits={"in_flight_max": 1})
    house.openai.script(script(CONTENT.whole("fine"), head_delay_ms=60_000))
    with connect(house.url) as line:
        body = json.dumps(HELLO).encode()
        line.sendall(head(house, len(body)) + body)
        until = time.monotonic() + 10
        while not house.openai.requests():
            assert time.monotonic() < until
            time.sleep(0.02)
        reply = raw.post(house.url, CHAT, HELLO, house.key)
        assert reply.status == 503 and "MS-ARRIVE-007" in reply.message
        assert int(reply.headers["retry-after"]) >= 1
    closed(house, "MS-REPLY-004", "caller-gone")
    house.openai.unscript()
    assert raw.post(house.url, CHAT, HELLO, house.key).status == 200, "room again"


def test_more_bytes_at_once_than_may_be(build_house):
    house = build_house(limits={"in_flight_bytes_max": 65_536})
    body = json.dumps({**HELLO, "pad": "x" * 70_000}).encode()
    reply = raw.post(house.url, CHAT, body, house.key)
    assert reply.status == 503 and "MS-ARRIVE-007" in reply.message
    assert house.openai.requests() == []
    assert raw.post(house.url, CHAT, HELLO, house.key).status == 200


def _answer(line):
    received = b""
    while part := line.recv(65536):
        received += part
        if b"\r\n\r\n" in received:
            break
    return received


def test_a_body_that_does_not_come(build_house):
    house = build_house(limits={"body_idle_seconds_max": 1})
    with connect(house.url) as line:
        line.sendall(head(house, 500) + b'{"model":')
        answer = _answer(line)
    assert b" 408 " in answer.split(b"\r\n")[0] and b"MS-ARRIVE-005" in answer
    assert house.openai.requests() == []


def test_a_body_that_ends_early(build_house):
    house = build_house()
    with connect(house.url) as line:
        line.sendall(head(house, 500) + b'{"model":')
        line.shutdown(socket.SHUT_WR)
        answer = _answer(line)
    assert answer == b"" or b"MS-ARRIVE-006" in answer
    assert house.openai.requests() == []
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "refused", 10)
    assert leaf["code"] == "MS-ARRIVE-006"


def test_bodies_that_end_early_by_the_hundred(build_house):
    """The first ones of a second have a record each, the others are counted
    with their key: none is lost."""
    house = build_house()
    for _ in range(200):
        with connect(house.url) as line:
            line.sendall(head(house, 500) + b'{"model":')
            line.shutdown(socket.SHUT_WR)
            _answer(line)
    house.gate.stop()
    own, counted = [], []
    for leaf in house.gate.ledger(1_000):
        if leaf["type"] == "refused":
            own.append(leaf["caller"]["key"])
        elif leaf.get("code") == "MS-ARRIVE-006":
            counted.append((leaf["code"], leaf["key"], leaf["count"]))
    assert {(code, key) for code, key, _ in counted} == {("MS-ARRIVE-006", own[0])}
    assert len(own) + sum(count for *_, count in counted) == 200
    assert 10 <= len(own) < 200 and len(set(own)) == 1


def test_headers_that_do_not_come(build_house):
    house = build_house(limits={"header_seconds_max": 1})
    with connect(house.url) as line:
        line.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost:")
        started = time.monotonic()
        line.settimeout(8)
        assert b" 200 " not in _answer(line)
        assert time.monotonic() - started < 6


def test_an_upgrade(build_house):
    house = build_house()
    body = json.dumps(HELLO).encode()
    with connect(house.url) as line:
        line.sendall(head(house, len(body), "connection: upgrade\r\nupgrade: websocket\r\n") + body)
        answer = _answer(line)
    assert b" 501 " in answer.split(b"\r\n")[0] and b"MS-ARRIVE-010" in answer


def test_a_caller_that_does_not_read(build_house):
    house = build_house(limits={"caller_idle_seconds_max": 1})
    # More than the sockets of both sides hold.
    pieces = ["word " * 20_000] * 200
    house.openai.script(script(CONTENT.stream(pieces), kind=EVENTS))
    body = json.dumps({**HELLO, "stream": True}).encode()
    with connect(house.url) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(head(house, len(body)) + body)
        closed(house, "MS-REPLY-005", "caller-gone", seconds=20)


def test_too_little_free_space(build_house, _folders):
    # More than any disk has.
    house = build_house()
    text = house.config() + "\n[evidence]\nfree_bytes_min = 9000000000000000000\n"
    house.gate.restart(text)
    reply = raw.post(house.url, CHAT, HELLO, house.key)
    assert reply.status == 503 and "MS-LEDGER-001" in reply.message
    assert house.openai.requests() == []


def test_a_disk_that_takes_no_more(build_house):
    """Writes fail under a running gate: it admits nothing that it cannot
    record, ends by itself, says why, and comes back with a clean ledger."""
    house = build_house()
    key = house.key
    assert raw.post(house.url, CHAT, HELLO, key).status == 200
    house.openai.forget()
    process = house.gate.process.popen
    # The kernel refuses every write to a file from here on (EFBIG).
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    try:
        reply = raw.post(house.url, CHAT, HELLO, key)
        assert reply.status == 503 and "MS-LEDGER-001" in reply.message
    except OSError:
        pass
    assert process.wait(20) > 0, "it ends by itself, and says that not all is well"
    house.gate.start()
    assert raw.post(house.url, CHAT, HELLO, key).status == 200
    house.gate.verify()


def test_a_request_while_the_gate_stops(build_house):
    house = build_house()
    house.openai.script(script(chunk(CONTENT.whole("fine")), head_delay_ms=2_000))
    body = json.dumps(HELLO).encode()
    with connect(house.url) as busy, connect(house.url) as idle:
        busy.sendall(head(house, len(body)) + body)
        # The second connection is taken before the stop.
        idle.sendall(head(house, len(body))[:20])
        until = time.monotonic() + 10
        while not house.openai.requests():
            assert time.monotonic() < until
            time.sleep(0.02)
        stopper = threading.Thread(target=house.gate.stop)
        stopper.start()
        time.sleep(0.3)
        idle.sendall(head(house, len(body))[20:] + body)
        second = _answer(idle)
        first = _answer(busy)
        stopper.join()
    assert b" 200 " in first.split(b"\r\n")[0], "what runs is brought to its end"
    assert second == b"" or b"MS-LEDGER-002" in second
    assert len(house.openai.requests()) == 1


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptV"}}
FILE = {"type": "file", "file": {"file_id": "file-1"}}
AFAR = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
SOURCE = {"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.png"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [SOURCE]}
THOUGHT = {"type": "redacted_thinking", "data": "q" * 64}


def _parts(*parts, role="user"):
    return {"max_tokens": 9, "messages": [{"role": role, "content": list(parts)}]}


# name: (vendor, body, code)
INSPECTION = {
    "an image": ("openai", _parts(IMAGE), "MS-SCREEN-006"),
    "an opaque value": ("anthropic", _parts(THOUGHT, role="assistant"), "MS-SCREEN-005"),
    "a search": ("openai", {**HELLO, "web_search_options": {}}, "MS-ADMIT-011"),
    "a file by its id": ("openai", _parts(FILE), "MS-ADMIT-011"),
    "an image from afar": ("openai", _parts(AFAR), "MS-ADMIT-011"),
    "a result with an image from afar": ("anthropic", _parts(RESULT), "MS-ADMIT-011"),
    "a server": ("anthropic", {**_parts(), "mcp_servers": []}, "MS-ADMIT-011"),
}


@pytest.fixture(scope="module")
def strict(_folders):
    house = House(_folders("strict"))
    names = ("media", "opaque", "remote_features")
    lines = "".join(f'{name} = "refuse"\n' for name in names)
    house.gate.restart(house.config() + f"\n[inspection]\n{lines}")
    yield house
    house.close()


@pytest.mark.parametrize("name", sorted(INSPECTION))
def test_what_cannot_be_inspected_is_refused_where_the_route_says_so(plain_house, strict, name):
    api, more, code = INSPECTION[name]
    path = {"openai": CHAT, "anthropic": "/v1/messages"}[api]
    body = {"model": "m", **more}
    assert raw.post(plain_house.url, path, body, plain_house.key).status == 200
    reply = raw.post(strict.url, path, body, strict.key)
    assert reply.status == 403 and code in reply.message
    assert strict.vendors[api].requests() == []


def test_work_that_has_no_end(build_house):
    house = build_house()
    text = "\\u005c" * 60_000 + "%25" * 60_000 + "ab0" * 60_000
    reply = raw.post(house.url, CHAT, {**HELLO, "x": text}, house.key)
    assert reply.status == 200 or "MS-SCREEN-004" in reply.message
    assert raw.post(house.url, CHAT, HELLO, house.key).status == 200


def test_a_reload_takes_hold_or_changes_nothing(build_house):
    house = build_house(redaction="block")
    card = needles.ALL["card"].text
    body = {**HELLO, "messages": [{"role": "user", "content": f"my card: {card}"}]}
    assert raw.post(house.url, CHAT, body, house.key).status == 400
    house.gate.file.write_text(house.config(redaction="redact"))
    assert house.gate.cli("reload").code == 0
    assert raw.post(house.url, CHAT, body, house.key).status == 200
    # A broken file changes nothing, and says where it is broken.
    house.gate.file.write_text(house.config(redaction="allow") + "\n[nonsense]\n")
    result = house.gate.cli("reload")
    assert result.code != 0 and "nonsense" in result.text
    good = house.config(redaction="redact")
    acts = lambda: [leaf.get("act") for leaf in house.gate.ledger() if leaf["type"] == "event"]

    def hang_up_until(act, count, text):
        house.gate.file.write_text(text)
        os.kill(house.gate.process.popen.pid, signal.SIGHUP)
        # The commands read the file too.
        time.sleep(1)
        house.gate.file.write_text(good)
        until = time.monotonic() + 10
        while acts().count(act) < count:
            assert time.monotonic() < until, acts()
            time.sleep(0.1)

    hang_up_until("config-refused", 1, good + "\n[nonsense]\n")
    house.openai.forget()
    assert raw.post(house.url, CHAT, body, house.key).status == 200
    (seen,) = house.openai.requests()
    assert card.encode() not in seen["body"], "the old configuration stays in force"
    hang_up_until("config-loaded", 3, house.config(redaction="block"))
    assert raw.post(house.url, CHAT, body, house.key).status == 400
