"""Reads replies, plain and streamed, into the text of each channel."""

import json


def events(body):
    """(event name or None, data) of each complete event; comments left out."""
    text = body.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n")[:-1]:
        name, data = None, []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
        if data:
            yield name, "\n".join(data)


def documents(body):
    """The JSON documents of a stream."""
    return [json.loads(data) for _, data in events(body) if data != "[DONE]"]


def _gather(channels, place, value):
    """Adds all strings under a delta to the channel of their path."""
    if isinstance(value, str):
        channels[place] = channels.get(place, "") + value
    elif isinstance(value, dict):
        for name, inner in value.items():
            _gather(channels, f"{place}.{name}", inner)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            index = inner.get("index", at) if isinstance(inner, dict) else at
            _gather(channels, f"{place}[{index}]", inner)


def channels(api, body, stream):
    """The text of each channel of a reply, by a path that is the same for a
    plain reply and a streamed one as far as the two have the same fields."""
    found = {}
    if not stream:
        document = json.loads(body)
        if api == "openai":
            for choice in document.get("choices", []):
                _gather(found, f"{choice['index']}", choice.get("message", {}))
        else:
            for at, block in enumerate(document.get("content", [])):
                _gather(found, f"{at}", block)
        return found
    for document in documents(body):
        if api == "openai":
            for choice in document.get("choices", []):
                _gather(found, f"{choice['index']}", choice.get("delta", {}))
        elif document.get("type") == "content_block_start":
            _gather(found, f"{document['index']}", document["content_block"])
        elif document.get("type") == "content_block_delta":
            delta = {k: v for k, v in document["delta"].items() if k != "type"}
            _gather(found, f"{document['index']}", delta)
    return found


def said(api, body, stream):
    """The assistant's text."""
    found = channels(api, body, stream)
    return found.get("0.content" if api == "openai" else "0.text", "")


def ended(api, body):
    """How a stream ended: the finish or stop reason, or the error's type, and
    None if it just broke off."""
    reason, done = None, False
    for _, data in events(body):
        if data == "[DONE]":
            done = True
            continue
        document = json.loads(data)
        if document.get("error"):
            return "error"
        if api == "openai":
            for choice in document.get("choices", []):
                reason = choice.get("finish_reason") or reason
        else:
            reason = (document.get("delta") or {}).get("stop_reason") or reason
            done = done or document.get("type") == "message_stop"
    return reason if done else None
