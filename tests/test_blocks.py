"""A value split over neighbouring text blocks of one Anthropic reply."""

import json

import pytest

from harness import needles, raw
from harness.leaks import leaks
from harness.paths import rng
from harness.vendor import EVENTS, script

KINDS = sorted(needles.ALL)[:4]


def _events(texts, between=False):
    """A stream of text blocks; `between` puts another block between them."""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    events = [{"type": "message_start", "message": {**start, "usage": {"input_tokens": 1, "output_tokens": 1}}}]
    for index, text in enumerate(texts):
        events.append(
            {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        )
        delta = {"type": "text_delta", "text": text}
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}})
    events.append({"type": "message_stop"})
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def _message(texts):
    content = [{"type": "text", "text": text} for text in texts]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return json.dumps({**message, "stop_reason": "end_turn", "usage": usage}).encode()


def _ask(house, model, body, stream):
    kind = EVENTS if stream else "application/json"
    house.anthropic.script(script(body, kind=kind, model=model))
    request = {"model": model, "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    return raw.post(house.url, "/v1/messages", request, house.key)


def _said(body, stream):
    if not stream:
        return "".join(block.get("text", "") for block in json.loads(body).get("content", []))
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return "".join(json.loads(line).get("delta", {}).get("text", "") for line in lines)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_over_two_blocks_never_passes_whole(redacting, blocking, kind, stream):
    needle = needles.ALL[kind]
    cuts = range(1, len(needle.text))
    for at in rng("blocks", kind, stream).sample(cuts, min(6, len(cuts))):
        texts = [f"it is {needle.text[:at]}", f"{needle.text[at:]} ok"]
        body = _events(texts) if stream else _message(texts)
        for name, house in (("redact", redacting), ("block", blocking)):
            reply = _ask(house, f"blocks-{name}-{kind}-{stream}-{at}", body, stream)
            said = _said(reply.body, stream) if reply.status == 200 else ""
            assert needle.text not in said
            # In a stream the first block's part may be out already.
            assert stream or not leaks(said, needle)
            if stream and name == "block":
                assert b'"stop_reason":"refusal"' in reply.body


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_harmless_blocks_stay(redacting, stream):
    texts = ["the first of 2", "00 blocks and", " the third."]
    body = _events(texts) if stream else _message(texts)
    reply = _ask(redacting, f"blocks-harmless-{stream}", body, stream)
    assert _said(reply.body, stream) == "".join(texts)
