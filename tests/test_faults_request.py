"""Requests that no room lets through: each its own code and its own record,
and nothing of them at the vendor."""

import gzip
import json

import pytest

from harness import raw
from harness.paths import VENDOR_KEY
from harness.sockets import exchange

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
GOOD = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
BODY = json.dumps(GOOD)
TAIL = BODY.removeprefix("{")
DEEP = '{"x":' + "[" * 80 + "]" * 80 + "," + TAIL
MANY = '{"x":[' + "0," * 210_000 + "0]," + TAIL

# name: (body, code). All are POSTs with a good key and content type.
BODIES = {
    "empty": (b"", "MS-ADMIT-003"),
    "cut short": (BODY[:-1], "MS-ADMIT-003"),
    "trailing comma": (BODY[:-1] + ",}", "MS-ADMIT-003"),
    "single quotes": (BODY.replace('"', "'"), "MS-ADMIT-003"),
    "comment": ("{/* hi */" + TAIL, "MS-ADMIT-003"),
    "not a number": ('{"x":NaN,' + TAIL, "MS-ADMIT-003"),
    "leading zero": ('{"x":01,' + TAIL, "MS-ADMIT-003"),
    "raw newline": (BODY.replace("hi", "h\ni"), "MS-ADMIT-003"),
    "duplicate key": ('{"model":"a",' + TAIL, "MS-ADMIT-004"),
    "duplicate key, escaped": ('{"\\u006dodel":"a",' + TAIL, "MS-ADMIT-004"),
    "duplicate key, nested": (BODY.replace('"role"', '"role":"system","role"'), "MS-ADMIT-004"),
    "trailing word": (BODY + " x", "MS-ADMIT-005"),
    "second document": (BODY + BODY, "MS-ADMIT-005"),
    "too deep": (DEEP, "MS-ADMIT-006"),
    "far too deep": ('{"x":' + "[" * 100_000 + "," + TAIL, "MS-ADMIT-006"),
    "bad UTF-8": (BODY.encode().replace(b"hi", b"h\xff"), "MS-ADMIT-007"),
    "overlong UTF-8": (BODY.encode().replace(b"hi", b"\xc0\xaf"), "MS-ADMIT-007"),
    "lone surrogate": (BODY.replace("hi", "\\ud83d"), "MS-ADMIT-007"),
    "surrogates in the wrong order": (BODY.replace("hi", "\\udc00\\ud800"), "MS-ADMIT-007"),
    "byte order mark": (b"\xef\xbb\xbf" + BODY.encode(), "MS-ADMIT-007"),
    "UTF-16": (BODY.encode("utf-16"), "MS-ADMIT-007"),
    "too many values": (MANY, "MS-ADMIT-008"),
    "no model": (json.dumps({"messages": GOOD["messages"]}), "MS-ADMIT-009"),
    "model is a number": (json.dumps({**GOOD, "model": 1}), "MS-ADMIT-009"),
    "messages is a text": (json.dumps({**GOOD, "messages": "hi"}), "MS-ADMIT-010"),
    "message is a text": (json.dumps({**GOOD, "messages": ["hi"]}), "MS-ADMIT-010"),
    "role is a number": (
        json.dumps({**GOOD, "messages": [{"role": 1, "content": ""}]}),
        "MS-ADMIT-010",
    ),
    "stream is a text": (json.dumps({**GOOD, "stream": "true"}), "MS-ADMIT-010"),
}

# name: (method, path, headers, code)
HEADS = {
    "unknown path": ("POST", "/v1/embeddings", {}, "MS-ARRIVE-001"),
    "root": ("POST", "/", {}, "MS-ARRIVE-001"),
    "wrong method": ("PUT", CHAT, {}, "MS-ARRIVE-001"),
    "read": ("GET", CHAT, {}, "MS-ARRIVE-001"),
    "path with dots": ("POST", "/v1/x/../chat/completions", {}, "MS-ARRIVE-012"),
    "path with two slashes": ("POST", "//v1/chat/completions", {}, "MS-ARRIVE-012"),
    "path with an escape": ("POST", "/v1/chat/%63ompletions", {}, "MS-ARRIVE-012"),
    "path with a slash after": ("POST", CHAT + "/", {}, "MS-ARRIVE-012"),
    "compressed": ("POST", CHAT, {"content-encoding": "gzip"}, "MS-ARRIVE-003"),
    "said to be text": ("POST", CHAT, {"content-type": "text/plain"}, "MS-ARRIVE-004"),
    "said to be a form": ("POST", CHAT, {"content-type": "multipart/form-data"}, "MS-ARRIVE-004"),
    "unknown query parameter": ("POST", CHAT + "?debug=1", {}, "MS-ARRIVE-008"),
    "unknown query parameter, Anthropic": ("POST", MESSAGES + "?debug=1", {}, "MS-ARRIVE-008"),
    "no key": ("POST", CHAT, {"authorization": None}, "MS-KNOW-001"),
    "vendor's own key": ("POST", CHAT, {"authorization": f"Bearer {VENDOR_KEY}"}, "MS-KNOW-002"),
    "basic": ("POST", CHAT, {"authorization": "Basic eDp5"}, "MS-KNOW-00"),
    "empty bearer": ("POST", CHAT, {"authorization": "Bearer "}, "MS-KNOW-00"),
}


@pytest.fixture(scope="module")
def house(plain_house):
    return plain_house


@pytest.fixture(autouse=True)
def nothing_arrives(house):
    """None of these requests may reach a vendor."""
    for vendor in house.vendors.values():
        vendor.forget()
    yield
    assert [vendor.requests() for vendor in house.vendors.values()] == [[], []]


def check(house, reply, code):
    """The reply tells the code, and a record of it is in the ledger."""
    assert reply.json["error"], "in the vendor's shape"
    assert code in reply.message, reply.message
    assert reply.exchange and reply.exchange in reply.message

    def fits(leaf):
        own = leaf["type"] == "refused" and leaf["exchange"] == reply.exchange
        counted = leaf["type"] == "refused-summary"
        return (own or counted) and leaf["code"].startswith(code)

    house.gate.await_leaf(fits)


@pytest.mark.parametrize("path", [CHAT, MESSAGES], ids=["openai", "anthropic"])
@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_refused(house, name, path):
    body, code = BODIES[name]
    body = body.encode() if isinstance(body, str) else body
    reply = raw.post(house.url, path, body, house.key)
    assert 400 <= reply.status < 500
    check(house, reply, code)


def test_a_body_that_is_no_object(house):
    for body in (b"[]", b'"text"', b"1", b"null"):
        reply = raw.post(house.url, CHAT, body, house.key)
        assert reply.status == 400 and "MS-ADMIT-0" in reply.message


@pytest.mark.parametrize("name", HEADS)
def test_heads_that_are_refused(house, name):
    method, path, headers, code = HEADS[name]
    sent = {"content-type": "application/json", "authorization": f"Bearer {house.key}", **headers}
    sent = {name: value for name, value in sent.items() if value is not None}
    body = gzip.compress(BODY.encode()) if "content-encoding" in headers else BODY.encode()
    reply = raw.send(house.url, method, path, b"" if method == "GET" else body, sent)
    assert 400 <= reply.status < 500
    check(house, reply, code)


def test_a_key_of_another_gate_is_unknown(house, build_house):
    other = build_house()
    reply = raw.post(house.url, CHAT, GOOD, other.key)
    assert reply.status == 401
    check(house, reply, "MS-KNOW-003")


def test_a_key_with_one_letter_changed(house):
    last = "b" if house.key[-1] != "b" else "c"
    reply = raw.post(house.url, CHAT, GOOD, house.key[:-1] + last)
    assert reply.status == 401
    check(house, reply, "MS-KNOW-00")


def test_two_different_keys(house):
    other = house.gate.key(owner="second")["key"]
    reply = raw.post(house.url, MESSAGES, GOOD, house.key, x_api_key=other)
    assert reply.status == 401
    check(house, reply, "MS-KNOW-006")


# Heads that an HTTP library would not send: {host} is the gate's own address.
RUDE = {
    "no host": "POST {path} HTTP/1.1\r\n",
    "two hosts": "POST {path} HTTP/1.1\r\nhost: {host}\r\nhost: other.example\r\n",
    "host with a path": "POST {path} HTTP/1.1\r\nhost: localhost:4000/#@evil\r\n",
    "another authority": "POST http://evil.example{path} HTTP/1.1\r\nhost: {host}\r\n",
    "two lengths": "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n",
    "length and chunks": "POST {path} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n",
    "upgrade": "POST {path} HTTP/1.1\r\nhost: {host}\r\nupgrade: h2c\r\nconnection: upgrade\r\n",
    "space before colon": "POST {path} HTTP/1.1\r\nhost: {host}\r\nx-a : b\r\n",
    "folded line": "POST {path} HTTP/1.1\r\nhost: {host}\r\nx-a: b\r\n c\r\n",
}


@pytest.mark.parametrize("name", RUDE)
def test_rude_heads(house, name):
    host, length = house.url.removeprefix("http://"), len(BODY)
    head = RUDE[name].format(path=CHAT, host=host, length=length + (name == "two lengths"))
    close = "" if name == "upgrade" else "connection: close\r\n"
    head += (
        f"{close}authorization: Bearer {house.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\n\r\n"
    )
    received = exchange(house.url, head.encode() + BODY.encode())
    status = int(received.split(b" ", 2)[1])
    assert status in (400, 404, 501), received
    if name in ("no host", "two hosts", "host with a path", "another authority"):
        assert b"MS-ARRIVE-009" in received


def test_broken_chunks(house):
    host = house.url.removeprefix("http://")
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {house.key}\r\n"
        "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    received = exchange(house.url, head.encode() + b"zz\r\n" + BODY.encode())
    assert received == b"" or b" 400 " in received.split(b"\r\n")[0]


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_an_oversized_body(build_house, chunked):
    house = build_house(limits={"body_bytes_max": 4096})
    body = json.dumps({**GOOD, "pad": "x" * 5000}).encode()
    sent = iter([body[:3000], body[3000:]]) if chunked else body
    heads = {"content-type": "application/json", "authorization": f"Bearer {house.key}"}
    reply = raw.send(house.url, "POST", CHAT, sent, heads)
    assert reply.status == 413
    check(house, reply, "MS-ARRIVE-002")
    assert house.openai.requests() == []
    fits = json.dumps({**GOOD, "pad": "x" * 3000}).encode()
    assert raw.post(house.url, CHAT, fits, house.key).status == 200
    house.openai.forget()
