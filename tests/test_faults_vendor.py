"""Vendors that fail, and callers that leave: each its own code and record."""

import gzip
import json
import time

import pytest

from harness import raw, sse
from harness.channels import CHANNELS
from harness.sockets import connect, rude_server, unused_port
from harness.vendor import EVENTS, chunk, script

ROUTES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
TEXT = {"openai": CHANNELS[0], "anthropic": next(c for c in CHANNELS if c.name == "text")}
APIS = list(ROUTES)
WHOLE = TEXT["openai"].whole("fine")


def ask(house, api, stream=False, key=None):
    body = {
        "model": "m",
        "max_tokens": 9,
        "stream": stream,
        "messages": [{"role": "user", "content": "hi"}],
    }
    return raw.post(house.url, ROUTES[api], body, key or house.key)


def check_record(house, reply, code, outcome="vendor-failed"):
    """Both halves of the record are there, the second with the cause."""
    fits = lambda leaf: leaf["type"] == "closed" and leaf["exchange"] == reply.exchange
    closed = house.gate.await_leaf(fits)
    assert closed["outcome"] == outcome and closed.get("code") == code
    kinds = [leaf["type"] for leaf in house.gate.leaves_of(reply.exchange)]
    assert kinds == ["admitted", "closed"]


# name: (scripted reply, code)
SCRIPTS = {
    "no JSON": (script("this is not JSON"), "MS-VENDOR-003"),
    "half of a JSON": (script(WHOLE[:-9]), "MS-VENDOR-003"),
    "a web page": (script("<html>hello</html>", kind="text/html"), "MS-VENDOR-003"),
    "duplicate keys": (script('{"id":"a",' + WHOLE.decode()[1:]), "MS-VENDOR-003"),
    "bad UTF-8": (script(WHOLE.replace(b"fine", b"f\xff")), "MS-VENDOR-003"),
    "cut": (script(WHOLE[:-9], end="cut"), "MS-VENDOR-004"),
    "reset": (script(WHOLE[:-9], end="reset"), "MS-VENDOR-004"),
    "redirect": (
        script("", status=302, headers={"location": "http://127.0.0.1:9/"}),
        "MS-VENDOR-005",
    ),
    "permanent redirect": (script("", status=308, headers={"location": "/v2"}), "MS-VENDOR-005"),
    "gzip": (script(gzip.compress(WHOLE), headers={"content-encoding": "gzip"}), "MS-VENDOR-006"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream asked for"])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_that_are_not_passed_on(plain_house, name, api, stream):
    reply_script, code = SCRIPTS[name]
    plain_house.vendors[api].script(reply_script)
    reply = ask(plain_house, api, stream)
    assert reply.status == 502 and code in reply.message, reply
    check_record(plain_house, reply, code)


@pytest.mark.parametrize("api", APIS)
def test_a_vendor_that_is_down(build_house, api):
    house = build_house(**{f"{api}_url": unused_port()})
    reply = ask(house, api)
    assert reply.status == 502 and "MS-VENDOR-001" in reply.message
    check_record(house, reply, "MS-VENDOR-001")


def test_a_vendor_that_dies_between_two_requests(build_house):
    house = build_house()
    assert ask(house, "openai").status == 200
    house.openai.stop()
    reply = ask(house, "openai")
    assert reply.status == 502 and "MS-VENDOR-001" in reply.message
    assert ask(house, "anthropic").status == 200, "the other vendor is not touched"


@pytest.mark.parametrize("garbage", [b"\x00\x01garbage\r\n\r\n", b"HTTP/1.1 200\r\n", b""])
def test_a_vendor_that_speaks_no_http(build_house, garbage):
    with rude_server(garbage) as url:
        house = build_house(openai_url=url)
        reply = ask(house, "openai")
        assert reply.status == 502 and "MS-VENDOR-00" in reply.message
        fits = lambda leaf: leaf["type"] == "closed" and leaf["exchange"] == reply.exchange
        assert house.gate.await_leaf(fits)["outcome"] == "vendor-failed"


def test_a_reply_with_two_framings_ends_its_connection(build_house):
    """A reply with both a length and chunks must not poison the next one."""
    both = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n"
        b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(WHOLE), WHOLE)
    )
    with rude_server(both, close=False) as url:
        house = build_house(openai_url=url)
        for _ in range(2):
            reply = ask(house, "openai")
            whole = reply.status == 200 and reply.body == WHOLE
            assert whole or (reply.status == 502 and "MS-VENDOR" in reply.message)


@pytest.mark.parametrize("api", APIS)
def test_a_slow_vendor(build_house, api):
    house = build_house(limits={"first_byte_seconds_max": 1})
    house.vendors[api].script(script(WHOLE, head_delay_ms=5_000))
    started = time.monotonic()
    reply = ask(house, api)
    assert reply.status == 504 and "MS-VENDOR-002" in reply.message
    assert time.monotonic() - started < 4
    check_record(house, reply, "MS-VENDOR-002")


@pytest.mark.parametrize("end", ["cut", "reset", "clean"])
@pytest.mark.parametrize("api", APIS)
def test_half_a_stream_ends_with_the_protocols_error(plain_house, api, end):
    body = TEXT[api].stream(["a few ", "words ", "and more"])
    body = body[: body.index(b"and more")]
    plain_house.vendors[api].script(script(body, kind=EVENTS, end=end))
    reply = ask(plain_house, api, stream=True)
    assert reply.status == 200
    assert sse.ended(api, reply.body) == "error" and b"MS-VENDOR-004" in reply.body
    assert "[DONE]" not in reply.body.decode(), "an error is no clean end"
    check_record(plain_house, reply, "MS-VENDOR-004")


@pytest.mark.parametrize("api", APIS)
def test_a_json_reply_where_a_stream_was_asked_for(plain_house, api):
    body = TEXT[api].whole("fine")
    plain_house.vendors[api].script(script(body))
    reply = ask(plain_house, api, stream=True)
    assert reply.status == 502 or reply.body == body, "scanned as what it is, or refused"


def _leave(house, api, wait_for):
    """Asks for a stream, waits for these bytes and hangs up."""
    body = json.dumps(
        {
            "model": "m",
            "max_tokens": 9,
            "stream": True,
            "messages": [{"role": "user", "content": "hi"}],
        }
    ).encode()
    head = (
        f"POST {ROUTES[api]} HTTP/1.1\r\nhost: {house.url[7:]}\r\n"
        f"authorization: Bearer {house.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with connect(house.url) as line:
        line.sendall(head.encode() + body)
        received = b""
        while wait_for and wait_for not in received:
            received += line.recv(4096)
        if not wait_for:
            time.sleep(0.3)


@pytest.mark.parametrize("when", ["before the first byte", "midway"])
@pytest.mark.parametrize("api", APIS)
def test_when_the_caller_leaves_the_vendor_call_ends(build_house, api, when):
    house = build_house()
    vendor = house.vendors[api]
    if when == "midway":
        first = TEXT[api].stream(["a few ", "words and many more "])
        first = first[: first.index(b"many more") + 9]
        vendor.script(script(first, kind=EVENTS, end="hang"))
    else:
        vendor.script(script("", head_delay_ms=60_000))
    _leave(house, api, b"a few" if when == "midway" else b"")
    until = time.monotonic() + 5
    while vendor.tell()["abandoned"] == 0:
        assert time.monotonic() < until, "the vendor call runs on"
        time.sleep(0.05)
    closed = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed")
    assert closed["outcome"] == "caller-gone" and closed["code"] == "MS-REPLY-004"


def test_a_graceful_stop_loses_no_record(build_house):
    house = build_house()
    house.openai.behave(delay_ms=100)
    replies = []
    import threading

    callers = [
        threading.Thread(target=lambda: replies.append(ask(house, "openai", stream=True)))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    until = time.monotonic() + 20
    while len(house.openai.requests()) < 4:
        assert time.monotonic() < until, "the callers did not get through"
        time.sleep(0.02)
    assert house.gate.stop() == 0
    for caller in callers:
        caller.join()
    leaves = house.gate.ledger()
    admitted = [leaf["exchange"] for leaf in leaves if leaf["type"] == "admitted"]
    closed = [leaf["exchange"] for leaf in leaves if leaf["type"] == "closed"]
    assert len(admitted) == 4 and sorted(admitted) == sorted(closed)
    assert all(sse.ended("openai", reply.body) for reply in replies), "complete or a clear error"
    house.gate.verify()


def test_one_attempt_for_each_exchange(plain_house):
    plain_house.openai.forget()
    plain_house.openai.script(script("", end="reset"))
    assert ask(plain_house, "openai").status == 502
    assert len(plain_house.openai.requests()) == 1


def test_headers_pass_by_allow_list(plain_house):
    plain_house.openai.forget()
    headers = {
        "x-secret-note": "a",
        "cookie": "b",
        "x-forwarded-for": "10.0.0.1",
        "referer": "c",
        "openai-organization": "org",
        "x-stainless-lang": "python",
    }
    plain_house.openai.script(
        script(
            WHOLE,
            headers={
                "set-cookie": "a=b",
                "x-internal": "c",
                "x-ratelimit-limit-tokens": "5",
                "x-request-id": "req_1",
            },
        )
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    reply = raw.post(
        plain_house.url,
        ROUTES["openai"],
        body,
        plain_house.key,
        **{name.replace("-", "_"): value for name, value in headers.items()},
    )
    (seen,) = plain_house.openai.requests()
    sent = dict(seen["headers"])
    assert not {"x-secret-note", "cookie", "x-forwarded-for", "referer"} & set(sent)
    assert sent["accept-encoding"] == "identity"
    assert plain_house.key not in json.dumps(seen["headers"])
    assert not {"set-cookie", "x-internal"} & set(reply.headers)
    assert reply.headers["x-ratelimit-limit-tokens"] == "5"


def test_trickled_bytes_arrive_as_they_come(build_house):
    """What cannot be part of a match is not held back until the end."""
    house = build_house()
    body = TEXT["openai"].stream(["First sentence is here. ", "and then the second one. "])
    cut = body.index(b"and then")
    cut = body.rindex(b"\n\n", 0, cut) + 2
    house.openai.script(script(chunk(body[:cut]), chunk(body[cut:], delay_ms=3_000), kind=EVENTS))
    started = time.monotonic()
    _leave(house, "openai", b"First")
    assert time.monotonic() - started < 2
