"""The needle test, reply side: no sensitive value that a vendor sends comes through.

Every channel of the reply, plain and streamed, however the value is written and
wherever the stream is cut: over two deltas, over a delta for each character,
over two network chunks. Blocking: nothing of the value, and the protocol's own
end. Redacting: a whole placeholder in its place. Harmless twins unchanged.
"""

import json
import re

import pytest

from harness import encode, needles, sse
from harness.channels import CHANNELS
from harness.leaks import TOKEN, half_token, leaks
from harness.paths import LONG, rng
from harness.replies import Row, run

PARAMS = [pytest.param(channel, id=f"{channel.api}-{channel.name}") for channel in CHANNELS]
DELTA_SPLITS, BYTE_SPLITS = 8, 40
END = {"openai": "content_filter", "anthropic": "refusal"}


def _sample(source, places, count):
    places = list(places)
    return places if LONG else sorted(source.sample(places, min(count, len(places))))


def _rows(channel, needle, value):
    """All rows for one value in one channel."""
    source = rng("splits", channel.api, channel.name, needle.name)
    rows = []
    for way, write in encode.WAYS.items():
        text = channel.wrap(write(value)[1])
        bodies = [("plain", channel.whole(text), False), ("stream", channel.stream([text]), True)]
        if channel.cuttable:
            bodies.append(("each character", channel.stream(list(text)), True))
        for label, body, streamed in bodies:
            if way == "json-escapes" and not channel.json and label != "each character":
                escaped = "".join(f"\\u{ord(letter):04x}" for letter in value)
                body = body.replace(value.encode(), escaped.encode())
            rows.append(Row(f"{label}, {way}", body, streamed, text=text))
    text = channel.wrap(encode.plain(value)[1])
    if channel.cuttable:
        start = text.index(value)
        for at in _sample(source, range(start, start + len(value) + 1), DELTA_SPLITS):
            deltas = [text[:at], text[at:]]
            rows.append(Row(f"two deltas at {at}", channel.stream(deltas), True, text=text))
    body = channel.stream([text])
    start = body.index(value.encode())
    near = _sample(source, range(start - 20, start + len(value) + 20), BYTE_SPLITS * 3 // 4)
    far = _sample(source, range(1, len(body)), BYTE_SPLITS // 4)
    for at in sorted({*near, *far}):
        rows.append(Row(f"network split at {at}", body, True, at=at, text=text))
    return rows


def _leak(channel, row, needle):
    reply = row.reply
    if leaks(reply.body, needle):
        return "the body shows it"
    if reply.status == 200:
        found = sse.channels(channel.api, reply.body, row.streamed)
        if any(leaks(text, needle) for text in found.values()):
            return "a channel shows it"
    return None


def _block_fault(channel, row, needle):
    reply = row.reply
    if fault := _leak(channel, row, needle):
        return fault
    if not row.streamed:
        told = reply.status >= 400 and "MS-REPLY-001" in reply.message
        return None if told else f"it was answered with {reply.status}"
    if reply.status != 200 or not reply.complete:
        return f"status {reply.status}, complete: {reply.complete}"
    if sse.ended(channel.api, reply.body) != END[channel.api]:
        return f"it ended with {sse.ended(channel.api, reply.body)}"
    text = channel.read(reply.body, True) or ""
    if "base64" in row.label:
        # The harmless part of the same run may go before what holds the value.
        return None if row.text.startswith(text) else "what was released is not the start"
    lead = row.text.index(encode.BEFORE) + len(encode.BEFORE)
    return None if row.text[:lead].startswith(text) else "more was released than the lead"


def _redact_fault(channel, row, needle):
    reply = row.reply
    if fault := _leak(channel, row, needle):
        return fault
    if reply.status != 200 or not reply.complete:
        return f"status {reply.status}, complete: {reply.complete}"
    if row.streamed and sse.ended(channel.api, reply.body) in (None, "error"):
        return "it did not end well"
    text = channel.read(reply.body, row.streamed)
    if text is None:
        return "the channel is gone" if channel.edit else None
    try:
        text = channel.unwrap(text)
    except ValueError:
        return "the channel is no longer valid JSON"
    if half_token(text):
        return "half a placeholder"
    whole = re.escape(encode.BEFORE) + ".*" + TOKEN.pattern + ".*" + re.escape(encode.AFTER)
    if channel.edit and not re.fullmatch(whole, text):
        return "no placeholder stands in its place"
    return None


def _twin_fault(channel, row, _):
    reply = row.reply
    if reply.status != 200 or not reply.complete:
        return f"status {reply.status}, complete: {reply.complete}"
    if not row.streamed:
        return None if reply.body == row.body else "the body was changed"
    if sse.channels(channel.api, reply.body, True) != sse.channels(channel.api, row.body, True):
        return "a channel was changed"
    same = sse.ended(channel.api, reply.body) == sse.ended(channel.api, row.body)
    return None if same else "it ended otherwise"


def _faults(house, channel, needle, value, fault):
    rows = run(house, channel, _rows(channel, needle, value))
    faults = [(row.label, fault(channel, row, needle)) for row in rows]
    return [(label, wrong) for label, wrong in faults if wrong]


@pytest.mark.parametrize("channel", PARAMS)
@pytest.mark.parametrize("kind", range(4), ids=["card", "ssn", "email", "key"])
class TestChannels:
    """Each channel, each kind of value."""

    def test_blocked(self, blocking, channel, kind):
        needle = needles.FOUR[kind]
        assert not _faults(blocking, channel, needle, needle.text, _block_fault)

    def test_redacted(self, redacting, channel, kind):
        needle = needles.FOUR[kind]
        assert not _faults(redacting, channel, needle, needle.text, _redact_fault)

    def test_twin(self, redacting, channel, kind):
        needle = needles.FOUR[kind]
        assert not _faults(redacting, channel, needle, needle.twin, _twin_fault)


@pytest.mark.parametrize("name", sorted(needles.KEYS))
@pytest.mark.parametrize("mode", ["blocking", "redacting"])
def test_every_vendors_key_is_known(request, mode, name):
    house = request.getfixturevalue(mode)
    needle = needles.ALL[f"key-{name}"]
    channel = CHANNELS[0]
    text = encode.plain(needle.text)[0]
    rows = [
        Row("plain", channel.whole(text), False, text=text),
        Row("each character", channel.stream(list(text)), True, text=text),
    ]
    fault = _block_fault if mode == "blocking" else _redact_fault
    run(house, channel, rows)
    assert not [(row.label, wrong) for row in rows if (wrong := fault(channel, row, needle))]


def _entry(text):
    top = [{"token": text, "bytes": list(text.encode()), "logprob": -0.1}]
    return {**top[0], "top_logprobs": top}


def _spelled(body, streamed):
    """All log probabilities of a reply, as the text that they spell: tokens,
    bytes, and the same of the best alternative."""
    documents = sse.documents(body) if streamed else [json.loads(body)]
    entries = []
    for document in documents:
        for choice in document.get("choices", []):
            for spelling in (choice.get("logprobs") or {}).values():
                entries += spelling or []
    alternatives = [entry["top_logprobs"][0] for entry in entries if entry.get("top_logprobs")]
    for each in (entries, alternatives):
        yield "".join(entry["token"] for entry in each)
        yield bytes(b for entry in each for b in entry.get("bytes") or []).decode(errors="replace")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("spells", ["content", "logprobs only", "refusal"])
@pytest.mark.parametrize("mode", ["blocking", "redacting", "twin"])
def test_log_probabilities_spell_no_needle(redacting, blocking, mode, spells, streamed):
    house = blocking if mode == "blocking" else redacting
    channel = CHANNELS[0]
    field = "refusal" if spells == "refusal" else "content"
    for needle in needles.FOUR:
        value = needle.twin if mode == "twin" else needle.text
        spelled = encode.plain(value)[0]
        text = "nothing to see" if spells == "logprobs only" else spelled
        body = _with_logprobs(channel, field, text, spelled, streamed)
        (row,) = run(house, channel, [Row("", body, streamed, text=text)])
        if mode == "twin":
            assert list(_spelled(row.reply.body, streamed)) == [spelled] * 4
            continue
        assert not leaks(row.reply.body, needle)
        if row.reply.status == 200:
            assert not any(leaks(text, needle) for text in _spelled(row.reply.body, streamed))
            found = sse.channels("openai", row.reply.body, streamed)
            assert not any(leaks(text, needle) for text in found.values())


def _with_logprobs(channel, field, text, spelled, streamed):
    entries = [_entry(letter) for letter in spelled]
    if not streamed:
        document = json.loads(channel.whole("x"))
        document["choices"][0]["message"].update({"content": None, field: text})
        document["choices"][0]["logprobs"] = {field: entries}
        return json.dumps(document).encode()
    # One event for each letter, like a vendor with a token a letter.
    count = max(len(text), len(entries))
    lines = channel.stream([""] * count).decode().split("\n\n")
    for at in range(count):
        document = json.loads(lines[at + 1].removeprefix("data: "))
        choice = document["choices"][0]
        choice["delta"] = {field: text[at : at + 1]}
        choice["logprobs"] = {field: entries[at : at + 1]}
        lines[at + 1] = "data: " + json.dumps(document)
    return "\n\n".join(lines).encode()


def test_log_probabilities_that_are_too_much_to_look_at_do_not_pass(redacting):
    """Readings of readings: what cannot all be looked at is refused, in the
    text and where its tokens are spelled."""
    channel = CHANNELS[0]
    hidden = "".join(f"%{byte:02x}" for byte in needles.FOUR[0].text.encode())
    much = ("fm2_" * 250 + "\u200b") * 25 + " see " + hidden + " end"
    document = json.loads(channel.whole("nothing to see"))
    document["choices"][0]["logprobs"] = {"content": [_entry(much)]}
    (row,) = run(redacting, channel, [Row("", json.dumps(document).encode(), False, text=much)])
    assert row.reply.status != 200 and hidden.encode() not in row.reply.body
    assert b"MS-REPLY-003" in row.reply.body


def _odd_lists(digits):
    """Log probabilities that are no plain list of tokens."""
    token = {"token": "a", "logprob": -0.1}
    return {
        "a text": digits,
        "an object": {"x": digits},
        "an entry that is a text": [digits],
        "a member more": [{**token, "note": digits}],
        "a number for a token": [{"token": int(digits)}],
        "a number for a probability": [{"token": "a", "logprob": int(digits)}],
        "a number for a byte": [{**token, "bytes": [int(digits)]}],
        "a member more in an alternative": [{**token, "top_logprobs": [{**token, "note": digits}]}],
    }


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_odd_log_probabilities_hide_no_needle(blocking, streamed):
    channel = CHANNELS[0]
    needle = needles.ALL["card"]
    digits = "".join(filter(str.isdigit, needle.text))
    rows = []
    for name, odd in _odd_lists(digits).items():
        body = _with_odd(channel, odd, streamed)
        rows.append(Row(name, body, streamed, text="hi"))
    run(blocking, channel, rows)
    assert not [row.label for row in rows if digits.encode() in row.reply.body]


def _with_odd(channel, odd, streamed):
    if not streamed:
        document = json.loads(channel.whole("hi"))
        document["choices"][0]["logprobs"] = {"content": odd}
        return json.dumps(document).encode()
    lines = channel.stream(["hi"]).decode().split("\n\n")
    document = json.loads(lines[1].removeprefix("data: "))
    document["choices"][0]["logprobs"] = {"content": odd}
    lines[1] = "data: " + json.dumps(document)
    return "\n\n".join(lines).encode()


@pytest.mark.parametrize("number", [False, True], ids=["text", "number"])
def test_a_value_that_only_its_key_tells(blocking, number):
    channel = next(channel for channel in CHANNELS if channel.name == "input_json")
    ssn = "219099" + str(rng("named").randrange(101, 999))
    for key, blocked in (("ssn", True), ("order", False)):
        text = json.dumps({key: int(ssn) if number else ssn})
        (row,) = run(blocking, channel, [Row(key, channel.whole(text), False, text=text)])
        assert (row.reply.status >= 400) == blocked, row.reply.body
        assert (ssn.encode() in row.reply.body) != blocked


@pytest.mark.parametrize("place", ["beside the choices", "in the message"])
@pytest.mark.parametrize("number", [False, True], ids=["text", "number"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_a_value_that_only_its_key_tells_where_nobody_expects_one(
    blocking, streamed, number, place
):
    channel = CHANNELS[0]
    ssn = "219099" + str(rng("named", place).randrange(101, 999))
    for key, blocked in (("ssn", True), ("order", False)):
        lines = [channel.whole("hi")]
        if streamed:
            lines = channel.stream(["hi"]).decode().split("\n\n")
        at = 1 if streamed else 0
        text = lines[at].removeprefix("data: ") if streamed else lines[at]
        document = json.loads(text)
        choice = document["choices"][0]
        home = document if place == "beside the choices" else choice["delta" if streamed else "message"]
        home["extra"] = {key: int(ssn) if number else ssn}
        lines[at] = ("data: " if streamed else "") + json.dumps(document)
        body = "\n\n".join(lines) if streamed else lines[0]
        (row,) = run(blocking, channel, [Row(key, body.encode(), streamed, text="hi")])
        assert (ssn.encode() in row.reply.body) != blocked, row.reply.body
