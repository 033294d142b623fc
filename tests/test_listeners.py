"""The gate's own doors: framing as raw bytes, trailers, HTTP/2 and TLS.

What two readers could read differently is refused with a code, the connection
is closed, and nothing that was sent after it is taken for a request.
"""

import collections
import contextlib
import json
import socket
import threading
import time

import pytest

from harness import http1, node, raw, sse
from harness.channels import CHANNELS
from harness.http1 import Request, converse
from harness.paths import rng
from harness.vendor import EVENTS, chunk, script

CONTENT = CHANNELS[0]
CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "good morning"}]}
CHUNKED = "transfer-encoding: chunked"
LINES_MAX, HEAD_BYTES_MAX = 100, 16_384


# name: (status, code, what is wrong about the request)
# fmt: off
REFUSED = {
    "line feeds alone": (400, "MS-ARRIVE-011", {"end": "\n"}),
    "one line feed alone": (400, "MS-ARRIVE-011", {"more": ["x-a: b\nx-c: d"]}),
    "no host": (400, "MS-ARRIVE-009", {"host": []}),
    "two hosts": (400, "MS-ARRIVE-009", {"host": ["host: a.example", "host: b.example"]}),
    "one host twice": (400, "MS-ARRIVE-009", {"host": ["host: a.example", "host: a.example"]}),
    "host with a path": (400, "MS-ARRIVE-009", {"host": ["host: localhost:4000/#@evil"]}),
    "empty host": (400, "MS-ARRIVE-009", {"host": ["host:"]}),
    "another authority": (400, "MS-ARRIVE-009", {"line": f"POST http://evil.example{CHAT} HTTP/1.1"}),
    "one length twice": (400, "MS-ARRIVE-011", {"more": "content-length: {length}"}),
    "two lengths": (400, "MS-ARRIVE-011", {"more": "content-length: 3"}),
    "two lengths in one line": (400, "MS-ARRIVE-011", {
        "more": "content-length: {length}, {length}", "length": False}),
    "length with a sign": (400, "MS-ARRIVE-011", {"more": "content-length: +{length}", "length": False}),
    "length and coding": (400, "MS-ARRIVE-011", {"more": CHUNKED}),
    "space before the colon": (400, "MS-ARRIVE-011", {
        "more": "Transfer-Encoding : chunked", "length": False, "body": b"0\r\n\r\n"}),
    "unknown coding": (400, "MS-ARRIVE-011", {
        "more": "Transfer-Encoding: xchunked", "length": False, "body": b"0\r\n\r\n"}),
    "coding twice": (400, "MS-ARRIVE-011", {
        "more": [CHUNKED, CHUNKED], "length": False, "body": b"0\r\n\r\n"}),
    "coding in HTTP/1.0": (400, "MS-ARRIVE-011", {
        "line": f"POST {CHAT} HTTP/1.0", "more": CHUNKED, "length": False, "body": b"0\r\n\r\n"}),
    "folded line": (400, "MS-ARRIVE-011", {"more": ["x-a: b", " c"]}),
    "zero byte": (400, "MS-ARRIVE-011", {"more": ["x-a: b\0c"]}),
    "path with dots": (400, "MS-ARRIVE-012", {"line": "POST /v1/chat/../../admin HTTP/1.1"}),
    "path with dots that ends right": (400, "MS-ARRIVE-012", {"line": f"POST /x/..{CHAT} HTTP/1.1"}),
    "path with two slashes": (400, "MS-ARRIVE-012", {"line": f"POST /{CHAT} HTTP/1.1"}),
    "path with an escape": (400, "MS-ARRIVE-012", {"line": "POST /v1/chat/%2e%2e/completions HTTP/1.1"}),
    "fragment": (400, "MS-ARRIVE-011", {"line": f"POST {CHAT}#a HTTP/1.1"}),
    "read with a body": (400, "MS-ARRIVE-014", {"line": f"GET {CHAT} HTTP/1.1"}),
    "read with chunks": (400, "MS-ARRIVE-014", {
        "line": f"GET {CHAT} HTTP/1.1", "more": CHUNKED, "length": False, "body": b"2\r\n{}\r\n0\r\n\r\n"}),
    "chunk size that is none": (400, "MS-ARRIVE-006", {
        "more": CHUNKED, "length": False, "body": b"zz\r\n{}\r\n0\r\n\r\n"}),
    "chunk longer than it says": (400, "MS-ARRIVE-006", {
        "more": CHUNKED, "length": False, "body": b"2\r\n{}x\r\n0\r\n\r\n"}),
    "chunk that ends in a line feed": (400, "MS-ARRIVE-006", {
        "more": CHUNKED, "length": False, "body": b"2\r\n{}\n0\r\n\r\n"}),
    "tunnel": (501, "MS-ARRIVE-010", {
        "line": "CONNECT vendor.example:443 HTTP/1.1", "host": ["host: vendor.example:443"],
        "length": False, "body": b""}),
    "upgrade": (501, "MS-ARRIVE-010", {"more": ["connection: upgrade", "upgrade: websocket"]}),
    "upgrade to HTTP/2": (501, "MS-ARRIVE-010", {"more": [
        "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABk"]}),
    "too many lines": (431, "MS-ARRIVE-013", {"more": [f"x-{n}: a" for n in range(LINES_MAX - 3)]}),
    "too many bytes": (431, "MS-ARRIVE-013", {"more": ["x-a: " + "b" * HEAD_BYTES_MAX]}),
    "far too many bytes": (431, "MS-ARRIVE-013", {"more": ["x-a: " + "b" * 100_000]}),
}
# fmt: on
OLD = b"GET /v1/chat/completions\r\n\r\n"


def shape(request, name):
    """The bytes of a refused request."""
    if name == "HTTP/0.9":
        return OLD
    wrong = dict(REFUSED[name][2])
    if isinstance(wrong.get("more"), str):
        length = len(json.dumps(request.document))
        wrong["more"] = wrong["more"].replace("{length}", str(length))
    return request(**wrong)


def expected(name):
    return (400, "MS-ARRIVE-011") if name == "HTTP/0.9" else REFUSED[name][:2]


NAMES = [*REFUSED, "HTTP/0.9"]


class Door:
    """A gate, how to reach it, and requests for it."""

    def __init__(self, house, context=None):
        self.house, self.url, self.context = house, house.url, context
        self.request = Request(house.url, house.key)

    def converse(self, *pieces, **more):
        return converse(self.url, *pieces, context=self.context, **more)


@pytest.fixture(scope="module", params=["clear", "tls"])
def door(request):
    if request.param == "clear":
        return Door(request.getfixturevalue("plain_house"))
    house, certificates = request.getfixturevalue("behind_tls")
    return Door(house, certificates.trusting())


def test_a_good_request_passes_and_leaves_the_connection_open(door):
    """The control of the tests below: the same bytes with nothing wrong."""
    door.house.openai.forget()
    good = door.request()
    answers, closed = door.converse(good, good, seconds=1)
    assert [answer.status for answer in answers] == [200, 200] and not closed
    same = door.request(line=f"POST http://HOST{CHAT} HTTP/1.1")
    most = door.request(more=[f"x-{n}: a" for n in range(LINES_MAX - 4)])
    answers, closed = door.converse(same, most, seconds=1)
    assert [answer.status for answer in answers] == [200, 200] and not closed
    assert len(door.house.openai.requests()) == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_request_that_is_refused(door, name):
    """A clear answer, a closed connection, and what follows is no request."""
    door.house.openai.forget()
    status, code = expected(name)
    after = door.request(model="smuggled")
    answers, closed = door.converse(shape(door.request, name) + after, seconds=2)
    assert answers, "an answer, not a silence"
    first = answers[0]
    assert (first.status, first.code) == (status, code)
    assert first.all("content-type") == ["application/json"]
    (exchange,) = first.all("x-merestone-exchange")
    message = json.loads(first.body)["error"]["message"]
    assert code in message and exchange in message
    assert len(answers) == 1, "what follows is answered as if it were a request"
    assert closed, "the connection stays open"
    assert door.house.openai.requests() == [], "something is at the vendor"


@pytest.mark.parametrize("name", NAMES)
def test_a_good_request_before_a_refused_one_is_answered(door, name):
    door.house.openai.forget()
    status, code = expected(name)
    answers, _ = door.converse(door.request() + shape(door.request, name), replies=2)
    assert [answer.status for answer in answers] == [200, status]
    assert answers[1].code == code
    assert len(door.house.openai.requests()) == 1


def test_where_the_bytes_are_cut_changes_nothing(door):
    """The refusal comes whatever pieces the network makes of a request."""
    source = rng("cuts")
    for name in ("one length twice", "folded line", "chunk longer than it says", "no host"):
        data = shape(door.request, name)
        at = sorted(source.sample(range(1, len(data)), 3))
        pieces = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
        (answer,), _ = door.converse(*pieces, replies=1)
        assert (answer.status, answer.code) == expected(name)


def test_each_refused_request_is_counted(build_house):
    """The ledger's counts and single records add up to what was sent."""
    house = build_house()
    request = Request(house.url, house.key)
    sent = collections.Counter()
    for name in NAMES:
        answers, _ = converse(house.url, shape(request, name), replies=1)
        assert len(answers) == 1
        sent[expected(name)[1]] += 1

    def counted():
        found = collections.Counter()
        for leaf in house.gate.ledger():
            if leaf["type"] == "refused-summary":
                found[leaf["code"]] += leaf["count"]
            elif leaf["type"] == "refused":
                found[leaf["code"]] += 1
        return found

    until = time.monotonic() + 10
    while counted() != sent and time.monotonic() < until:
        time.sleep(0.2)
    assert counted() == sent


# Trailers.

TRAILER = "x-trailing-sum"


@contextlib.contextmanager
def vendor_in_the_test(reply):
    """A vendor that keeps all bytes that it gets: its URL and the list of
    requests, one for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests = []

    def whole(data):
        head, gap, body = data.partition(b"\r\n\r\n")
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        if not gap:
            return False
        if length:
            return len(body) >= int(length[0].split(b":")[1])
        return body.endswith(b"\r\n\r\n")

    def serve():
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                with line:
                    line.settimeout(10)
                    data = b""
                    while not whole(data) and (part := line.recv(65536)):
                        data += part
                    requests.append(data)
                    line.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests


def chunks(body, kind, trailers=f"{TRAILER}: 12345\r\n"):
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{CHUNKED}\r\n"
        f"trailer: {TRAILER}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n" + (
        trailers + "\r\n"
    ).encode()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_trailers_are_dropped_in_both_directions(build_house, stream):
    body = CONTENT.stream(["fine ", "so far"]) if stream else CONTENT.whole("fine so far")
    kind = "text/event-stream" if stream else "application/json"
    with vendor_in_the_test(chunks(body, kind)) as (url, seen):
        house = build_house(openai_url=url)
        request = Request(house.url, house.key)
        asked = json.dumps({**request.document, "stream": stream}).encode()
        half = len(asked) // 2
        coded = b"".join(
            f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (asked[:half], asked[half:])
        )
        data = request(
            more=[CHUNKED, "te: trailers", f"trailer: {TRAILER}", "connection: te"],
            length=False,
            body=coded + f"0\r\n{TRAILER}: 67890\r\nauthorization: Bearer x\r\n\r\n".encode(),
        )
        answers, _ = converse(house.url, data + data, replies=2)
    assert [answer.status for answer in answers] == [200, 200], "the next request is found"
    for answer in answers:
        assert sse.said("openai", answer.body, stream) == "fine so far"
        assert answer.trailers == [] and answer.all("trailer") == []
        assert TRAILER not in dict(answer.headers)
    assert len(seen) == 2
    for data in seen:
        head, _, rest = data.partition(b"\r\n\r\n")
        assert TRAILER.encode() not in data.lower() and b"67890" not in data
        assert b"\r\nte:" not in head.lower() and b"\r\ntrailer:" not in head.lower()
        assert asked in rest, "the body is there"


def test_trailers_that_are_malformed_spoil_the_request(plain_house):
    plain_house.openai.forget()
    request = Request(plain_house.url, plain_house.key)
    asked = json.dumps(request.document).encode()
    body = f"{len(asked):x}\r\n".encode() + asked + b"\r\n0\r\nno colon\r\n\r\n"
    data = request(more=CHUNKED, length=False, body=body)
    (answer,), closed = converse(plain_house.url, data + request())
    assert answer.code == "MS-ARRIVE-006" and closed
    assert plain_house.openai.requests() == []


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_trailers_are_dropped_over_http2(build_house, stream):
    body = CONTENT.stream(["fine"]) if stream else CONTENT.whole("fine")
    kind = "text/event-stream" if stream else "application/json"
    with vendor_in_the_test(chunks(body, kind)) as (url, seen):
        house = build_house(openai_url=url)
        request = Request(house.url, house.key)
        asked = {"base": house.url, "key": house.key, "trailers": {TRAILER: "67890"}}
        asked["body"] = json.dumps({**request.document, "stream": stream})
        told = node.script("http2-trailers", asked, seconds=60)
    assert told["status"] == 200 and sse.said("openai", told["body"].encode(), stream) == "fine"
    assert told["trailers"] is None and "trailer" not in told["headers"]
    (data,) = seen
    assert TRAILER.encode() not in data.lower() and b"67890" not in data


# HTTP/2.


@pytest.fixture(params=["prior knowledge", "alpn"])
def second(request):
    """A gate for HTTP/2: the house and what Node needs in its environment."""
    if request.param == "prior knowledge":
        return request.getfixturevalue("plain_house"), {}, None
    house, certificates = request.getfixturevalue("behind_tls")
    return house, {"NODE_EXTRA_CA_CERTS": str(certificates.root)}, "h2"


def ask_over_http2(second, calls, **more):
    house, env, protocol = second
    told = node.script(
        "http2", {"base": house.url, "key": house.key, "calls": calls, **more}, seconds=60, **env
    )
    assert told["sessions"] == 1, "all on one connection"
    if protocol:
        assert told["alpn"] == [protocol]
    return told["results"]


def h2_call(name, text="hi", stream=False, **fields):
    message = {"role": "user", "content": text}
    body = {"model": name, "stream": stream, "messages": [message], **fields}
    return {"name": name, "body": json.dumps(body)}


@pytest.mark.parametrize("together", [False, True], ids=["in turn", "together"])
def test_the_aws_handler_for_node_connects(second, together):
    house = second[0]
    house.openai.forget()
    calls = [h2_call(f"call-{n}", f"word {n}", stream=n % 2 == 1) for n in range(12)]
    results = ask_over_http2(second, calls, together=together)
    for n in range(12):
        result = results[f"call-{n}"]
        assert result.get("status") == 200, result
        said = sse.said("openai", result["body"].encode(), stream=n % 2 == 1)
        assert said == f"You said: word {n}"
        assert result["headers"]["x-merestone-exchange"].startswith("mx-")
    assert len(house.openai.requests()) == 12


def test_a_stream_over_http2_comes_as_it_is_made(second):
    house = second[0]
    pieces = CONTENT.stream([f"word{n} " for n in range(6)]).split(b"\n\n")[:-1]
    slow = [chunk(piece + b"\n\n", delay_ms=60) for piece in pieces]
    house.openai.script(script(*slow, kind=EVENTS, model="slow"))
    result = ask_over_http2(second, [h2_call("slow", stream=True)])["slow"]
    assert sse.ended("openai", result["body"].encode()) == "stop"
    assert result["parts"] >= 4, "not gathered into one"


def test_refusals_over_http2_are_as_clear(second):
    house = second[0]
    house.openai.forget()
    encoded = h2_call("encoded")
    encoded["headers"] = {"content-encoding": "gzip"}
    deep = h2_call("deep", x=json.loads("[" * 80 + "]" * 80))
    odd = h2_call("odd")
    odd["headers"] = {"host": "localhost:4000/#@evil"}
    results = ask_over_http2(second, [encoded, deep, odd, h2_call("good")])
    good = results.pop("good")
    codes = {name: json.loads(told["body"])["error"]["code"] for name, told in results.items()}
    assert codes == {"encoded": "MS-ARRIVE-003", "deep": "MS-ADMIT-006", "odd": "MS-ARRIVE-009"}
    assert good["status"] == 200, "the others on the connection go on"
    assert len(house.openai.requests()) == 1


def test_a_half_closed_caller_still_gets_its_reply_or_a_record(plain_house):
    """Half-closing after a whole request loses neither request nor record."""
    with http1.line(plain_house.url) as line:
        line.sendall(Request(plain_house.url, plain_house.key)(model="half-closed"))
        line.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(OSError):
            while part := line.recv(65536):
                received += part
    if received:
        (answer,) = http1.parse(received)
        assert answer.status == 200
    assert raw.post(plain_house.url, CHAT, HELLO, plain_house.key).status == 200
