"""Channels: the places of a reply where text comes back, plain and streamed.

Each row makes a reply whose channel holds a given text: `whole(text)` the body
of a plain reply, `stream(deltas)` the body of an event stream.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from . import sse
from .vendor import EVENTS, script


@dataclass(frozen=True)
class Channel:
    """One channel of one API's reply."""

    api: str
    name: str
    # Where sse.channels finds the text in a stream, and in a plain reply.
    place: str
    plain_place: str
    message: Callable
    delta: Callable
    # What a stream says before the first delta: the block (Anthropic), or
    # what stands beside the role (OpenAI), such as the tool's name.
    start: Callable = lambda: {}
    # The channel's text is itself a JSON document, {"q": text}.
    json: bool = False
    # The channel's text may come in several deltas.
    cuttable: bool = True
    # Rewriting it is allowed; otherwise it may be taken out as well.
    edit: bool = True

    @property
    def route(self):
        return {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[self.api]

    def request(self, model, stream):
        asked = {"model": model, "max_tokens": 64, "stream": stream}
        return {**asked, "messages": [{"role": "user", "content": "good morning"}]}

    def wrap(self, source):
        """The channel's text for a text given as JSON source."""
        return f'{{"q": "{source}"}}' if self.json else json.loads(f'"{source}"')

    def unwrap(self, text):
        """The text within the channel's text; fails if it is not valid JSON."""
        return json.loads(text)["q"] if self.json else text

    def whole(self, text):
        return json.dumps(WHOLE[self.api](self.message(text))).encode()

    def stream(self, deltas):
        return STREAM[self.api](self.start(), [self.delta(text) for text in deltas])

    def read(self, body, streamed):
        """The channel's text in a reply, None if the channel is not there."""
        found = sse.channels(self.api, body, streamed)
        text = found.get(self.place if streamed else self.plain_place)
        if text is not None and self.json and not streamed and self.api == "anthropic":
            return json.dumps({"q": text})
        return text

    def script(self, body, streamed, **more):
        return script(body, kind=EVENTS if streamed else "application/json", **more)


def _openai_whole(message):
    message = {"role": "assistant", "content": None, "refusal": None, **message}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "fake",
        "choices": [choice],
    }


def _openai_stream(start, deltas):
    head = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "fake",
    }

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return "data: " + json.dumps({**head, "choices": [choice]}) + "\n\n"

    parts = [chunk({"role": "assistant", **start}), *map(chunk, deltas), chunk({}, "stop")]
    return ("".join(parts) + "data: [DONE]\n\n").encode()


def _anthropic_head(content):
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": "fake",
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _anthropic_whole(block):
    return {**_anthropic_head([block]), "stop_reason": "end_turn"}


def _anthropic_stream(block, deltas):
    events = [
        ("message_start", {"message": _anthropic_head([])}),
        ("content_block_start", {"index": 0, "content_block": block}),
    ]
    events += [("content_block_delta", {"index": 0, "delta": delta}) for delta in deltas]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": end, "usage": {"output_tokens": 1}}),
        ("message_stop", {}),
    ]
    lines = (
        f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events
    )
    return "".join(lines).encode()


WHOLE = {"openai": _openai_whole, "anthropic": _anthropic_whole}
STREAM = {"openai": _openai_stream, "anthropic": _anthropic_stream}


def _openai(name, place, message, delta=None, **flags):
    return Channel("openai", name, place, place, message, delta or message, **flags)


def _call(text):
    return {
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "look_up", "arguments": text},
            }
        ]
    }


def _call_delta(text):
    return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}


def _custom(text):
    return {
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "custom",
                "custom": {"name": "shell", "input": text},
            }
        ]
    }


def _custom_delta(text):
    return {"tool_calls": [{"index": 0, "custom": {"input": text}}]}


def _block(kind, **parts):
    return lambda: {"type": kind, **parts}


def _cite(text):
    return {
        "type": "char_location",
        "cited_text": text,
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 1,
    }


# fmt: off
CHANNELS = [
    _openai("content", "0.content", lambda text: {"content": text}),
    _openai("refusal", "0.refusal", lambda text: {"refusal": text}),
    _openai("reasoning_content", "0.reasoning_content", lambda text: {"reasoning_content": text}),
    _openai("arguments", "0.tool_calls[0].function.arguments", _call, _call_delta,
            start=lambda: _call(""), json=True),
    _openai("custom input", "0.tool_calls[0].custom.input", _custom, _custom_delta,
            start=lambda: _custom(""), edit=False),
    _openai("function_call", "0.function_call.arguments",
            lambda text: {"function_call": {"name": "look_up", "arguments": text}},
            lambda text: {"function_call": {"arguments": text}},
            start=lambda: {"function_call": {"name": "look_up", "arguments": ""}}, json=True),
    _openai("unknown field", "0.x_note", lambda text: {"x_note": text}, edit=False),
    Channel("anthropic", "text", "0.text", "0.text",
            lambda text: {"type": "text", "text": text},
            lambda text: {"type": "text_delta", "text": text}, _block("text", text="")),
    Channel("anthropic", "thinking", "0.thinking", "0.thinking",
            lambda text: {"type": "thinking", "thinking": text, "signature": "c2lnbmVk"},
            lambda text: {"type": "thinking_delta", "thinking": text},
            _block("thinking", thinking="", signature=""), edit=False),
    Channel("anthropic", "input_json", "0.partial_json", "0.input.q",
            lambda text: {"type": "tool_use", "id": "toolu_1", "name": "look_up",
                          "input": json.loads(text)},
            lambda text: {"type": "input_json_delta", "partial_json": text},
            _block("tool_use", id="toolu_1", name="look_up", input={}), json=True),
    Channel("anthropic", "citations", "0.citation.cited_text", "0.citations[0].cited_text",
            lambda text: {"type": "text", "text": "yes", "citations": [_cite(text)]},
            lambda text: {"type": "citations_delta", "citation": _cite(text)},
            _block("text", text=""), cuttable=False, edit=False),
    Channel("anthropic", "unknown delta", "0.x_note", "0.x_note",
            lambda text: {"type": "x_new", "x_note": text},
            lambda text: {"type": "x_new_delta", "x_note": text},
            _block("x_new"), edit=False),
]
# fmt: on
