"""The needle test, request side: no sensitive value reaches the vendor.

Every slot of the request, every way to write the value. Blocking: the vendor
sees nothing. Redacting: the vendor sees no needle, and what the echo sends back
is restored to the caller's own text. Harmless twins arrive byte for byte.
"""

import base64
import itertools
import json

import pytest

from harness import encode, needles, raw, sse
from harness.leaks import TOKEN, leaks
from harness.paths import rng
from harness.slots_anthropic import SLOTS as ANTHROPIC
from harness.slots_openai import SLOTS as OPENAI

SLOTS = [pytest.param(slot, id=f"{slot.api}-{slot.name}") for slot in OPENAI + ANTHROPIC]
BLOCKED = ("MS-SCREEN-001", "MS-SCREEN-003")
_count = itertools.count(1)


def _cases(slot, twin=False):
    """(model, needle, way, text, JSON source, stream) for each needle and way."""
    if slot.number:
        card = needles.ALL["card"]
        digits = "".join(filter(str.isdigit, card.twin if twin else card.text))
        yield f"case-{next(_count)}", card, "number", digits, digits, False
        return
    for needle, (way, write) in itertools.product(needles.FOUR, encode.WAYS.items()):
        text, source = write(needle.twin if twin else needle.text)
        number = next(_count)
        yield f"case-{number}", needle, way, text, source, number % 2 == 0


def _send_all(house, slot, cases):
    vendor = house.vendors[slot.api]
    vendor.forget()

    def send(case):
        model, _, _, _, source, stream = case
        stream = stream and not slot.path
        body = slot.body(model, source, stream)
        return body, raw.post(house.url, slot.route, body, house.key)

    replies = raw.in_parallel(send, cases)
    return replies, vendor.bodies()


def _refused(reply):
    return 400 <= reply.status < 500 and "MS-" in reply.message


@pytest.mark.parametrize("slot", SLOTS)
def test_blocking_nothing_reaches_the_vendor(blocking, slot):
    cases = list(_cases(slot))
    replies, bodies = _send_all(blocking, slot, cases)
    wrong = []
    for (model, needle, way, *_), (_, reply) in zip(cases, replies, strict=True):
        refused = _refused(reply) and any(code in reply.message for code in BLOCKED)
        if not refused or model in bodies or leaks(reply.body, needle):
            wrong.append((needle.name, way, reply.status, model in bodies))
    assert not wrong


@pytest.mark.parametrize("slot", SLOTS)
def test_redacting_no_needle_reaches_the_vendor(redacting, slot):
    cases = list(_cases(slot))
    replies, bodies = _send_all(redacting, slot, cases)
    wrong = []
    for (model, needle, way, text, _, stream), (_, reply) in zip(cases, replies, strict=True):
        seen = bodies.get(model, [])
        fault = _redact_fault(slot, needle, text, reply, seen, stream)
        if fault:
            wrong.append((needle.name, way, fault))
    assert not wrong


def _redact_fault(slot, needle, text, reply, seen, stream):
    """What is wrong about one redacted exchange, or nothing."""
    if any(leaks(body, needle) for body in seen):
        return "the vendor saw it"
    if reply.status == 200 and len(seen) == 1 and slot.edit is not False:
        if not TOKEN.search(seen[0].decode()):
            return "nothing stands in its place"
        if slot.echo:
            said = sse.said(slot.api, reply.body, stream and not slot.path)
            if said != f"You said: {text}":
                return f"it was not restored: {said}, from {reply.body[-300:]}"
        return None
    if slot.edit is True:
        return f"it should be rewritten, not answered with {reply.status}"
    if not _refused(reply) or seen:
        return f"neither rewritten nor refused: {reply.status} {reply.body[:200]}, seen: {len(seen)}"
    return "the refusal tells it" if leaks(reply.body, needle) else None


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("mode", ["redacting", "blocking"])
def test_twins_arrive_byte_for_byte(request, slot, mode):
    house = request.getfixturevalue(mode)
    cases = list(_cases(slot, twin=True))
    replies, bodies = _send_all(house, slot, cases)
    wrong = []
    for (model, needle, way, text, _, stream), (sent, reply) in zip(cases, replies, strict=True):
        if bodies.get(model) != [sent] or reply.status != 200:
            wrong.append((needle.name, way, reply.status, reply.body[:120]))
        elif slot.echo and sse.said(slot.api, reply.body, stream) != f"You said: {text}":
            wrong.append((needle.name, way, "the reply was changed"))
    assert not wrong


def _halves(needle, twin):
    text = encode.plain(needle.twin if twin else needle.text)[0]
    start = len(encode.BEFORE) + 1
    places = range(start, start + len(needle.text) - 1)
    for at in rng("halves", needle.name).sample(places, min(6, len(places))):
        yield text, text[:at], text[at:]


def _parts_of(where, first, second):
    texts = [{"type": "text", "text": first}, {"type": "text", "text": second}]
    ask = {"role": "user", "content": "hi"}
    return {
        "user": {"messages": [{"role": "user", "content": texts}]},
        "system": {"messages": [{"role": "system", "content": texts}, ask]},
        "blocks": {"max_tokens": 9, "system": texts, "messages": [ask]},
        "result": {
            "max_tokens": 9,
            "messages": [
                ask,
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": texts}
                    ],
                },
            ],
        },
    }[where]


@pytest.mark.parametrize(
    ("api", "where"),
    [
        ("openai", "user"),
        ("openai", "system"),
        ("anthropic", "user"),
        ("anthropic", "blocks"),
        ("anthropic", "result"),
    ],
)
@pytest.mark.parametrize("mode", ["redacting", "blocking", "twin"])
def test_a_value_split_over_two_text_parts(redacting, blocking, api, where, mode):
    house = blocking if mode == "blocking" else redacting
    vendor = house.vendors[api]
    vendor.forget()
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[api]
    for needle in needles.FOUR:
        for whole, first, second in _halves(needle, mode == "twin"):
            request = {
                "model": f"case-{next(_count)}",
                "max_tokens": 9,
                **_parts_of(where, first, second),
            }
            reply = raw.post(house.url, path, request, house.key)
            seen = vendor.bodies().get(request["model"], [])
            assert not any(leaks(body, needle) for body in seen), needle.name
            if mode == "blocking":
                assert reply.status == 400 and not seen
                continue
            assert reply.status == 200 and len(seen) == 1
            if where == "user":
                assert sse.said(api, reply.body, False) == f"You said: {whole}"
            vendor.forget()


def _named():
    """Values that only their key tells."""
    source = rng("named")
    ssn = "219099" + str(source.randrange(101, 999))
    key = base64.b64encode(source.randbytes(30)).decode()
    return {
        "ssn": ({"ssn": ssn}, ssn),
        "ssn as a number": ({"ssn": int(ssn)}, ssn),
        "ssn in a list": ({"person": {"ssn": [ssn]}}, ssn),
        "key": ({"aws_secret_access_key": key}, key),
    }


def _holding(where, document):
    ask = {"role": "user", "content": "hi"}
    if where == "openai":
        function = {"name": "f", "arguments": json.dumps(document)}
        call = {"id": "call_1", "type": "function", "function": function}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return [ask, said, {"role": "tool", "tool_call_id": "call_1", "content": "ok"}]
    used = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": document}
    return [ask, {"role": "assistant", "content": [used]}]


@pytest.mark.parametrize("api", ["openai", "anthropic"])
@pytest.mark.parametrize("name", _named())
def test_a_value_that_only_its_key_tells(blocking, api, name):
    document, value = _named()[name]
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[api]
    vendor = blocking.vendors[api]
    request = {"model": f"case-{next(_count)}", "max_tokens": 9}
    request["messages"] = _holding(api, document)
    reply = raw.post(blocking.url, path, request, blocking.key)
    assert _refused(reply) and any(code in reply.message for code in BLOCKED)
    assert request["model"] not in vendor.bodies()
    # Under another name it is a number like any other.
    request = {**request, "model": f"case-{next(_count)}"}
    request["messages"] = _holding(api, {"order": value})
    reply = raw.post(blocking.url, path, request, blocking.key)
    assert reply.status == 200, reply.body


def _split_parts(first, second):
    """Parts of one message that say one value together."""
    texts = [{"type": "text", "text": first}, {"type": "text", "text": second}]
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
    return {
        "an empty refusal between": [texts[0], {"type": "refusal", "refusal": ""}, texts[1]],
        "a picture between": [texts[0], picture, texts[1]],
        "two refusals": [
            {"type": "refusal", "refusal": first},
            {"type": "refusal", "refusal": second},
        ],
        "a text and a refusal": [texts[0], {"type": "refusal", "refusal": second}],
        "an unknown type": [{"type": "input_text", "text": part} for part in (first, second)],
        "a refusal beside the text": [texts[0], {"type": "text", "refusal": "z", "text": second}],
    }


@pytest.mark.parametrize("name", _split_parts("", ""))
def test_a_value_split_over_odd_parts(blocking, name):
    for needle in needles.FOUR:
        for _, first, second in _halves(needle, False):
            content = _split_parts(first, second)[name]
            request = {"model": f"case-{next(_count)}"}
            request["messages"] = [{"role": "assistant", "content": content}]
            reply = raw.post(blocking.url, "/v1/chat/completions", request, blocking.key)
            assert _refused(reply), (needle.name, reply.body)
            assert request["model"] not in blocking.openai.bodies()


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptV"


def _data_urls(value):
    def data(text):
        return base64.b64encode(text.encode()).decode()

    return {
        "beside a picture": f"data:image/png;note={value};base64,{PNG}",
        "for a type": f"data:my card is {value};base64,{PNG}",
        "beside a document": f"data:application/pdf;name={value};base64," + data("%PDF-1.7\n" + "x" * 40),
        "in a note": "data:text/plain;base64," + data(f"My notesWEBP the card is {value} today"),
        "in a tag": "data:audio/mpeg;base64," + data(f"ID3 is my tag, the card is {value} today"),
        "in a draft": "data:application/pdf;base64," + data(f"%PDF-like notes: {value} and more"),
    }


@pytest.mark.parametrize("name", _data_urls(""))
@pytest.mark.parametrize("place", ["image_url", "file"])
def test_a_value_in_a_data_url(blocking, place, name):
    url = _data_urls(needles.ALL["card"].text)[name]
    part = {
        "image_url": {"type": "image_url", "image_url": {"url": url}},
        "file": {"type": "file", "file": {"filename": "x", "file_data": url}},
    }[place]
    request = {"model": f"case-{next(_count)}"}
    request["messages"] = [{"role": "user", "content": [part]}]
    reply = raw.post(blocking.url, "/v1/chat/completions", request, blocking.key)
    assert _refused(reply) and any(code in reply.message for code in BLOCKED)
    assert request["model"] not in blocking.openai.bodies()
    # A picture without such a note goes through.
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    request = {"model": f"case-{next(_count)}", "messages": [{"role": "user", "content": [part]}]}
    reply = raw.post(blocking.url, "/v1/chat/completions", request, blocking.key)
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("kind", ["chance", "card", "ssn"])
def test_what_a_signature_holds_when_decoded(blocking, kind):
    # What random bytes may spell is no finding; what they cannot is one.
    short = "q@" + "x.yz"
    value = short if kind == "chance" else needles.ALL[kind].text
    signature = base64.b64encode(f"xxxxxx {value} \x7f\x7f\x7f".encode()).decode()
    thought = {"type": "thinking", "thinking": "hm", "signature": signature}
    request = {"model": f"case-{next(_count)}", "max_tokens": 9}
    request["messages"] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "yes"}]},
        {"role": "user", "content": "go on"},
    ]
    reply = raw.post(blocking.url, "/v1/messages", request, blocking.key)
    assert _refused(reply) == (kind != "chance"), reply.body
