"""Runs many scripted replies through a gate: one row each, in parallel."""

import itertools
from dataclasses import dataclass

from . import raw

_count = itertools.count(1)


@dataclass
class Row:
    """One scripted reply, and what came back of it."""

    label: str
    body: bytes
    streamed: bool
    # Cut the body into two network chunks after this many bytes.
    at: int | None = None
    # The channel's text as the vendor sent it.
    text: str = ""
    reply: raw.Reply | None = None


def run(house, channel, rows):
    """Fills in each row's reply. Rows with the same body share a script."""
    vendor = house.vendors[channel.api]
    models = {}
    scripts = []
    for row in rows:
        if (row.body, row.streamed) not in models:
            model = f"reply-{next(_count)}"
            models[row.body, row.streamed] = model
            scripts.append(channel.script(row.body, row.streamed, model=model, once=False))
    vendor.script(*scripts)

    def send(row):
        model = models[row.body, row.streamed]
        name = model if row.at is None else f"{model}@{row.at}"
        request = channel.request(name, row.streamed)
        row.reply = raw.post(house.url, channel.route, request, house.key)

    raw.in_parallel(send, rows)
    vendor.unscript()
    return rows
