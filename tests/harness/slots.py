"""Slots: the places of a request where text hides, as rows of a table.

A row holds a request with `HERE` where the text goes. Three kinds of place:
`edit` says whether a redacting gate can rewrite it (True), must refuse (False:
keys, numbers, names) or may do either (None).
"""

import json
from dataclasses import dataclass

HERE = "NEEDLEPLACE"
_NUMBER = json.dumps(HERE)


@dataclass(frozen=True)
class Slot:
    """One place in one API's request."""

    api: str
    name: str
    request: dict
    edit: bool | None = True
    # The place lies in JSON that is itself a string.
    nested: bool = False
    # The fake vendor's echo repeats the place, so that restoring can be seen.
    echo: bool = False
    # The place is a number: only a card fits, and only as digits.
    number: bool = False
    path: str = ""

    @property
    def route(self):
        return (
            self.path or {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[self.api]
        )

    def body(self, model, raw, stream=False):
        """The request for `model` with this JSON source at the place."""
        request = {"model": model, **self.request}
        if stream:
            request["stream"] = True
        text = json.dumps(request, ensure_ascii=False)
        if self.number:
            return text.replace(_NUMBER, raw).encode()
        inner = json.dumps(raw, ensure_ascii=False)[1:-1] if self.nested else raw
        assert text.count(HERE) == 1, (self.name, text)
        return text.replace(HERE, inner).encode()


def user(text="good morning"):
    return {"role": "user", "content": text}


def nested(document):
    """A document as JSON in a string."""
    return json.dumps(document)
