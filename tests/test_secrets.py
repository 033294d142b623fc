"""Vendors' own keys: where they come from, how old they are, and that they are
seen nowhere but at the vendor. The vault is a labelled double (harness/vault.py).
"""

import contextlib
import json
import os
import re
import sqlite3
import ssl
import threading
import time

import pytest
import trustme

from harness import gate as gates
from harness import needles, raw
from harness.channels import CHANNELS
from harness.gate import Gate, secret
from harness.leaks import leaks
from harness.needles import Needle, fill
from harness.paths import rng
from harness.sockets import unused_port
from harness.vault import Vault
from harness.vendor import script

CHAT = "/v1/chat/completions"
CONTENT = CHANNELS[0]
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
DAY = 86_400


def generated(name, kind="openai"):
    """A text of a vendor's key's shape that this run made up."""
    return secret(fill(needles.KEYS[kind][0], rng("secrets", name)), f"a made-up key ({name})")


def opaque(name, length=32):
    return secret(fill(f"{{alnum:{length}}}", rng("secrets", name)), f"a made-up secret ({name})")


@pytest.fixture
def vault_of():
    """Starts a double of a vault: `vault_of(namespace="team")`."""
    vaults = []

    def start(**more):
        vaults.append(Vault(opaque("vault token"), **more))
        return vaults[-1]

    yield start
    for vault in vaults:
        with contextlib.suppress(OSError):
            vault.stop()


def table(house, vault, **more):
    """The [secrets] tables for this vault, its token in a file."""
    (house.gate.folder / "vault.token").write_text(vault.token + "\n")
    return {"secrets.vault": {"address": vault.url, "token": "file:vault.token", **more}}


def sent_keys(house, api="openai"):
    """Every key that the vendor was sent, oldest first."""
    name = {"openai": "authorization", "anthropic": "x-api-key"}[api]
    found = []
    for request in house.vendors[api].requests():
        headers = [value for header, value in request["headers"] if header.lower() == name]
        assert len(headers) == 1, "one key, once"
        found.append(headers[0].removeprefix("Bearer "))
    return found


def echo(house):
    """The fakes answer whatever key they are sent."""
    for vendor in house.vendors.values():
        vendor.script(script(CONTENT.whole("fine"), once=False))


def call(house, api="openai"):
    path, body = {"openai": (CHAT, HELLO), "anthropic": ("/v1/messages", {**HELLO, "max_tokens": 9})}[api]
    return raw.post(house.url, path, body, house.key)


def unseen(gate, *secrets):
    """None of these can be read in what the gate said or keeps."""
    state = [path for path in (gate.folder / "data").rglob("*") if path.is_file()]
    outputs = [*gate.folder.glob("*.stdout"), *gate.folder.glob("*.stderr"), gate.folder / "cli.log"]
    texts = [path.read_bytes() for path in [*state, *outputs] if path.is_file()]
    assert texts
    for number, text in enumerate(secrets):
        needle = Needle("key", f"secret {number}", text, "")
        assert not any(leaks(data, needle) for data in texts)


def events(gate, act, subject=None):
    return [
        leaf
        for leaf in gate.ledger()
        if leaf["type"] == "event" and leaf["act"] == act and subject in (None, leaf["subject"])
    ]


def await_events(gate, act, subject, count, seconds=10):
    until = time.monotonic() + seconds
    while len(found := events(gate, act, subject)) < count:
        assert time.monotonic() < until, (act, found)
        time.sleep(0.1)
    return found


# Where keys come from.


def _in_env(house, monkeypatch, _):
    key = generated("in the environment")
    monkeypatch.setitem(gates.ENV, "A_VENDORS_KEY", key)
    return "env:A_VENDORS_KEY", key, {}


def _in_file(house, *_):
    key = generated("in a file")
    # An editor's line end is no part of it.
    (house.gate.folder / "vendor.key").write_text(key + "\n")
    return "file:vendor.key", key, {}


def _in_vault(house, _, vault_of):
    vault, key = vault_of(), generated("in a vault")
    vault.put("secret/openai", api_key=key, other="x")
    return "vault:secret/data/openai#api_key", key, table(house, vault)


def _in_namespace(house, _, vault_of):
    vault, key = vault_of(namespace="team/a"), generated("in a namespace")
    vault.put("kv/deep/er/openai", key=key)
    return "vault:kv/data/deep/er/openai#key", key, table(house, vault, namespace="team/a")


def _by_tls(house, _, vault_of):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(house.gate.folder / "vault-ca.pem")
    vault, key = vault_of(context=context_of(authority)), generated("by TLS")
    vault.put("secret/openai", api_key=key)
    tables = table(house, vault, authority="vault-ca.pem")
    return "vault:secret/data/openai#api_key", key, tables


def context_of(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


PLACES = {
    "env": _in_env,
    "file": _in_file,
    "vault": _in_vault,
    "vault with a namespace": _in_namespace,
    "vault by TLS": _by_tls,
}


@pytest.mark.parametrize("place", PLACES)
def test_a_key_reaches_its_vendor_and_nobody_else(build_house, monkeypatch, vault_of, place):
    house = build_house(start=False)
    reference, key, tables = PLACES[place](house, monkeypatch, vault_of)
    house.gate.file.write_text(
        house.config(openai_key=reference, anthropic_key=reference, tables=tables)
    )
    house.gate.start()
    echo(house)
    for api in house.vendors:
        call(house, api)
        assert sent_keys(house, api) == [key]
    assert len(events(house.gate, "vendor-key-seen")) == 2
    unseen(house.gate, key)


def test_a_vault_that_proves_nothing_gets_no_token(build_house, vault_of):
    house = build_house(start=False)
    trustme.CA().cert_pem.write_to_path(house.gate.folder / "vault-ca.pem")
    vault = vault_of(context=context_of(trustme.CA()))
    vault.put("secret/openai", api_key=generated("of a liar"))
    refused_up(
        house,
        {**table(house, vault, authority="vault-ca.pem")},
        "vault:secret/data/openai#api_key",
        "vault",
    )
    assert vault.asked == []


def test_plain_http_to_a_vault_elsewhere_is_no_configuration(build_house):
    house = build_house(start=False)
    (house.gate.folder / "vault.token").write_text(opaque("vault token"))
    vault = {"address": "http://vault.example:8200", "token": "file:vault.token"}
    result = settle(house, tables={"secrets.vault": vault})
    assert result.code != 0 and "https://" in result.text


# A key in the wrong place.


def settle(house, command=("config", "check"), **wanted):
    house.gate.file.write_text(house.config(**wanted))
    return house.gate.cli(*command, seconds=30)


def place_of(gate, text):
    """Line and column of a text in the configuration, from 1."""
    lines = gate.file.read_text().splitlines()
    (at,) = [number for number, line in enumerate(lines) if text in line]
    # The column is that of the quote in front of the value.
    return at + 1, lines[at].index(f'"{text}') + 1


def _with(house, reference, where):
    vault = {"address": unused_port(), "token": "file:vault.token"}
    (house.gate.folder / "vault.token").write_text(opaque("vault token"))
    return {
        "a vendor's key": {"openai_key": reference},
        "the vault's token": {"tables": {"secrets.vault": {**vault, "token": reference}}},
        "the store's URL": {"tables": {"store": {"url": reference}}},
    }[where]


WHERE = ["a vendor's key", "the vault's token", "the store's URL"]
MISTAKES = ["{}", "env:{}", "file:{}", "vault:{}#field", "vault:secret/data/a#{}", "Bearer {}"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_literal_key_is_refused_at_its_place_and_never_shown(build_house, where, mistake):
    house = build_house(start=False)
    literal = generated(f"literal in {where}")
    if where == "the store's URL":
        literal = f"postgres://gate:{opaque('in a URL')}@127.0.0.1:5432/gate"
    reference = mistake.format(literal)
    for command in (("config", "check"), ("up",), ("key", "list")):
        if command == ("key", "list") and mistake != "{}":
            # That command does not look where the reference leads.
            continue
        result = settle(house, command, **_with(house, reference, where))
        assert result.code != 0, (command, result.text)
        line, column = place_of(house.gate, reference)
        assert f"merestone.toml:{line}:{column}: " in result.text, result.text
        if mistake == "{}":
            assert "never stands in the configuration" in result.text
            assert all(word in result.text for word in ("env:NAME", "file:path", "vault:path#field"))
        for text in (literal, literal[: len(literal) // 2], literal[len(literal) // 2 :]):
            assert text not in result.text
    unseen(house.gate, literal)


@pytest.mark.parametrize("where", WHERE)
def test_strict_forbids_the_environment_everywhere(build_house, monkeypatch, where):
    house = build_house(start=False)
    monkeypatch.setitem(gates.ENV, "A_SECRET", generated("strict"))
    (house.gate.folder / "vendor.key").write_text(generated("strict"))
    files = {"openai_key": "file:vendor.key", "anthropic_key": "file:vendor.key"}
    wanted = {**files, **_with(house, "env:A_SECRET", where)}
    wanted["tables"] = {"secrets": {"strict": True}, **wanted.get("tables", {})}
    for command in (("config", "check"), ("up",)):
        result = settle(house, command, **wanted)
        assert result.code != 0 and "secrets.strict" in result.text, result.text
        line, column = place_of(house.gate, "env:A_SECRET")
        assert f"merestone.toml:{line}:{column}: " in result.text
    # The same without it settles no worse than anything else.
    wanted["tables"]["secrets"] = {"strict": False}
    assert "secrets.strict" not in settle(house, **wanted).text


def test_strict_goes_with_files(build_house):
    house = build_house(start=False)
    key = generated("strict in a file")
    (house.gate.folder / "vendor.key").write_text(key)
    files = {"openai_key": "file:vendor.key", "anthropic_key": "file:vendor.key"}
    house.gate.file.write_text(house.config(**files, tables={"secrets": {"strict": True}}))
    house.gate.start()
    echo(house)
    assert call(house).status == 200 and sent_keys(house) == [key]


FILES = {
    "missing": (None, "cannot be read"),
    "empty": ("\n", "not a key"),
    "with a blank": ("two words", "not a key"),
    "with a line end inside": ("one\r\nx-header: y", "not a key"),
    "too large": ("x" * 5_000, "larger than"),
    "no text": (b"\xff\xfe", "cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_key(build_house, name):
    house = build_house(start=False)
    data, says = FILES[name]
    if data is not None:
        data = data if isinstance(data, bytes) else data.encode()
        (house.gate.folder / "vendor.key").write_bytes(data)
    result = settle(house, ("up",), openai_key="file:vendor.key")
    assert result.code != 0 and says in result.text, result.text
    line, column = place_of(house.gate, "file:vendor.key")
    assert f"merestone.toml:{line}:{column}: " in result.text


# A vault that gives nothing.

REFERENCE = "vault:secret/data/openai#api_key"


def refused_up(house, tables, reference, *words):
    started = time.monotonic()
    result = settle(house, ("up",), openai_key=reference, tables=tables)
    assert time.monotonic() - started < 15
    assert result.code != 0 and "is ready" not in result.text
    line, column = place_of(house.gate, reference)
    assert f"merestone.toml:{line}:{column}: " in result.text, result.text
    assert all(word in result.text for word in words), result.text
    assert "panicked" not in result.text
    return result


def _kv1(key):
    return (200, {}, json.dumps({"data": {"api_key": key}}).encode())


# name: (what is done to the vault, words of the error)
TROUBLES = {
    "down": (lambda vault, _: vault.stop(), ["vault cannot be reached"]),
    "another token": (lambda vault, _: setattr(vault, "token", opaque("another")), ["403"]),
    "another namespace": (lambda vault, _: setattr(vault, "namespace", "other"), ["403"]),
    "sealed": (lambda vault, _: setattr(vault, "sealed", True), ["sealed", "503"]),
    "unknown path": (lambda vault, _: vault._secrets.clear(), ["404"]),
    "no such field": (lambda vault, key: vault.put("secret/openai", key=key), ["no such field"]),
    "a number": (lambda vault, _: vault.put("secret/openai", api_key=5), ["no such field"]),
    "empty": (lambda vault, _: vault.put("secret/openai", api_key=" "), ["not a key"]),
    "two lines": (lambda vault, _: vault.put("secret/openai", api_key="a\nb"), ["not a key"]),
    "garbage": (lambda vault, _: setattr(vault, "says", (200, {}, b"\x00{[garbage")), ["version 2"]),
    "engine 1": (lambda vault, key: setattr(vault, "says", _kv1(key)), ["version 2"]),
    "huge": (
        lambda vault, _: setattr(vault, "says", (200, {}, b'{"a":"' + b"x" * (8 << 20) + b'"}')),
        ["too large"],
    ),
    "elsewhere": (
        lambda vault, _: setattr(vault, "says", (307, {"location": vault.url + "/v1/else"}, b"")),
        ["307"],
    ),
    "slow": (lambda vault, _: setattr(vault, "slow_seconds", 30), ["vault"]),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_vault_that_gives_nothing(build_house, vault_of, trouble):
    """A start is refused, and says why; a reload keeps what was."""
    house = build_house(start=False)
    vault, key = vault_of(), generated("before the trouble")
    vault.put("secret/openai", api_key=key)
    tables = table(house, vault)
    house.gate.file.write_text(house.config(openai_key=REFERENCE, tables=tables))
    house.gate.start()
    echo(house)
    assert call(house).status == 200

    break_it, words = TROUBLES[trouble]
    break_it(vault, key)
    before = len(vault.asked)
    result = house.gate.cli("reload")
    assert result.code != 0 and all(word in result.text for word in words), result.text
    line, column = place_of(house.gate, REFERENCE)
    assert f"merestone.toml:{line}:{column}: " in result.text, result.text
    assert len(events(house.gate, "config-refused")) == 1
    assert call(house).status == 200
    assert sent_keys(house) == [key, key], "the old configuration stays in force"
    if trouble == "elsewhere":
        assert len(vault.asked) == before + 1, "a redirect is not followed"

    house.gate.stop()
    refused_up(house, tables, REFERENCE, *words)
    unseen(house.gate, key, vault.token)


def test_a_slow_vault_keeps_nobody_waiting(build_house, vault_of):
    """While a reload waits for it, calls go on, a key can be revoked and
    everything can be switched off, each at once."""
    house = build_house(start=False)
    vault, key = vault_of(), generated("of a slow vault")
    vault.put("secret/openai", api_key=key)
    house.gate.file.write_text(house.config(openai_key=REFERENCE, tables=table(house, vault)))
    house.gate.start()
    echo(house)
    other = house.gate.key("other")
    assert call(house).status == 200
    before, vault.slow_seconds = len(vault.asked), 4.5
    reload = threading.Thread(target=house.gate.cli, args=("reload",))
    reload.start()
    try:
        until = time.monotonic() + 10
        while len(vault.asked) == before:
            assert time.monotonic() < until
            time.sleep(0.02)

        def quick(do):
            started = time.monotonic()
            done = do()
            assert time.monotonic() - started < 3, "it waited for the vault"
            return done

        assert quick(lambda: call(house)).status == 200
        off = quick(lambda: house.gate.cli("switch", "off", "vendor", "openai", "--reason", "test"))
        assert off.code == 0, off.text
        assert "MS-KILL-001" in call(house).message
        assert quick(lambda: house.gate.cli("key", "revoke", other["id"])).code == 0
        assert raw.post(house.url, CHAT, HELLO, other["key"]).status == 401
    finally:
        vault.hurry()
        reload.join(30)


def test_the_kill_switch_asks_no_vault(build_house, vault_of):
    """The store's URL stands in the vault, and the vault hangs: the command
    that switches off needs neither."""
    house = build_house(start=False)
    vault = vault_of(slow_seconds=30)
    tables = {**table(house, vault), "store": {"url": "vault:secret/data/store#url"}}
    good = house.config()
    house.gate.file.write_text(good)
    house.gate.start()
    house.gate.file.write_text(house.config(tables=tables))
    started = time.monotonic()
    result = house.gate.cli("switch", "off", "all", "--reason", "the vault hangs")
    assert time.monotonic() - started < 3
    assert result.code == 0, result.text
    vault.hurry()
    house.gate.file.write_text(good)
    assert "MS-KILL-001" in call(house).message


# Another key.


def test_a_key_changed_in_the_vault(build_house, vault_of):
    house = build_house(start=False)
    vault = vault_of()
    old, new = generated("old in the vault"), generated("new in the vault")
    vault.put("secret/openai", api_key=old)
    house.gate.file.write_text(house.config(openai_key=REFERENCE, tables=table(house, vault)))
    house.gate.start()
    echo(house)
    call(house)
    vault.put("secret/openai", api_key=new)
    call(house)
    assert sent_keys(house) == [old, old], "nothing is taken up by itself"
    assert house.gate.cli("reload").code == 0
    call(house)
    assert sent_keys(house) == [old, old, new]
    seen = events(house.gate, "vendor-key-seen", "openai")
    assert len({leaf["facts"]["fingerprint"] for leaf in seen}) == len(seen) == 2
    # The old one again is no new key.
    vault.put("secret/openai", api_key=old)
    assert house.gate.cli("reload").code == 0
    call(house)
    assert sent_keys(house)[-1] == old
    assert len(events(house.gate, "vendor-key-seen", "openai")) == 2
    unseen(house.gate, old, new, vault.token)


def test_a_token_changed_in_its_file(build_house, vault_of):
    house = build_house(start=False)
    vault = vault_of()
    vault.put("secret/openai", api_key=generated("by two tokens"))
    house.gate.file.write_text(house.config(openai_key=REFERENCE, tables=table(house, vault)))
    house.gate.start()
    vault.token = opaque("another token")
    assert house.gate.cli("reload").code != 0
    (house.gate.folder / "vault.token").write_text(vault.token)
    result = house.gate.cli("reload")
    assert result.code == 0, result.text
    unseen(house.gate, vault.token)


@pytest.mark.parametrize("how", ["written over", "put in its place"])
def test_a_key_changed_in_its_file_is_taken_up_by_itself(build_house, how):
    house = build_house(start=False)
    old, new = generated("old in a file"), generated("new in a file")
    file = house.gate.folder / "vendor.key"
    file.write_text(old)
    house.gate.file.write_text(house.config(openai_key="file:vendor.key"))
    house.gate.start()
    echo(house)
    call(house)
    if how == "written over":
        file.write_text(new)
    else:
        (house.gate.folder / "vendor.key.next").write_text(new)
        os.replace(house.gate.folder / "vendor.key.next", file)
    seen = await_events(house.gate, "vendor-key-seen", "openai", 2)
    await_events(house.gate, "config-loaded", "configuration", 2)
    call(house)
    assert sent_keys(house) == [old, new]
    assert seen[0]["facts"]["fingerprint"] != seen[1]["facts"]["fingerprint"]
    # A file that is gone changes nothing.
    file.unlink()
    await_events(house.gate, "config-refused", "configuration", 1)
    call(house)
    assert sent_keys(house) == [old, new, new]
    unseen(house.gate, old, new)


def test_an_empty_watch_takes_nothing_up(build_house):
    """`watch = false`: only a command or a signal reloads."""
    house = build_house(start=False)
    old, new = generated("unwatched"), generated("unwatched, new")
    file = house.gate.folder / "vendor.key"
    file.write_text(old)
    tables = {"reload": {"watch": False}}
    house.gate.file.write_text(house.config(openai_key="file:vendor.key", tables=tables))
    house.gate.start()
    echo(house)
    file.write_text(new)
    # Three looks of a gate that would watch.
    time.sleep(2)
    call(house)
    assert house.gate.cli("reload").code == 0
    call(house)
    assert sent_keys(house) == [old, new]


# Old keys.


def _file_of_age(house, _, days):
    file = house.gate.folder / "vendor.key"
    file.write_text(generated("of an age"))
    at = time.time() - days * DAY
    os.utime(file, (at, at))
    return "file:vendor.key", {}


def _vault_of_age(house, vault_of, days):
    vault = vault_of()
    vault.put("secret/openai", created=time.time() - days * DAY, api_key=generated("of an age"))
    return REFERENCE, table(house, vault)


def _first_seen(house, _, days):
    """A reference that tells no age counts from when its key was first seen."""
    house.gate.file.write_text(house.config())
    house.gate.start()
    house.gate.stop()
    with contextlib.closing(sqlite3.connect(house.gate.folder / "data" / "keys.db")) as store:
        past = int((time.time() - days * DAY) * 1_000)
        store.execute("UPDATE vendor_key SET seen_ms = ? WHERE vendor = 'openai'", (past,))
        store.commit()
    return "env:FAKE_OPENAI_KEY", {}


AGES = {"file": _file_of_age, "vault": _vault_of_age, "env": _first_seen}


def aged_house(build_house, vault_of, place, days, when=None):
    house = build_house(start=False)
    reference, tables = AGES[place](house, vault_of, days)
    rule = {"key_days_max": 10, **({"key_when_old": when} if when else {})}
    # The other vendor's key is as fresh as can be; it is looked at first.
    (house.gate.folder / "fresh.key").write_text(generated("fresh"))
    text = house.config(
        openai_key=reference, anthropic_key="file:fresh.key", openai=rule, tables=tables
    )
    house.gate.file.write_text(text.replace("[vendors.anthropic]", "[vendors.anthropic]\nkey_days_max = 10"))
    house.gate.start()
    echo(house)
    return house


def aged(house):
    return events(house.gate, "vendor-key-aged")


@pytest.mark.parametrize("place", AGES)
def test_a_key_near_its_end_is_alarmed(build_house, vault_of, place):
    house = aged_house(build_house, vault_of, place, 8.1, "block")
    (told,) = await_events(house.gate, "vendor-key-aged", None, 1)
    assert told["subject"] == "openai"
    wanted = {"past": "false", "blocked": "false", "age_days": "8", "age_days_max": "10"}
    assert wanted.items() <= told["facts"].items(), told
    log = house.gate.process.stderr_path.read_text()
    assert re.search(r"WARN.*vendor's key is near or past.*openai.*past=false", log), log
    assert call(house).status == 200, "near the end is not past it"
    assert len(aged(house)) == 1


@pytest.mark.parametrize("place", AGES)
def test_a_key_past_its_end_is_blocked_if_asked(build_house, vault_of, place):
    house = aged_house(build_house, vault_of, place, 10.1, "block")
    (told,) = await_events(house.gate, "vendor-key-aged", "openai", 1)
    assert {"past": "true", "blocked": "true"}.items() <= told["facts"].items()
    reply = call(house)
    assert reply.status == 503 and "MS-VENDOR-008" in reply.message
    assert house.openai.requests() == [], "nothing is sent"
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("code") == "MS-VENDOR-008")
    assert leaf["type"] in ("refused", "closed")
    assert call(house, "anthropic").status == 200, "the other vendor is not concerned"


@pytest.mark.parametrize("when", ["alarm", None])
def test_a_key_past_its_end_goes_on_otherwise(build_house, vault_of, when):
    house = aged_house(build_house, vault_of, "file", 10.1, when)
    (told,) = await_events(house.gate, "vendor-key-aged", "openai", 1)
    assert {"past": "true", "blocked": "false"}.items() <= told["facts"].items()
    assert call(house).status == 200


@pytest.mark.parametrize("place", ["file", "vault"])
def test_a_key_not_near_its_end_is_not_alarmed(build_house, vault_of, place):
    house = aged_house(build_house, vault_of, place, 7.9, "block")
    assert call(house).status == 200
    # The first look is at the start; a key that is near its end is told then.
    time.sleep(1)
    assert aged(house) == []


def test_a_new_key_lifts_the_block(build_house, vault_of):
    house = aged_house(build_house, vault_of, "file", 10.1, "block")
    assert "MS-VENDOR-008" in call(house).message
    new = generated("after the block")
    (house.gate.folder / "vendor.key").write_text(new)
    await_events(house.gate, "config-loaded", "configuration", 2)
    assert call(house).status == 200 and sent_keys(house) == [new]


def test_touching_the_file_of_an_old_key_makes_it_no_younger(build_house, vault_of):
    """What was seen before counts, where it is older than the file says."""
    house = aged_house(build_house, vault_of, "env", 10.1, "block")
    assert "MS-VENDOR-008" in call(house).message
    (house.gate.folder / "vendor.key").write_text(gates.ENV["FAKE_OPENAI_KEY"])
    rule = {"key_days_max": 10, "key_when_old": "block"}
    house.gate.file.write_text(house.config(openai_key="file:vendor.key", openai=rule))
    assert house.gate.cli("reload").code == 0
    assert "MS-VENDOR-008" in call(house).message


def test_the_last_use_of_a_key_is_known(build_house, vault_of):
    """It stands in the store within the time of one look, and at the latest
    after the gate has stopped."""
    house = build_house()
    before = time.time() * 1_000
    assert call(house).status == 200
    house.gate.stop()
    with contextlib.closing(sqlite3.connect(house.gate.folder / "data" / "keys.db")) as store:
        rows = dict(store.execute("SELECT vendor, used_ms FROM vendor_key").fetchall())
    assert rows["anthropic"] is None
    assert rows["openai"] is not None and before - 1_000 <= rows["openai"] <= time.time() * 1_000
