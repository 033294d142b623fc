"""The vault of redacted values: a token comes back in a later exchange of the
same virtual key, and nobody else's; what has expired or is erased is gone;
what cannot be kept is not sent; codes and tracks are never kept."""

import contextlib
import json
import os
import sqlite3
import time

import pytest

from harness import needles, raw, sealed
from harness.channels import CHANNELS
from harness.gate import secret
from harness.leaks import TOKEN
from harness.metrics import ADMIN, Metrics
from harness.needles import fill
from harness.paths import rng
from harness.postgres import Postgres
from harness.vault import Vault as KeyService
from harness.vendor import EVENTS, script

CHANNEL = {f"{channel.api} {channel.name}": channel for channel in CHANNELS}
TEXTS = {"openai": CHANNEL["openai content"], "anthropic": CHANNEL["anthropic text"]}
EMAIL, CARD = needles.ALL["email"].text, needles.ALL["card"].text
WHY = ("--reason", "case 7")
DAY_MS = 86_400_000


class Vaulted:
    """A house that keeps redacted values, and its vault's key."""

    def __init__(self, build_house, kinds=("email",), tables=None, key=None, **vault):
        self.key = key or os.urandom(32)
        self.house = build_house(start=False)
        self.gate = self.house.gate
        (self.gate.folder / "vault.key").write_text(secret(self.key.hex(), "a vault's key") + "\n")
        self.vault = {"key": "file:vault.key", "kinds": kinds, **vault}
        self.tables = tables or {}
        self.gate.file.write_text(self.config())

    def config(self, vault=None, **tables):
        vault = self.vault if vault is None else vault
        return self.house.config(tables={**({"vault": vault} if vault else {}), **self.tables, **tables})

    def start(self):
        self.gate.start()
        return self

    @property
    def state(self):
        return self.gate.folder / "data"

    def ask(self, text, body=None, api="openai", stream=False, key=None, person=None):
        """Asks about `text`; a body is what the vendor answers, else it echoes."""
        vendor = self.house.vendors[api]
        if body is not None:
            vendor.script(script(body, kind=EVENTS if stream else "application/json"))
        named = {"openai": {"user": person}, "anthropic": {"metadata": {"user_id": person}}}[api]
        request = {
            "model": "m",
            "max_tokens": 9,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
            **(named if person else {}),
        }
        return raw.post(self.house.url, TEXTS[api].route, request, key or self.house.key)

    def token(self, value, **more):
        """The token under which the vendor sees a value; it is kept."""
        reply = self.ask(f"take {value} please", **more)
        assert reply.status == 200, reply.body
        vendor = self.house.vendors[more.get("api", "openai")]
        found = TOKEN.findall(json.loads(vendor.requests()[-1]["body"])["messages"][0]["content"])
        assert len(found) == 1
        return found[0]

    def later(self, token, api="openai", key=None, text="mail {} now", person=None):
        """What a later reply with this token reads like."""
        channel = TEXTS[api]
        body = channel.whole(text.format(token))
        reply = self.ask("what did I say?", body, api, key=key, person=person)
        assert reply.status == 200, reply.body
        return channel.read(reply.body, False)

    def cli(self, *words, env=None, secret=False):
        return self.gate.cli("vault", *words, env=env, secret=secret)

    def entries(self):
        return self.cli("status", "--json").json["entries"]

    def erase(self, *words):
        return self.cli("erase", *words, *WHY, "--json")

    def reveal(self, token, key=None):
        env = {"REVEALER": key["key"]} if key else None
        by = ("--by-key-env", "REVEALER") if key else ()
        return self.cli("reveal", token, *WHY, *by, "--json", env=env, secret=True)

    def events(self, act):
        return [leaf for leaf in self.gate.ledger() if leaf["type"] == "event" and leaf["act"] == act]

    def sql(self, text, *values):
        """A statement on the store, as somebody with the file could run it."""
        with contextlib.closing(sqlite3.connect(self.state / "keys.db", timeout=10)) as store:
            rows = store.execute(text, values).fetchall()
            store.commit()
            return rows


@pytest.fixture
def vaulted(build_house):
    return lambda *args, **wanted: Vaulted(build_house, *args, **wanted).start()


@pytest.fixture(scope="module")
def shared(_folders):
    """A house for tests that leave it as it was."""
    from harness.gate import House

    houses = []

    def build(**wanted):
        houses.append(House(_folders("vault"), **wanted))
        return houses[-1]

    yield Vaulted(build, kinds=["email", "card"]).start()
    for house in houses:
        house.close()


@pytest.mark.parametrize("api", TEXTS)
def test_a_token_of_an_earlier_exchange_comes_back_at_every_split(shared, api):
    channel, token = TEXTS[api], shared.token(EMAIL, api=api)
    text, wanted = f"mail {token} now", f"mail {EMAIL} now"
    bodies = [(False, channel.whole(text)), (True, channel.stream(list(text)))]
    bodies += [(True, channel.stream([text[:at], text[at:]])) for at in range(3, len(text) - 2)]
    # Several in one piece, in one channel, and the last letter of the text.
    bodies += [(True, channel.stream([f"{token} and {token}", "", " x"])), (True, channel.stream([token]))]
    for streamed, body in bodies:
        reply = shared.ask("what did I say?", body, api, streamed)
        read = channel.read(reply.body, streamed)
        assert EMAIL in read and token not in read
        assert read == wanted or text not in body.decode()
        (closed,) = [leaf for leaf in shared.gate.leaves_of(reply.exchange, 6) if leaf["type"] == "closed"]
        assert closed["restored"]["restored"] >= 1


def test_without_a_vault_or_for_another_key_it_stays(shared, build_house):
    token = shared.token(EMAIL)
    assert shared.later(token) == f"mail {EMAIL} now"
    other = shared.gate.key(owner="tester")["key"]
    assert shared.later(token, key=other) == f"mail {token} now"
    for text in (token, token + " " + token):
        for streamed in (False, True):
            channel = TEXTS["openai"]
            body = channel.stream(list(text)) if streamed else channel.whole(text)
            reply = shared.ask("what?", body, stream=streamed, key=other)
            assert EMAIL.encode() not in reply.body
    # The negative control: a gate that keeps nothing.
    plain = Vaulted(build_house)
    plain.gate.file.write_text(plain.config(vault={}))
    plain.start()
    token = plain.token(EMAIL)
    assert plain.later(token) == f"mail {token} now"


CARRIERS = [
    "see [here](https://evil.example/?q={})",
    "![x](https://evil.example/{}.png)",
    '<b title="{}">x</b>',
    "see https://evil.example/{}",
    "[x](mailto:{}?subject=x)",
]


@pytest.mark.parametrize("text", CARRIERS)
def test_it_comes_back_nowhere_else_than_its_own_exchange_lets_it(shared, text):
    token = shared.token(EMAIL)
    channel, filled = TEXTS["openai"], text.format(token)
    for streamed in (False, True):
        body = channel.stream([filled[:9], filled[9:]]) if streamed else channel.whole(filled)
        reply = shared.ask("what did I say?", body, stream=streamed)
        assert reply.status == 200 and EMAIL.encode() not in reply.body


def test_an_altered_or_forged_token_is_not_even_looked_up(vaulted):
    here = vaulted(tables=ADMIN)
    token = here.token(EMAIL)
    metrics = Metrics(here.gate)
    for altered in (token[:-1] + ("a" if token[-1] != "a" else "b"), token.lower(), "MSEMAIL" + "a" * 26):
        assert EMAIL not in here.later(altered)
    assert metrics("vault_values_total", what="missed") == 0
    assert here.later(token) == f"mail {EMAIL} now"
    assert metrics("vault_values_total", what="recalled") == 1
    # Nor is one of a kind that is not kept.
    other = here.token(CARD)
    assert here.later(other) == f"mail {other} now"
    assert metrics("vault_values_total", what="missed") == 0
    assert metrics("vault_values_total", what="kept") == 1
    # One that is gone is looked for, once.
    here.sql("DELETE FROM vault_entry")
    assert here.later(f"{token} {token}") == f"mail {token} {token} now"
    assert metrics("vault_values_total", what="missed") == 1


def test_it_outlives_a_restart_and_not_its_time(vaulted):
    here = vaulted(days=3)
    token = here.token(EMAIL)
    (expires,) = here.sql("SELECT expires_ms FROM vault_entry")[0]
    assert abs(expires - time.time() * 1000 - 3 * DAY_MS) < 60_000
    here.gate.restart()
    assert here.later(token) == f"mail {EMAIL} now"
    # Used again when a day is over, it lives on; at once it is not written again.
    here.sql("UPDATE vault_entry SET expires_ms = expires_ms - 1000")
    here.token(EMAIL)
    assert here.sql("SELECT expires_ms FROM vault_entry") == [(expires - 1000,)]
    here.sql("UPDATE vault_entry SET expires_ms = expires_ms - ?", DAY_MS)
    here.token(EMAIL)
    assert here.sql("SELECT expires_ms FROM vault_entry")[0][0] > expires
    # What has expired is not read, and goes with the next sweep.
    here.sql("UPDATE vault_entry SET expires_ms = ?", int(time.time() * 1000) - 1)
    assert here.later(token) == f"mail {token} now"
    assert here.reveal(token).code != 0
    assert here.sql("SELECT COUNT(*) FROM vault_entry") == [(1,)]
    here.gate.restart()
    until = time.monotonic() + 10
    while here.sql("SELECT COUNT(*) FROM vault_entry") != [(0,)]:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_an_erased_person_is_gone_from_every_file(vaulted):
    here = vaulted(kinds=["email", "card"])
    # Long enough to stand nowhere by chance.
    ada = "ada-lovelace-of-london"
    token = here.token(EMAIL, person=ada)
    other = here.token(CARD, api="anthropic", person="bob")
    assert here.entries() == 2
    # Nothing stands there in the clear, nor does who it is.
    for text in (EMAIL, CARD, ada, token):
        held = [path for path in sealed.stands_in(here.state, text.encode()) if path.name.startswith("keys.db")]
        assert held == [], text
    marks = {person: (wrapped, name) for name, person, wrapped in here.sql("SELECT name, person, wrapped FROM vault_person")}
    rows = {key: entry for key, entry in here.sql("SELECT key_name, sealed FROM vault_entry")}
    assert len(marks) == 2
    erased = here.erase("--person", ada).json
    assert erased == {"erased": 1, "scrubbed": True}
    assert here.later(token) == f"mail {token} now"
    assert here.later(other, api="anthropic") == f"mail {CARD} now"
    left = {person for (person,) in here.sql("SELECT person FROM vault_person")}
    (gone,) = set(marks) - left
    wrapped, name = marks[gone]
    assert sealed.stands_in(here.state, wrapped.encode()) == [], "the key is overwritten, not only unlinked"
    assert sealed.stands_in(here.state, rows[name].encode()) == []
    kept, _ = marks[left.pop()]
    assert sealed.stands_in(here.state, kept.encode()) != [], "the negative control"
    # The log tells of it and names nobody.
    (event,) = here.events("vault-erased")
    assert event["facts"]["entries"] == "1" and event["facts"]["asked"] == "person"
    assert event["facts"]["reason"] == "case 7" and ada not in json.dumps(event)
    assert here.erase("--person", "nobody").json["erased"] == 0
    # And comes again like anybody.
    assert here.token(EMAIL, person=ada) == token
    assert here.later(token) == f"mail {EMAIL} now"
    here.gate.verify()


def test_a_key_is_erased_whoever_it_spoke_for_and_a_hold_stops_it(vaulted):
    here = vaulted()
    mine, theirs = here.gate.key(), here.gate.key()
    token = here.token(EMAIL, key=mine["key"], person="ada")
    here.token(needles.fill("{lower:9}@example.org", rng("vault")), key=mine["key"])
    other = here.token(EMAIL, key=theirs["key"], person="ada")
    assert here.gate.cli("ledger", "hold", "set", *WHY).code == 0
    held = here.erase("--key", mine["id"])
    assert held.code != 0 and "hold" in held.text and here.entries() == 3
    assert here.gate.cli("ledger", "hold", "lift", *WHY).code == 0
    assert here.erase("--key", mine["id"]).json["erased"] == 2
    assert here.later(token, key=mine["key"]) == f"mail {token} now"
    assert here.later(other, key=theirs["key"]) == f"mail {EMAIL} now"
    (event,) = here.events("vault-erased")
    assert event["subject"] == mine["id"]
    assert here.erase("--key", "nobody").code != 0
    assert here.erase().code != 0


def test_one_value_of_two_persons_is_erased_with_each_alone(vaulted):
    here = vaulted()
    token = here.token(EMAIL, person="ada")
    assert here.token(EMAIL, person="bob") == token
    assert here.erase("--person", "ada").json["erased"] == 1
    assert here.later(token) == f"mail {EMAIL} now"
    assert here.erase("--person", "bob").json["erased"] == 1
    assert here.later(token) == f"mail {token} now"


def test_nobody_is_kept_who_cannot_be_erased(vaulted, build_house):
    here = vaulted()
    for api in TEXTS:
        vendor = here.house.vendors[api]
        vendor.forget()
        for name in ("x" * 1025, "a\nb", "a\x00", "\x1b[2J"):
            refused = here.ask(f"take {EMAIL} please", api=api, person=name)
            assert refused.status == 400 and "MS-VAULT-003" in refused.message, name[:9]
            (leaf,) = here.gate.leaves_of(refused.exchange)
            assert (leaf["type"], leaf["code"]) == ("refused", "MS-VAULT-003")
        assert vendor.requests() == []
    assert here.entries() == 0
    longest = "é" * 512
    here.token(EMAIL, person=longest)
    assert here.erase("--person", longest).json["erased"] == 1
    for name in ("x" * 1025, "a\nb"):
        assert "without control characters" in here.erase("--person", name).text
    # Where nothing is kept the name is the vendor's alone.
    plain = build_house()
    request = {"model": "m", "user": "x" * 1025, "messages": [{"role": "user", "content": "hi"}]}
    assert raw.post(plain.url, TEXTS["openai"].route, request, plain.key).status == 200


def test_a_value_may_come_back_for_its_person_alone(vaulted):
    here = vaulted(comes_back="person", kinds=["email", "card"])
    for api in TEXTS:
        token = here.token(EMAIL, api=api, person="ada")
        assert here.later(token, api, person="ada") == f"mail {EMAIL} now"
        for other in ("bob", None):
            assert here.later(token, api, person=other) == f"mail {token} now"
    nobodys = here.token(CARD)
    assert here.later(nobodys) == f"mail {CARD} now"
    assert here.later(nobodys, person="ada") == f"mail {nobodys} now"
    # By default the key is enough.
    here.gate.restart(here.config(vault={**here.vault, "comes_back": "key"}))
    assert here.later(token, person="bob") == f"mail {EMAIL} now"


@contextlib.contextmanager
def locked(here):
    """The store as it is while somebody else writes and does not end."""
    with contextlib.closing(sqlite3.connect(here.state / "keys.db", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        yield
        store.execute("ROLLBACK")


def test_what_cannot_be_kept_is_not_sent(vaulted):
    here = vaulted(tables=ADMIN)
    known = here.token(EMAIL)
    fresh = fill("{lower:9}@example.org", rng("vault down"))
    here.house.openai.forget()
    with locked(here):
        refused = here.ask(f"take {fresh} please")
        assert refused.status == 503 and "MS-VAULT-001" in refused.message
        assert here.house.openai.requests() == []
        # What needs no write goes on, and so does what comes back.
        assert here.ask("hello").status == 200
        assert here.ask(f"take {EMAIL} please").status == 200
        assert here.later(known) == f"mail {EMAIL} now"
    assert Metrics(here.gate)("vault_values_total", what="failed") == 1
    (leaf,) = here.gate.leaves_of(refused.exchange)
    assert (leaf["type"], leaf["code"]) == ("refused", "MS-VAULT-001")
    assert here.token(fresh)


def test_an_exception_lets_it_pass_and_is_counted(vaulted):
    open_ = {"when_down": {"vault": "open", "vault_until": "2099-01-01"}}
    here = vaulted(tables={**ADMIN, **open_})
    assert here.ask("hello").status == 200
    with locked(here):
        reply = here.ask(f"take {EMAIL} please")
        assert reply.status == 200 and EMAIL in reply.body.decode(), "its own exchange turns it back"
    assert Metrics(here.gate)("vault_values_total", what="unkept") == 1
    (admitted,) = [leaf for leaf in here.gate.leaves_of(reply.exchange) if leaf["type"] == "admitted"]
    assert any("could not be kept" in note["decided"] for note in admitted["rooms"])
    assert here.entries() == 0
    here.gate.restart(here.config(when_down={"vault": "open", "vault_until": "2020-01-01"}))
    with locked(here):
        assert here.ask(f"take {EMAIL} please").status == 503


def test_a_full_vault_refuses_what_is_new(vaulted):
    here = vaulted(kinds=["email", "card"], entries_per_key_max=1)
    here.token(EMAIL)
    full = here.ask(f"take {CARD} please")
    assert full.status == 503 and "MS-VAULT-002" in full.message
    here.token(EMAIL)
    here.token(CARD, key=here.gate.key()["key"])


def test_showing_needs_the_verb_and_is_recorded_first(vaulted):
    here = vaulted()
    token = here.token(EMAIL)
    plain = here.reveal(token)
    assert plain.code != 0 and EMAIL not in plain.text, "the account alone may not"
    weak = here.gate.key()
    assert here.reveal(token, weak).code != 0
    assert [event["facts"]["verb"] for event in here.events("admin-denied")] == ["reveal", "reveal"]
    assert here.events("vault-revealed") == []
    auditor = here.gate.key(verb=["reveal"])
    shown = here.reveal(token, auditor).json
    assert shown["value"] == EMAIL and shown["expires_ms"] > time.time() * 1000
    (event,) = here.events("vault-revealed")
    assert event["by"] == auditor["id"] and event["facts"]["key"] == shown["key"]
    assert event["facts"]["reason"] == "case 7" and token not in json.dumps(event)
    none = here.reveal("MSEMAIL" + "a" * 26, auditor)
    assert none.code != 0 and "no such token" in none.text
    here.erase("--key", shown["key"])
    assert here.reveal(token, auditor).code != 0
    assert len(here.events("vault-revealed")) == 1


def test_codes_and_tracks_are_never_kept(vaulted):
    here = vaulted(kinds=["card", "email"])
    source = rng("vault track")
    code = fill("{digit:3}", source)
    track = f";{CARD.replace(' ', '').replace('-', '')}=2712101{fill('{digit:9}', source)}?"
    sent = []
    for text in (f"my cvv: {code} thanks", f"swiped {track} today", f"card {CARD} cvv: {code}"):
        reply = here.ask(text)
        assert reply.status in (200, 400)
        sent += here.house.openai.requests()
    for (wrapped,) in here.sql("SELECT sealed FROM vault_entry"):
        assert code not in wrapped
    # Whatever is kept opens to the card alone.
    assert here.entries() <= 1
    for request in sent:
        for token in TOKEN.findall(request["body"].decode()):
            shown = here.reveal(token, here.gate.key(verb=["reveal"]))
            assert shown.code != 0 or shown.json["value"] == CARD


@pytest.mark.parametrize(
    "vault,says",
    [
        ({"kinds": ["email", "cvv"]}, "3.3.1"),
        ({"kinds": ["track"]}, "3.3.1"),
        ({"kinds": ["markup"]}, "no kind that redaction gives tokens for"),
        ({"kinds": []}, "name at least one kind"),
        ({"kinds": ["email"], "days": 0}, "from 1 to 366"),
        ({"kinds": ["email"], "days": 367}, "from 1 to 366"),
        ({"kinds": ["email"], "entries_max": 0}, "write a number"),
        ({"kinds": ["email"], "key": "00" * 32}, "a key never stands in the configuration"),
        ({"kinds": ["email"], "person": "x"}, "unknown field"),
        ({"kinds": ["email"], "comes_back": "all"}, "unknown word"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(build_house, vault, says):
    here = Vaulted(build_house)
    here.gate.file.write_text(here.config(vault={"key": "file:vault.key", **vault}))
    checked = here.gate.cli("config", "check")
    assert checked.code != 0 and says in checked.text and "merestone.toml:" in checked.text, checked.text


def test_the_pci_profile_keeps_no_card(build_house):
    here = Vaulted(build_house, kinds=["email", "card"])
    pci = {"gate": {"profile": "pci"}}
    here.gate.file.write_text(here.house.config(tables={"vault": here.vault}, **pci))
    checked = here.gate.cli("config", "check")
    assert checked.code != 0 and "under the PCI profile no card number is kept" in checked.text
    here.vault["kinds"] = ["email"]
    here.gate.file.write_text(here.house.config(tables={"vault": here.vault}, **pci))
    assert here.gate.cli("config", "check").code == 0


def test_a_kind_that_is_no_longer_kept_does_not_come_back(vaulted):
    here = vaulted(kinds=["email", "card"])
    auditor = here.gate.key(verb=["reveal"])
    mail, card = here.token(EMAIL), here.token(CARD)
    assert here.later(card) == f"mail {CARD} now" and here.reveal(card, auditor).json["value"] == CARD
    here.gate.restart(here.config(vault={**here.vault, "kinds": ["email"]}))
    assert here.later(card) == f"mail {card} now"
    shown = here.reveal(card, auditor)
    assert shown.code != 0 and "no longer kept" in shown.text and CARD not in shown.text
    assert here.later(mail) == f"mail {EMAIL} now"
    # It is there until it expires, and comes back with its kind.
    here.gate.restart(here.config())
    assert here.later(card) == f"mail {CARD} now"


def test_another_key_does_not_start_on_it(vaulted):
    here = vaulted()
    token = here.token(EMAIL)
    here.gate.stop()
    other = here.gate.folder / "vault.key"
    other.write_text(secret(os.urandom(32).hex(), "a vault's key") + "\n")
    up = here.gate.cli("up")
    assert up.code != 0 and "another `vault.key`" in up.text
    other.write_text(here.key.hex() + "\n")
    here.gate.start()
    assert here.later(token) == f"mail {EMAIL} now"
    # What a restart takes is not taken up by a reload.
    here.gate.file.write_text(here.config(vault={**here.vault, "days": 5}))
    reload = here.gate.cli("reload")
    assert reload.code != 0 and "`vault` changed" in reload.text


def test_the_key_may_stay_with_a_key_service(build_house):
    service = KeyService(secret(fill("{alnum:32}", rng("vault service")), "a vault's token"))
    try:
        here = Vaulted(build_house)
        service.put_transit("transit/tenant-a", here.key)
        (here.gate.folder / "service.token").write_text(service.token + "\n")
        tables = {"secrets.vault": {"address": service.url, "token": "file:service.token"}}
        vault = {**here.vault, "key": "transit:transit/tenant-a"}
        here.gate.file.write_text(here.config(vault=vault, **tables))
        here.start()
        token = here.token(EMAIL)
        assert here.later(token) == f"mail {EMAIL} now"
    finally:
        service.stop()


def test_nodes_share_a_vault_on_postgres_and_refuse_without_it(build_house, tmp_path_factory):
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    try:
        database, key, nodes = server.database(), os.urandom(32), []
        for number in range(2):
            here = Vaulted(build_house, tables={"store": {"url": "file:store.url"}}, key=key)
            here.gate.folder.joinpath("store.url").write_text(server.url(database) + "\n")
            if nodes:
                # Nodes whose tokens are to be one another's share this key.
                secrets = here.state / "secrets"
                secrets.mkdir(parents=True, mode=0o700)
                here.state.chmod(0o700)
                (secrets / "tokens.key").write_bytes((nodes[0].state / "secrets" / "tokens.key").read_bytes())
            nodes.append(here.start())
        one, two = nodes
        user = one.gate.key()["key"]
        until = time.monotonic() + 10
        while two.ask("hello", key=user).status != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        token = one.token(EMAIL, key=user, person="ada")
        assert two.later(token, key=user) == f"mail {EMAIL} now"
        assert two.erase("--person", "ada").json["erased"] == 1
        assert one.later(token, key=user) == f"mail {token} now"
        server.freeze()
        try:
            refused = one.ask(f"take {EMAIL} please", key=user)
            assert refused.status == 503 and "MS-VAULT-001" in refused.message
            assert one.ask("hello", key=user).status == 200
            assert one.later(token, key=user) == f"mail {token} now", "a reply is not lost for want of it"
        finally:
            server.thaw()
    finally:
        server.close()
