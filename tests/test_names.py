"""`[names]`: a service of the operator's that finds names and addresses in
prose, played by a double (harness/names.py)."""

import json
import re
import subprocess
import time

import pytest

from harness import raw, sse
from harness.channels import CHANNELS
from harness.gate import ENV
from harness.metrics import ADMIN, Metrics
from harness.names import Names
from harness.paths import MERESTONE
from harness.running import Call
from harness.streaming import CHAT
from harness.vendor import EVENTS, script

LATER = "2100-01-31"
WHO, WHERE = "Ada Lövelace", "the Old Mill behind the brook"
SAID = f"Please write to {WHO}, she lives at {WHERE}; {WHO} likes tea."
FINE = script(CHANNELS[0].whole("fine"))


@pytest.fixture
def service():
    names = Names(known={WHO: "person", WHERE: "address"})
    yield names
    names.stop()


@pytest.fixture
def named_house(build_house, service):
    def build(when_down=None, modes=None, actions=None, **settings):
        tables = {**ADMIN, "names": {"url": service.url, **settings}}
        if when_down:
            tables["when_down"] = when_down
        return build_house(tables=tables, modes=modes, actions=actions)

    return build


def ask(house, text=SAID, **more):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return raw.post(house.url, CHAT, body, house.key)


def sent(house):
    return [json.loads(body) for body in house.openai.bodies().get("m", [])]


def said(house):
    (body,) = sent(house)
    return body["messages"][0]["content"]


def notes(house, exchange, kind="admitted"):
    leaves = [leaf for leaf in house.gate.leaves_of(exchange) if leaf["type"] == kind]
    return [note["decided"] for leaf in leaves for note in leaf["rooms"]]


def findings(house, exchange, kind="admitted"):
    leaves = [leaf for leaf in house.gate.leaves_of(exchange) if leaf["type"] == kind]
    return {(note["detector"], note["action"]) for leaf in leaves for note in leaf["findings"]}


def content(reply):
    assert reply.status == 200, reply.message
    return reply.json["choices"][0]["message"]["content"]


def test_a_name_becomes_a_placeholder_and_comes_back(named_house, service):
    house = named_house()
    reply = ask(house)
    # The fake vendor says what it was told.
    assert SAID in content(reply)
    away = said(house)
    assert WHO not in away and WHERE not in away and "likes tea" in away
    tokens = re.search(r"to (\w+), she lives at (\w+); (\w+) likes", away)
    assert tokens[1] == tokens[3] != tokens[2]
    assert service.texts.count(SAID) == 1, "the text as it is, once"
    ours = {("person-model", "redact"), ("address-model", "redact")}
    assert ours <= findings(house, reply.exchange)
    assert any("looked at" in note for note in notes(house, reply.exchange))


def test_nobody_is_asked_where_it_is_off(build_house, service, named_house):
    house = build_house()
    assert ask(house).status == 200 and said(house) == SAID
    house = named_house(modes={"redaction": "off"})
    assert ask(house).status == 200 and said(house) == SAID
    assert service.asked == []


def test_each_text_is_asked_and_what_is_none_is_not(named_house, service):
    house = named_house()
    service.known["ada"] = "person"
    body = {
        "model": "ada-1",
        "messages": [
            {"role": "system", "content": f"You serve {WHO}"},
            {"role": "user", "content": [{"type": "text", "text": "Ada Löve"}, {"type": "text", "text": "lace spoke"}]},
            {"role": "user", "content": "?!"},
        ],
        "a_new_field": {"about": [WHO, 12]},
    }
    reply = raw.post(house.url, CHAT, body, house.key)
    assert reply.status == 200, reply.message
    for text in (f"You serve {WHO}", "Ada Löve", "lace spoke", "Ada Lövelace spoke", WHO):
        assert text in service.texts
    assert "ada-1" not in service.texts and "user" not in service.texts
    (request,) = house.openai.requests()
    away = request["body"].decode()
    document = json.loads(away)
    assert document["model"] == "ada-1"
    assert WHO not in json.dumps(document, ensure_ascii=False)
    first, second = document["messages"][1]["content"]
    assert "Ada" not in first["text"] and second["text"] == " spoke"


def test_no_decoded_reading_is_sent(named_house, service):
    """The texts are those of the document; what they encode stays encoded."""
    house = named_house()
    text = "%41%64%61 \\u0041da Qm9iIHdhcyBoZXJlIHdpdGggbWU="
    assert ask(house, text).status == 200
    assert text in service.texts and not any("Ada" in each for each in service.texts)


def test_what_it_is_not_sure_of_does_not_count(named_house, service):
    house = named_house(score_min=91)
    assert ask(house).status == 200 and said(house) == SAID
    service.score = 91
    house.openai.forget()
    assert ask(house).status == 200 and WHO not in said(house)


def test_the_policy_decides_as_for_any_finding(named_house, service):
    house = named_house(actions={"redaction": {"person-model": "block", "address-model": "allow"}})
    reply = ask(house)
    assert reply.status == 400 and "MS-SCREEN-001" in reply.message and WHO not in reply.message
    assert sent(house) == []
    assert ask(house, f"to {WHERE}").status == 200 and said(house) == f"to {WHERE}"


def test_findings_that_overlap_become_one_placeholder(named_house, service):
    house = named_house()
    service.known = {"Ada <ada@mail.example.com": "person"}
    assert ask(house, "ask Ada <ada@mail.example.com> now").status == 200
    away = said(house)
    assert re.fullmatch(r"ask \w+> now", away), away


ANSWERS = {
    "an error": (500, b"{}"),
    "no JSON": (200, b"<html>busy</html>"),
    "nothing": (200, b""),
    "another shape": (200, b'{"names": []}'),
    "too few lists": (200, b'{"spots": []}'),
    "outside the text": (200, b'{"spots": [[{"start": 0, "end": 9999, "kind": "person", "score": 90}]]}'),
    # The ninth byte of "to Ada Lövelace" is half of a letter.
    "half of a letter": (200, b'{"spots": [[{"start": 0, "end": 9, "kind": "person", "score": 90}]]}'),
    "an unknown kind": (200, b'{"spots": [[{"start": 0, "end": 2, "kind": "dog", "score": 90}]]}'),
    "a score of none": (200, b'{"spots": [[{"start": 0, "end": 2, "kind": "person", "score": 0}]]}'),
    "a redirect": (307, b"{}"),
    "too much": (200, b'{"spots": [[]]}' + b" " * (1 << 20)),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_without_a_usable_answer_nothing_is_sent(named_house, service, what):
    house = named_house()
    service.says = ANSWERS[what]
    reply = ask(house, f"to {WHO}")
    assert reply.status == 503 and "MS-SCREEN-007" in reply.message
    assert WHO not in reply.message and sent(house) == []
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("code") == "MS-SCREEN-007")
    assert leaf["type"] == "refused"
    service.says = None
    assert ask(house).status == 200


def test_a_service_that_is_down_or_late(named_house, service):
    house = named_house(timeout_ms=300)
    service.slow_seconds = 5
    started = time.monotonic()
    reply = ask(house)
    assert reply.status == 503 and "MS-SCREEN-007" in reply.message
    assert time.monotonic() - started < 4
    service.stop()
    reply = ask(house)
    assert reply.status == 503 and "MS-SCREEN-007" in reply.message
    assert sent(house) == []


def test_texts_pass_where_the_operator_says_so(named_house, service):
    house = named_house(when_down={"names": "open", "names_until": LATER}, replies=True)
    service.says = (500, b"{}")
    house.openai.script(FINE)
    reply = ask(house)
    assert content(reply) == "fine" and said(house) == SAID
    assert any("1 texts passed that the service for names" in note for note in notes(house, reply.exchange))
    assert any("texts passed" in note for note in notes(house, reply.exchange, "closed"))
    unseen = Metrics(house.gate)("texts_unseen_total")
    assert unseen > 1
    # What it does look at is treated as ever, and a stream passes with a note.
    service.says = None
    house.openai.forget()
    stream = ask(house, stream=True)
    assert stream.status == 200 and WHO not in said(house)
    assert any("the stream" in note for note in notes(house, stream.exchange, "closed"))
    assert Metrics(house.gate)("texts_unseen_total") == unseen + 1


def test_an_exception_that_is_over_is_none(named_house, service):
    house = named_house(when_down={"names": "open", "names_until": "2026-01-31"})
    service.says = (500, b"{}")
    assert ask(house).status == 503 and sent(house) == []


def test_a_trial_changes_nothing(named_house, service):
    house = named_house(modes={"redaction": {"mode": "shadow", "until": LATER}})
    reply = ask(house)
    assert reply.status == 200 and said(house) == SAID
    assert ("person-model", "redact") in findings(house, reply.exchange)
    service.says = (500, b"{}")
    house.openai.forget()
    assert ask(house).status == 200 and said(house) == SAID


# Replies


@pytest.mark.parametrize("channel", [each for each in CHANNELS if each.edit], ids=lambda each: f"{each.api}-{each.name}")
def test_a_name_in_a_whole_reply_is_masked(named_house, service, channel):
    house = named_house(replies=True)
    vendor = getattr(house, channel.api)
    vendor.script(script(channel.whole(channel.wrap(f"ask {WHO} now"))))
    reply = raw.post(house.url, channel.route, channel.request("m", False), house.key)
    if reply.status == 200:
        assert WHO not in reply.body.decode() and "L\\u00f6velace" not in reply.body.decode()
        text = channel.read(reply.body, False)
        if text is not None:
            assert re.fullmatch(r"ask \w+ now", channel.unwrap(text)), text
    else:
        assert "MS-REPLY-00" in reply.message or "MS-SCREEN-003" in reply.message
    assert ("person-model", "redact") in findings(house, reply.exchange, "closed")


def test_what_came_back_is_not_masked(named_house, service):
    """The reply tells a placeholder and a name of its own."""
    house = named_house(replies=True)
    reply = ask(house, f"to {WHO}")
    assert WHO in content(reply)
    service.known["Bob Bird"] = "person"
    service.known[said(house).split()[1]] = "person"  # The placeholder looks like a name.
    house.openai.script(script(CHANNELS[0].whole(f"{said(house).split()[1]} met Bob Bird")))
    reply = ask(house, f"to {WHO}")
    assert content(reply).startswith(f"{WHO} met ") and "Bob" not in content(reply)


def test_replies_are_not_looked_at_unless_that_is_asked_for(named_house, service):
    house = named_house()
    house.openai.script(script(CHANNELS[0].whole("by Ada Lövelace")))
    assert content(ask(house, "who?")) == "by Ada Lövelace"
    assert service.texts == ["who?"]


def test_a_reply_that_was_not_looked_at_is_not_passed_on(named_house, service):
    house = named_house(replies=True)
    # Only the reply's answer is garbage: one list for each text of the request.
    service.says = (200, b'{"spots": [[]]}')
    many = {"choices": [
        {"index": number, "message": {"role": "assistant", "content": f"by {WHO}"}, "finish_reason": "stop"}
        for number in range(3)
    ]}
    whole = json.loads(CHANNELS[0].whole("x")) | many
    house.openai.script(script(json.dumps(whole)))
    reply = ask(house, "who?")
    assert reply.status == 502 and "MS-REPLY-006" in reply.message
    assert "velace" not in reply.body.decode()
    leaf = house.gate.await_leaf(lambda leaf: leaf["type"] == "closed")
    assert leaf["code"] == "MS-REPLY-006"


def test_streams_are_refused_where_replies_are_looked_at(named_house, service):
    house = named_house(replies=True)
    reply = ask(house, stream=True)
    assert reply.status == 400 and "MS-SCREEN-008" in reply.message
    assert sent(house) == [] and service.asked == []
    # A stream that nobody asked for does not pass either.
    house.openai.script(script(CHANNELS[0].stream([f"by {WHO}"]), kind=EVENTS))
    reply = ask(house)
    assert "MS-REPLY-006" in reply.message and "velace" not in reply.body.decode()


def test_streams_pass_where_only_requests_are_looked_at(named_house, service):
    house = named_house()
    house.openai.behave(deltas="bytes:3")
    reply = ask(house, stream=True)
    assert reply.status == 200 and WHO not in said(house)
    texts = sse.channels("openai", reply.body, True).values()
    assert any(WHO in text for text in texts), "and names come back in it"


# Limits


def test_so_many_questions_at_once_and_no_more(named_house, service):
    house = named_house(concurrent_max=2, timeout_ms=20_000)
    service.slow_seconds = 0.2
    house.openai.script(*[FINE] * 8)
    calls = [Call(house.url, "openai", house.key, stream=False) for _ in range(8)]
    assert [call.wait().status for call in calls] == [200] * 8
    assert len(service.asked) == 8 and service.most_at_once == 2


def test_who_waits_too_long_for_a_turn_is_refused(named_house, service):
    house = named_house(concurrent_max=1, timeout_ms=500)
    service.slow_seconds = 0.4
    calls = [Call(house.url, "openai", house.key, stream=False) for _ in range(6)]
    codes = sorted(call.wait().status for call in calls)
    assert codes[0] == 200 and codes[-1] == 503, codes


def test_a_long_text_goes_in_pieces_and_a_name_at_a_seam_is_found(named_house, service):
    house = named_house(timeout_ms=20_000)
    at = (64 << 10) - 6
    text = "ü" * (at // 2) + f" {WHO} " + "word " * 80_000
    assert ask(house, text).status == 200
    assert max(len(each.encode()) for each in service.texts) <= 64 << 10
    assert all(sum(len(each.encode()) for each in texts) <= 256 << 10 for texts in service.asked)
    away = said(house)
    assert WHO not in away and away.endswith("word ") and "ü \x00" not in away
    assert len(away) > len(text) - 200


def test_a_request_of_many_texts(named_house, service):
    house = named_house(timeout_ms=20_000)
    messages = [{"role": "user", "content": f"{number} {WHO}"} for number in range(600)]
    reply = raw.post(house.url, CHAT, {"model": "m", "messages": messages}, house.key)
    assert reply.status == 200, reply.message
    assert max(map(len, service.asked)) <= 256
    (body,) = sent(house)
    assert all(re.fullmatch(r"\d+ \w+", each["content"]) for each in body["messages"])


def test_a_switch_does_not_wait_for_the_service(named_house, service):
    house = named_house(timeout_ms=20_000)
    service.slow_seconds = 10
    call = Call(house.url, "openai", house.key, stream=False)
    until = time.monotonic() + 5
    while not service.asked:
        assert time.monotonic() < until
        time.sleep(0.01)
    started = time.monotonic()
    assert house.gate.cli("switch", "off", "all", "--reason", "a leak").code == 0
    reply = call.wait()
    assert reply.status == 503 and "MS-KILL-001" in reply.message
    assert time.monotonic() - started < 4


# Settings


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "url"),
        ({"url": "http://names.example/"}, "in the clear"),
        ({"url": "names"}, "http://127.0.0.1"),
        ({"url": "https://me:word@names.example/"}, "no credentials"),
        ({"url": "http://127.0.0.1:1/", "timeout_ms": 0}, "from 10 to 60000"),
        ({"url": "http://127.0.0.1:1/", "concurrent_max": 0}, "from 1 to 4096"),
        ({"url": "http://127.0.0.1:1/", "score_min": 101}, "from 1 to 100"),
        ({"url": "http://127.0.0.1:1/", "model": "mine"}, "unknown"),
    ],
)
def test_settings_that_do_not_settle(build_house, table, says):
    house = build_house(start=False)
    house.gate.file.write_text(house.config(tables={"names": table}))
    result = house.gate.cli("config", "check")
    assert result.code != 0 and says in result.text, result.text


def test_a_reload_takes_the_service_up_and_the_ledger_is_told(build_house, service):
    house = build_house()
    assert ask(house).status == 200 and said(house) == SAID
    house.openai.forget()
    house.gate.file.write_text(house.config(tables={"names": {"url": service.url}}))
    assert house.gate.cli("reload").code == 0
    assert ask(house).status == 200 and WHO not in said(house)
    loaded = [leaf["facts"] for leaf in house.gate.ledger() if leaf.get("act") == "configuration-loaded" or "names" in leaf.get("facts", {})]
    assert loaded[-1]["names"] == "requests"
    assert len({facts["rules"] for facts in loaded if "rules" in facts}) >= 1


# The command line


def detect(*words):
    command = [MERESTONE, "detect", "text", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=60, text=True, env=ENV)


def test_the_command_line_asks_too(service, tmp_path):
    file = tmp_path / "prompt.txt"
    file.write_text(SAID)
    done = detect("--json", "--names", service.url, file)
    told = {(each["detector"], each["start"]) for each in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1 and ("person-model", SAID.index(WHO)) in told
    redacted = detect("--redact", "--names", service.url, file)
    assert WHO not in redacted.stdout and "[PERSON]" in redacted.stdout
    service.says = (500, b"{}")
    done = detect("--redact", "--names", service.url, file)
    assert done.returncode == 2 and "no answer" in done.stderr
    assert WHO not in done.stdout + done.stderr
    done = detect("--names", "http://names.example/", file)
    assert done.returncode == 2 and "in the clear" in done.stderr
