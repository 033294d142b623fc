"""Streams as vendors really write them, and streams written to slip by: order,
metadata, ends, and values split where no single text holds them."""

import itertools
import json
import time

import pytest

from harness import needles, raw, sse
from harness.channels import CHANNELS
from harness.paths import VENDOR_KEY
from harness.vendor import EVENTS, script

CONTENT = CHANNELS[0]
CARD = needles.ALL["card"]
DIGITS = "".join(filter(str.isdigit, CARD.text))
LEFT, RIGHT = DIGITS[:8], DIGITS[8:]
DONE = "data: [DONE]\n\n"
_count = itertools.count(1)


def chunk(delta, finish=None, index=0, top=None, **choice):
    """One event of an OpenAI stream."""
    choice = {"index": index, "delta": delta, "finish_reason": finish, **choice}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
    return "data: " + json.dumps({**head, **(top or {}), "choices": [choice]}) + "\n\n"


def event(kind, **data):
    """One event of an Anthropic stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def start(content=()):
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "fake"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    message |= {"content": list(content), "stop_reason": None, "usage": usage}
    return event("message_start", message=message)


def block(**block):
    return event("content_block_start", index=0, content_block=block)


def delta(**delta):
    return event("content_block_delta", index=0, delta=delta)


STOP = event("content_block_stop", index=0)
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
END += event("message_stop")


def ask(house, body, api="openai"):
    """Has the vendor answer with this stream."""
    model = f"stream-{next(_count)}"
    house.vendors[api].script(script(body, kind=EVENTS, model=model))
    request = CONTENT.request(model, True)
    route = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[api]
    return raw.post(house.url, route, request, house.key)


def said(reply):
    return sse.said("openai", reply.body, True)


@pytest.mark.parametrize(
    "texts",
    [["The sum is 1", " and 2500 EUR"], ["Hello ", "my friend"], ["one chunk for all of 4"]],
)
def test_the_last_text_may_come_with_the_reason(redacting, texts):
    body = "".join(chunk({"content": text}) for text in texts[:-1])
    body += chunk({"content": texts[-1]}, "length") + DONE
    reply = ask(redacting, body)
    assert said(reply) == "".join(texts) and sse.ended("openai", reply.body) == "length"
    reasons = [d["choices"][0]["finish_reason"] for d in sse.documents(reply.body)]
    assert reasons == [None] * (len(reasons) - 1) + ["length"], "the reason comes last"


@pytest.mark.parametrize("finish", ["", "stop"])
def test_a_reason_in_each_chunk_hides_nothing(blocking, finish):
    body = chunk({"content": "no " + LEFT}, finish) + chunk({"content": RIGHT + " ."}, finish)
    reply = ask(blocking, body + chunk({}, "stop") + DONE)
    assert DIGITS not in said(reply) and RIGHT not in said(reply)


def test_an_empty_reason_in_each_chunk_changes_nothing(redacting):
    body = "".join(chunk({"content": text}, "") for text in ["hello ", "world 4", "2."])
    reply = ask(redacting, body + chunk({}, "stop") + DONE)
    assert said(reply) == "hello world 42." and sse.ended("openai", reply.body) == "stop"


def test_a_bill_after_the_reason_passes(redacting):
    body = chunk({"content": "fine 4"}) + chunk({}, "stop")
    bill = {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    reply = ask(redacting, body + chunk({"role": "assistant", "content": ""}, top=bill) + DONE)
    assert said(reply) == "fine 4" and sse.ended("openai", reply.body) == "stop"


def test_an_error_that_is_null_is_none(redacting):
    body = "".join(chunk({"content": t}, top={"error": None}) for t in ["hello ", "world"])
    reply = ask(redacting, body + chunk({}, "stop", top={"error": None}) + DONE)
    assert said(reply) == "hello world" and sse.ended("openai", reply.body) == "stop"


def test_an_error_with_text_is_refused(blocking):
    top = {"error": {"message": "busy", "type": "server_error"}}
    reply = ask(blocking, chunk({"content": "no " + LEFT}) + chunk({"content": RIGHT}, top=top))
    assert RIGHT.encode() not in reply.body and sse.ended("openai", reply.body) == "error"


# What vendors put beside the deltas: (members of the event, members of the choice).
METADATA = {
    "provider": ({"provider": "OpenAI"}, {"native_finish_reason": "stop"}),
    "filter": ({}, {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}),
    "request id": ({"x_groq": {"id": "req_01jbd6g2qdfw2adyrt2az8hz4w"}}, {}),
    "citations": ({"citations": ["https://example.org/page", "https://example.org/b"]}, {}),
    "part of a card": ({"x_note": "4242"}, {}),
}


@pytest.mark.parametrize("mode", ["redacting", "blocking"])
@pytest.mark.parametrize("name", METADATA)
def test_metadata_stays_as_it_is(request, name, mode):
    top, more = METADATA[name]
    texts = ["one ", "two ", "three ", "four"]
    body = "".join(chunk({"content": text}, top=top, **more) for text in texts)
    body += chunk({}, "stop", top=top, **more) + DONE
    reply = ask(request.getfixturevalue(mode), body)
    bare = lambda d: (
        {key: value for key, value in d.items() if key != "choices"},
        [{k: v for k, v in c.items() if k not in ("delta", "logprobs")} for c in d["choices"]],
    )
    came = [bare(document) for document in sse.documents(reply.body)]
    assert [one for one in came if top.keys() <= one[0].keys() and more.keys() <= one[1][0].keys()] == [
        bare(document) for document in sse.documents(body.encode())
    ]
    assert all(not d["choices"][0]["delta"].keys() - {"content"} for d in sse.documents(reply.body))
    assert said(reply) == "".join(texts)


def test_a_message_beside_the_deltas_stays(redacting):
    """Some vendors send all that was said so far with each delta."""
    texts = ["one ", "two ", "three"]
    body = ""
    for at, text in enumerate(texts):
        body += chunk({"content": text}, message={"content": "".join(texts[: at + 1])})
    reply = ask(redacting, body + chunk({}, "stop") + DONE)
    messages = [d["choices"][0].get("message") for d in sse.documents(reply.body)]
    assert [m["content"] for m in messages if m] == ["one ", "one two ", "one two three"]
    assert said(reply) == "one two three"


def test_log_probabilities_without_a_text(redacting):
    entry = lambda text: {"token": text, "bytes": list(text.encode()), "top_logprobs": []}
    lists = [{"content": [entry("{"), entry("4")]}, {"content": [entry("2"), entry("}")]}]
    call = {"index": 0, "id": "call_1", "type": "function"}
    call["function"] = {"name": "f", "arguments": ""}
    body = chunk({"role": "assistant", "tool_calls": [call]}, logprobs=lists[0])
    more = {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    body += chunk(more, logprobs=lists[1]) + chunk({}, "tool_calls") + DONE
    reply = ask(redacting, body)
    assert sse.ended("openai", reply.body) == "tool_calls"
    entries = []
    for document in sse.documents(reply.body):
        entries += (document["choices"][0].get("logprobs") or {}).get("content") or []
    assert [entry["token"] for entry in entries] == ["{", "4", "2", "}"]


def _again(text):
    return text.replace('"index": 0', '"index": 0.0').replace(
        '"choices": [', '"choices": [{"index": 5, "delta": {}}, '
    )


def _call(text):
    return chunk({"tool_calls": [{"index": 0, "id": text, "type": "function"}]})


# Each says the left half, then the right half, where a client may join the two.
OPENAI = {
    "another spelling of the index": chunk({"content": LEFT}) + _again(chunk({"content": RIGHT})),
    "a call's id": _call("x " + LEFT) + _call(RIGHT),
    "a text, then parts": chunk({"content": LEFT})
    + chunk({"content": [{"type": "text", "text": RIGHT}]}),
    "parts, then a text": chunk({"content": [{"type": "text", "text": LEFT + "."}]})
    + chunk({"content": [{"type": "text", "text": "x " + LEFT}]})
    + chunk({"content": RIGHT}),
    "a delta, then a message": chunk({"content": "no " + LEFT})
    + chunk({}, message={"content": RIGHT}),
    "a message, then a delta": chunk({}, message={"content": "no " + LEFT})
    + chunk({"content": RIGHT}),
    "a key that spells a place": chunk({"content": LEFT})
    + chunk({}, top={"choices[0].delta.content": " and so on and on "})
    + chunk({"content": RIGHT}),
    "metadata": chunk({}, top={"x_note": "no " + LEFT}) + chunk({}, top={"x_note": RIGHT}),
    "metadata of a choice": chunk({}, x_note="no " + LEFT) + chunk({}, x_note=RIGHT),
}
_TEXT = block(type="text", text="")
_OTHER = {"type": "x", "text": "no " + LEFT}
ANTHROPIC = {
    "arguments after the stop": block(type="tool_use", id="t", name="f", input={})
    + delta(type="input_json_delta", partial_json='{"q":"' + LEFT)
    + STOP
    + delta(type="input_json_delta", partial_json=RIGHT + '"}'),
    "thinking after the stop": block(type="thinking", thinking="", signature="")
    + delta(type="thinking_delta", thinking="no " + LEFT)
    + STOP
    + delta(type="thinking_delta", thinking=RIGHT),
    "text after the stop": _TEXT
    + delta(type="text_delta", text="no " + LEFT)
    + STOP
    + delta(type="text_delta", text=RIGHT),
    "a block that starts twice": _TEXT
    + delta(type="text_delta", text="no " + LEFT)
    + _TEXT
    + delta(type="text_delta", text=RIGHT),
    "text of citations": _TEXT
    + delta(type="citations_delta", citation={}, text="no " + LEFT)
    + delta(type="citations_delta", citation={}, text=RIGHT),
    "unknown events": event("x_new", index=0, delta=_OTHER)
    + event("x_new", index=0, delta={**_OTHER, "text": RIGHT}),
    "text of the end": event("message_delta", delta={"text": "no " + LEFT})
    + event("message_delta", delta={"text": RIGHT}),
    "a result that goes on": block(type="tool_result", content="no " + LEFT)
    + delta(type="x", content=RIGHT),
    "no block": delta(type="text_delta", text="no " + LEFT),
}


def _whole(reply):
    """Whether both halves came through."""
    return LEFT.encode() in reply.body and RIGHT.encode() in reply.body


@pytest.mark.parametrize("mode", ["redacting", "blocking"])
@pytest.mark.parametrize("name", OPENAI)
def test_no_split_passes_openai(request, name, mode):
    body = OPENAI[name] + chunk({}, "stop") + DONE
    reply = ask(request.getfixturevalue(mode), body)
    assert not _whole(reply)
    if mode == "blocking":
        assert sse.ended("openai", reply.body) in ("content_filter", "error")


@pytest.mark.parametrize("mode", ["redacting", "blocking"])
@pytest.mark.parametrize("name", ANTHROPIC)
def test_no_split_passes_anthropic(request, name, mode):
    reply = ask(request.getfixturevalue(mode), start() + ANTHROPIC[name] + STOP + END, "anthropic")
    assert not _whole(reply)
    if mode == "blocking":
        assert sse.ended("anthropic", reply.body) in ("refusal", "error")


def test_a_message_that_starts_with_text_is_refused(blocking):
    body = start([{"type": "text", "text": "no " + LEFT}]) + delta(type="text_delta", text=RIGHT)
    reply = ask(blocking, body + STOP + END, "anthropic")
    assert LEFT.encode() not in reply.body and sse.ended("anthropic", reply.body) == "error"


def test_the_tool_of_a_block_does_not_change(blocking):
    tool = lambda name: block(type="tool_use", id="t", name=name, input={})
    arguments = delta(type="input_json_delta", partial_json="{}")
    reply = ask(blocking, start() + tool("f") + tool("g") + arguments + STOP + END, "anthropic")
    assert sse.ended("anthropic", reply.body) == "error" and b'"g"' not in reply.body


KEYS = {
    "one delta": chunk({"content": f"key {VENDOR_KEY}."}),
    "two deltas": chunk({"content": VENDOR_KEY[:6]}) + chunk({"content": VENDOR_KEY[6:]}),
    "each letter": "".join(chunk({"content": letter}) for letter in VENDOR_KEY),
    "escapes": chunk({"content": "@"}).replace("@", "".join(f"\\u{ord(c):04x}" for c in VENDOR_KEY)),
    "metadata": chunk({}, top={"x_note": VENDOR_KEY[:6]}) + chunk({}, top={"x_note": VENDOR_KEY[6:]}),
    "a comment": f": {VENDOR_KEY}\n\n",
}


@pytest.mark.parametrize("name", KEYS)
def test_the_vendors_own_key_does_not_pass(redacting, name):
    reply = ask(redacting, KEYS[name] + chunk({}, "stop") + DONE)
    assert VENDOR_KEY not in said(reply) and VENDOR_KEY.encode() not in reply.body
    assert sse.ended("openai", reply.body) == "error"


def test_more_fields_than_a_stream_may_have(redacting):
    fields = {f"k{at}": "v." for at in range(60_000)}
    started = time.monotonic()
    reply = ask(redacting, chunk(fields) + chunk({}, "stop") + DONE)
    assert sse.ended("openai", reply.body) == "error" and b"MS-REPLY-003" in reply.body
    assert time.monotonic() - started < 10


def test_log_probabilities_that_pile_up_are_left_out(redacting):
    """A held entry must not hold a pile of others; the text comes all the same."""
    entry = lambda text, pad: {"content": [{"token": text, "bytes": None, "pad": "p" * pad}]}
    body = chunk({"content": "hi 4"}, logprobs=entry("4", 10))
    body += chunk({"content": ""}, logprobs=entry("", 100_000)) * 8
    reply = ask(redacting, body + chunk({}, "stop") + DONE)
    assert said(reply) == "hi 4" and sse.ended("openai", reply.body) == "stop"
    assert len(reply.body) < 100_000


def test_a_long_name_is_not_repeated(redacting):
    """Events that the gate adds carry the stream's id, if it is one."""
    body = "".join(chunk({"content": "so: 4"}, index=at, top={"id": "a" * 100_000}) for at in range(4))
    reply = ask(redacting, body + DONE)
    assert said(reply) == "so: 4" and len(reply.body) < 500_000
