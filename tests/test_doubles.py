"""The fake vendors themselves, with the official SDKs and no gate between."""

import time

import openai
import pytest

from harness import node, raw, sse
from harness.calls import PARAMS
from harness.paths import VENDOR_KEY
from harness.sdk import CALLS, MODULES, openai_client
from harness.vendor import EVENTS, Vendor, chunk, script

APIS = ["openai", "anthropic"]
PLAIN = "Say “one” and \\two 🪨."


@pytest.fixture(scope="module")
def vendors(_folders):
    folder = _folders("doubles")
    folder.mkdir()
    vendors = {api: Vendor(api, folder) for api in APIS}
    yield vendors
    for vendor in vendors.values():
        vendor.stop()


def text_of(api, message):
    if api == "openai":
        return message["choices"][0]["message"]["content"]
    return message["content"][0]["text"]


@pytest.mark.parametrize("deltas", ["word", "char", "whole", "bytes:1", "bytes:5"])
@pytest.mark.parametrize("api", APIS)
def test_the_sdks_understand_the_echo(vendors, api, deltas):
    vendors[api].behave(deltas=deltas)
    calls = CALLS[api](vendors[api].url, VENDOR_KEY)
    for kind in ("create", "gather"):
        assert text_of(api, calls[kind](PARAMS[api](PLAIN))) == f"You said: {PLAIN}"
        tools = calls[kind](PARAMS[api](PLAIN, tools=True))
        assert "write_down" in str(tools) and "You said" not in str(tools)
    vendors[api].behave()


@pytest.mark.parametrize("api", APIS)
def test_the_node_sdks_understand_it_too(vendors, api):
    calls = [
        {
            "name": kind,
            "base": vendors[api].url,
            "key": VENDOR_KEY,
            "call": kind,
            "params": PARAMS[api](PLAIN),
        }
        for kind in ("create", "stream", "gather")
    ]
    results = node.run(api, calls)
    assert text_of(api, results["create"]["ok"]) == text_of(api, results["gather"]["ok"])
    assert len(results["stream"]["ok"]) > 5


@pytest.mark.parametrize("api", APIS)
def test_it_says_what_it_is_and_refuses_wrong_keys(vendors, api):
    reply = raw.post(vendors[api].url, "/v1/chat/completions", {}, "wrong")
    assert reply.headers["server"] == "merestone-fake-vendor"
    with pytest.raises(MODULES[api].AuthenticationError):
        CALLS[api](vendors[api].url, "wrong")["create"](PARAMS[api]("hi"))


def test_requests_are_remembered_to_the_byte(vendors):
    vendor = vendors["openai"]
    vendor.forget()
    body = b'{ "model":"m",  "messages":[] , "x":1.50}'
    raw.post(vendor.url, "/v1/chat/completions?a=b", body, VENDOR_KEY, x_note="n")
    (seen,) = vendor.requests()
    assert seen["body"] == body and seen["path"] == "/v1/chat/completions?a=b"
    assert ["x-note", "n"] in seen["headers"]


@pytest.mark.parametrize("end", ["cut", "reset"])
def test_scripts_break_off_where_they_say(vendors, end):
    vendors["openai"].script(script("half", end=end))
    reply = raw.post(vendors["openai"].url, "/v1/chat/completions", {}, VENDOR_KEY)
    assert not reply.complete and b"half".startswith(reply.body)


def test_scripts_take_their_time(vendors):
    vendors["openai"].script(script(chunk("a"), chunk("b", delay_ms=200), head_delay_ms=200))
    started = time.monotonic()
    reply = raw.post(vendors["openai"].url, "/v1/chat/completions", {}, VENDOR_KEY)
    assert reply.body == b"ab" and time.monotonic() - started > 0.39


def test_a_stream_without_done_looks_whole_to_the_sdk(vendors):
    """The reason why the gate must not pass half a stream on."""
    body = b'data: {"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    vendors["openai"].script(script(body, kind=EVENTS))
    client = openai_client(vendors["openai"].url, VENDOR_KEY)
    assert len(list(client.chat.completions.create(**PARAMS["openai"]("hi"), stream=True))) == 1
    vendors["openai"].script(script(b'data: {"error":{"message":"no"}}\n\n', kind=EVENTS))
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(**PARAMS["openai"]("hi"), stream=True))


def test_the_harness_reads_streams(vendors):
    body = PARAMS["anthropic"](PLAIN, stream=True)
    reply = raw.post(vendors["anthropic"].url, "/v1/messages", body, VENDOR_KEY)
    assert sse.said("anthropic", reply.body, True) == f"You said: {PLAIN}"
    assert sse.ended("anthropic", reply.body) == "end_turn"
    assert sse.ended("anthropic", reply.body[:-30]) is None
