"""Reload: by signal, by file watch, by command; whole, or refused with a reason."""

import json
import os
import re
import signal
import threading
import time

import pytest

from harness import needles, raw
from harness.leaks import TOKEN

CHAT = "/v1/chat/completions"
CARD = needles.ALL["card"].text
BODY = {"model": "m", "messages": [{"role": "user", "content": f"my card: {CARD}"}]}


def acts(house, act):
    return [
        leaf
        for leaf in house.gate.ledger()
        if leaf["type"] == "event" and leaf["act"] == act
    ]


def ask(house):
    return raw.post(house.url, CHAT, BODY, house.key)


def wait_for(fits, seconds=5.0):
    until = time.monotonic() + seconds
    while not (found := fits()):
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.05)
    return found


def unwatched(text):
    return text + "\n[reload]\nwatch = false\n"


def by_signal(house):
    os.kill(house.gate.process.popen.pid, signal.SIGHUP)


def by_command(house):
    result = house.gate.cli("reload")
    assert result.code == 0, result.text


def by_watch(house):
    """Nothing but the changed file."""


WAYS = {"signal": by_signal, "command": by_command, "watch": by_watch}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_new_configuration_takes_hold(build_house, way):
    house = build_house(redaction="block")
    end = (lambda text: text) if way == "watch" else unwatched
    house.gate.restart(end(house.config(redaction="block")))
    assert ask(house).status == 400
    before = len(acts(house, "config-loaded"))
    house.gate.file.write_text(end(house.config(redaction="redact")))
    if way != "watch":
        # Longer than it takes a watched file to be taken up.
        time.sleep(1.5)
        assert ask(house).status == 400, "nobody asked for it"
    WAYS[way](house)
    wait_for(lambda: ask(house).status == 200)
    wait_for(lambda: len(acts(house, "config-loaded")) == before + 1)
    house.openai.forget()
    ask(house)
    (seen,) = house.openai.requests()
    assert CARD.encode() not in seen["body"] and TOKEN.search(seen["body"].decode())
    newest = acts(house, "config-loaded")[-1]
    assert "redact" in json.dumps(newest), "what was loaded is told"


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_broken_file_changes_nothing_and_is_recorded(build_house, way):
    house = build_house(redaction="block")
    end = (lambda text: text) if way == "watch" else unwatched
    good = end(house.config(redaction="block"))
    house.gate.restart(good)
    assert ask(house).status == 400
    loaded = len(acts(house, "config-loaded"))
    broken = end(house.config(redaction="allow")) + "\n[nonsense]\nx = 1\n"
    house.gate.file.write_text(broken)
    if way == "command":
        line = broken.splitlines().index("[nonsense]") + 1
        result = house.gate.cli("reload")
        assert result.code != 0 and "nonsense" in result.text
        assert re.search(rf"merestone\.toml:{line}:\d+: ", result.text), result.text
    else:
        WAYS[way](house)
        time.sleep(2)
    assert ask(house).status == 400, "the old configuration stays in force"
    house.gate.file.write_text(good)
    assert ask(house).status == 400
    if way != "command":
        wait_for(lambda: acts(house, "config-refused"))
        assert len(acts(house, "config-refused")) == 1
    wanted = loaded + (1 if way == "watch" else 0)
    wait_for(lambda: len(acts(house, "config-loaded")) == wanted)


def test_a_broken_file_is_recorded_when_the_command_finds_it(build_house):
    """The command reads the file first; its refusal is as much a refused
    change as one that the gate finds."""
    house = build_house()
    good = unwatched(house.config())
    house.gate.restart(good)
    house.gate.file.write_text(good + "\n[nonsense]\n")
    assert house.gate.cli("reload").code != 0
    house.gate.file.write_text(good)
    wait_for(lambda: acts(house, "config-refused"))


# setting: what the file says then.
RESTART = {
    "gate.listen": lambda house: house.config(gate={"listen": "127.0.0.1:4999"}),
    "gate.node": lambda house: house.config(gate={"node": "another"}),
    "limits": lambda house: house.config(limits={"body_bytes_max": 4096}),
    "store": lambda house: house.config() + '\n[store]\nurl = "file:store.url"\n',
    "admin.listen": lambda house: house.config() + '\n[admin]\nlisten = "127.0.0.1:0"\n',
    "evidence.free_bytes_min": lambda house: house.config() + "\n[evidence]\nfree_bytes_min = 1\n",
}


@pytest.fixture(scope="module")
def standing(plain_house):
    plain_house.gate.restart(unwatched(plain_house.config(redaction="redact")))
    url = plain_house.gate.folder / "store.url"
    url.write_text("postgres://merestone@127.0.0.1:1/merestone")
    url.chmod(0o600)
    return plain_house


@pytest.mark.parametrize("setting", sorted(RESTART))
def test_what_takes_a_restart_is_refused_by_name(standing, setting):
    house = standing
    refused = len(acts(house, "config-refused"))
    # It would also block: nothing of a refused file holds.
    text = unwatched(RESTART[setting](house)).replace('"*" = "redact"', '"*" = "block"')
    house.gate.file.write_text(text)
    try:
        result = house.gate.cli("reload")
        assert result.code != 0
        assert f"`{setting}` changed" in result.text and "restart" in result.text, result.text
        assert ask(house).status == 200
    finally:
        house.gate.file.write_text(unwatched(house.config(redaction="redact")))
    assert len(acts(house, "config-refused")) == refused + 1


def test_tls_takes_a_restart(standing, tmp_path):
    from harness.tls import Certificates

    made = Certificates(tmp_path)
    standing.gate.file.write_text(unwatched(standing.config()) + made.config())
    try:
        result = standing.gate.cli("reload")
        assert result.code != 0 and "`gate.tls" in result.text and "restart" in result.text
    finally:
        standing.gate.file.write_text(unwatched(standing.config(redaction="redact")))
    assert raw.post(standing.url, CHAT, BODY, standing.key).status == 200


def test_a_reload_without_a_gate_says_so(build_house):
    house = build_house()
    house.gate.stop()
    result = house.gate.cli("reload")
    assert result.code != 0 and "no gate is running" in result.text


def test_reloads_under_load(build_house):
    """Each call is answered by the old policy or the new one, whole; none
    fails, and there is one record for each."""
    house = build_house(redaction="redact")
    house.gate.restart(unwatched(house.config(redaction="redact")))
    key = house.key
    stop, replies, wrong = threading.Event(), [], []

    def call(number):
        while not stop.is_set() and len(replies) < 20_000:
            body = {**BODY, "model": f"m-{number}", "stream": number % 2 == 0}
            try:
                replies.append(raw.post(house.url, CHAT, body, key))
            except OSError as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(8)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(10):
            already = len(replies)
            wait_for(lambda: len(replies) >= already + 25, seconds=20)
            policy = "block" if turn % 2 == 0 else "redact"
            house.gate.file.write_text(unwatched(house.config(redaction=policy)))
            result = house.gate.cli("reload")
            assert result.code == 0, result.text
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not wrong and not any(thread.is_alive() for thread in threads)
    assert len(replies) >= 250
    passed = [reply for reply in replies if reply.status == 200]
    blocked = [reply for reply in replies if reply.status == 400]
    assert len(passed) + len(blocked) == len(replies)
    assert len(passed) >= 20 and len(blocked) >= 20, "both policies were seen"
    assert all(reply.complete for reply in replies)
    for reply in blocked:
        assert "MS-SCREEN-001" in reply.message
    for reply in passed:
        # What was redacted on the way is back on the way home.
        assert not TOKEN.search(reply.body.decode()), "a placeholder is left"
    seen = house.openai.requests()
    assert len(seen) == len(passed)
    assert not [request for request in seen if CARD.encode() in request["body"]]
    exchanges = {reply.exchange for reply in replies}
    assert len(exchanges) == len(replies)

    def recorded():
        kinds = {}
        for leaf in house.gate.ledger():
            if leaf.get("exchange") in exchanges:
                kinds.setdefault(leaf["exchange"], []).append(leaf["type"])
        return len(kinds) == len(exchanges) and kinds

    kinds = wait_for(recorded, seconds=10)
    for reply in passed:
        assert sorted(kinds[reply.exchange]) == ["admitted", "closed"], kinds[reply.exchange]
    for reply in blocked:
        assert kinds[reply.exchange] == ["refused"], kinds[reply.exchange]
    assert len(acts(house, "config-loaded")) >= 11
    house.gate.verify()
