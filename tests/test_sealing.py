"""Sealed content: what is kept, who may see it, and that an erased key is gone.

Captures are read here by docs/specs/captures.md alone (harness/sealed.py), so
that the format is held by two programs. The vault is a labelled double
(harness/vault.py)."""

import base64
import hashlib
import json
import os

import pytest

from harness import needles, raw, sealed
from harness.channels import CHANNELS
from harness.gate import secret
from harness.paths import rng
from harness.vault import Vault
from harness.vendor import EVENTS, script

CHAT = "/v1/chat/completions"
CONTENT = CHANNELS[0]
EMAIL = needles.ALL["email"].text
WHY = ("--reason", "case 7")


def ask(house, text="hello", key=None, **more):
    """One call; `text` may be a list of content parts."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return raw.post(house.url, CHAT, body, key or house.key)


class Sealing:
    """A house that captures, and its tenant's key."""

    def __init__(self, build_house, mode="all", capture=None, openai=None, tables=None, **wanted):
        self.tenant = os.urandom(32)
        self.house = build_house(start=False)
        self.gate = self.house.gate
        self.file = self.gate.folder / "tenant.key"
        self.file.write_text(secret(self.tenant.hex(), "a tenant's key") + "\n")
        self.wanted = dict(wanted)
        self.openai = {"capture": mode, **(openai or {})}
        self.tables = {"capture": {"tenant_key": "file:tenant.key", **(capture or {})}, **(tables or {})}
        self.gate.file.write_text(self.config())
        self.gate.start()

    def config(self, **tables):
        return self.house.config(
            openai=self.openai, tables={**self.tables, **tables}, **self.wanted
        )

    @property
    def state(self):
        return self.gate.folder / "data"

    def slot(self, exchange):
        return sealed.slots(self.state).get(exchange)

    def open(self, exchange):
        """Every part of an exchange, in the clear."""
        return self.slot(exchange).open(self.tenant)

    def captured(self, exchange):
        """What the record says was sealed."""
        found = [leaf["captured"] for leaf in self.gate.leaves_of(exchange) if "captured" in leaf]
        assert len(found) <= 1
        return found[0] if found else None

    def parts(self, exchange):
        return {part["part"]: part for part in self.captured(exchange)["parts"]}

    def reveal(self, exchange, *words, key=None, **more):
        env = {"REVEALER": key["key"]} if key else None
        by = ("--by-key-env", "REVEALER") if key else ()
        return self.gate.cli("ledger", "reveal", exchange, *WHY, *by, *words, secret=True, env=env, **more)

    def erase(self, *words):
        return self.gate.cli("ledger", "erase", *words, *WHY, "--json")

    def events(self, act):
        return [leaf for leaf in self.gate.ledger() if leaf["type"] == "event" and leaf["act"] == act]


@pytest.fixture
def sealing(build_house):
    return lambda *args, **wanted: Sealing(build_house, *args, **wanted)


@pytest.fixture
def vault():
    made = Vault(secret(needles.fill("{alnum:32}", rng("sealing vault")), "a vault's token"))
    yield made
    made.stop()


def test_what_went_to_and_fro_is_sealed_and_committed_to(sealing):
    here = sealing()
    here.house.openai.script(script(CONTENT.whole("fine")))
    reply = ask(here.house, f"write to {EMAIL}")
    assert reply.status == 200
    opened = here.open(reply.exchange)
    assert list(opened) == ["caller", "findings", "request", "reply"]
    sent = here.house.openai.requests()[-1]["body"]
    assert opened["request"] == sent and EMAIL.encode() not in sent, "what the vendor saw"
    assert opened["reply"] == reply.body, "what the caller got"
    caller = sealed.text(opened["caller"])
    assert caller["owner"] == "tester" and caller["source"] == "127.0.0.1"
    matches = sealed.text(opened["findings"])["matches"]
    assert [match["text"] for match in matches] == [EMAIL]
    assert matches[0]["place"] == "messages[0].content" and matches[0]["action"] == "redact"
    # The record commits to each part, and names the sealed bytes.
    slot, captured = here.slot(reply.exchange), here.captured(reply.exchange)
    assert captured["sealed"] == hashlib.sha256(slot.sealed).hexdigest()
    key = slot.record_key(here.tenant)
    for part in captured["parts"]:
        text = opened[part["part"]]
        assert part["bytes"] == len(text)
        assert part["commitment"] == sealed.commitment(key, part["part"], reply.exchange, text)
    # Nothing of it stands anywhere in the clear, nor does a key.
    for text in (EMAIL.encode(), b"write to", here.tenant, key):
        assert sealed.stands_in(here.state, text) == []
    here.gate.verify()


def test_a_route_captures_what_it_says(sealing):
    here = sealing("findings")
    reply = ask(here.house, f"write to {EMAIL}")
    opened = here.open(reply.exchange)
    assert list(opened) == ["caller", "findings"]
    assert EMAIL in opened["findings"].decode()
    # The other vendor's route captures nothing.
    other = raw.post(here.house.url, "/v1/messages", CONTENT.request("m", False), here.house.key)
    assert other.status == 200 and here.slot(other.exchange) is None
    assert here.captured(other.exchange) is None


def test_two_routes_to_one_vendor_capture_differently(sealing):
    here = sealing("nothing")
    eu = {"api": "openai", "base_url": here.house.openai.url, "key": "env:FAKE_OPENAI_KEY"}
    here.gate.restart(here.config(**{"vendors.eu": {**eu, "prefix": "/eu", "capture": "all"}}))
    plain = ask(here.house)
    assert plain.status == 200 and here.slot(plain.exchange) is None
    kept = raw.post(here.house.url, "/eu" + CHAT, CONTENT.request("m", False), here.house.key)
    assert here.open(kept.exchange)["reply"] == kept.body


@pytest.fixture(scope="module")
def both(_folders):
    """A house that captures all of both vendors."""
    from harness.gate import House

    folder = _folders("both")
    house = House(folder, start=False)
    house.gate.folder.mkdir(exist_ok=True)
    tenant = os.urandom(32)
    (house.gate.folder / "tenant.key").write_text(secret(tenant.hex(), "a tenant's key"))
    kept = {"capture": "all"}
    tables = {"capture": {"tenant_key": "file:tenant.key"}}
    house.gate.file.write_text(house.config(openai=kept, anthropic=kept, tables=tables))
    house.gate.start()
    yield house, tenant
    house.close()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: f"{channel.api}-{channel.name}")
def test_every_channel_is_kept_as_it_was_released(both, channel, stream):
    """With a value in it that is masked: what the caller got is what is kept."""
    house, tenant = both
    text = f"so write {EMAIL} down"
    said = channel.wrap(json.dumps(text)[1:-1])
    deltas = [said[at : at + 7] for at in range(0, len(said), 7)] if channel.cuttable else [said]
    body = channel.stream(deltas) if stream else channel.whole(said)
    house.vendors[channel.api].script(channel.script(body, stream, model="kept"))
    reply = raw.post(house.url, channel.route, channel.request("kept", stream), house.key)
    opened = sealed.slots(house.gate.folder / "data")[reply.exchange].open(tenant)
    assert EMAIL.encode() not in opened["reply"]
    if not stream:
        assert opened["reply"] == reply.body
        return
    got = channel.read(reply.body, True)
    texts = [each["text"] for each in sealed.text(opened["reply"])["texts"]]
    assert not got or any(got in text for text in texts), (got, texts)


def test_a_stream_is_kept_as_the_texts_that_a_client_makes_of_it(sealing):
    here = sealing()
    words = ["once ", "upon ", "a time"]
    here.house.openai.script(script(CONTENT.stream(words), kind=EVENTS))
    reply = ask(here.house, stream=True)
    texts = sealed.text(here.open(reply.exchange)["reply"])
    assert texts["stream"] is True
    assert "".join(words) in [each["text"] for each in texts["texts"]]


def test_a_refusal_keeps_what_was_found_and_no_text(sealing):
    here = sealing(redaction="block")
    reply = ask(here.house, f"write to {EMAIL}")
    assert reply.status >= 400 and here.house.openai.requests() == []
    opened = here.open(reply.exchange)
    assert list(opened) == ["caller", "findings"]
    assert sealed.text(opened["findings"])["matches"][0]["text"] == EMAIL


def test_a_part_beyond_the_limit_is_left_out_and_the_record_says_so(sealing):
    here = sealing(capture={"part_bytes_max": 2_048})
    here.house.openai.script(script(CONTENT.stream(["word "] * 1_000), kind=EVENTS))
    reply = ask(here.house, "x" * 4_000, stream=True)
    assert list(here.open(reply.exchange)) == ["caller", "findings"]
    parts = here.parts(reply.exchange)
    assert parts["request"]["left_out"] == parts["reply"]["left_out"] == "too-large"
    assert "commitment" not in parts["request"]


# Card security codes and track data.


def code():
    source = rng("sealing", "code")
    return "".join(source.choice("123456789") for _ in range(3)) + source.choice("12")


def track():
    pan = needles.card(rng("sealing", "track")).text.replace(" ", "").replace("-", "")
    digits = "".join(rng("sealing", "more").choice("0123456789") for _ in range(10))
    return f";{pan}=3012101{digits}?"


def free(sealing, **more):
    """A house whose controls let everything pass."""
    off = {control: "off" for control in ("screening", "redaction", "sanitising", "leakage")}
    return sealing(modes=off, **more)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_codes_and_tracks_are_masked_whatever_the_controls_do(sealing, stream):
    here, number, stripe = free(sealing), code(), track()
    said = f"the cvv is {number}, the stripe {stripe} ok"
    cuts = [said[at : at + 5] for at in range(0, len(said), 5)]
    body = CONTENT.stream(cuts) if stream else CONTENT.whole(said)
    here.house.openai.script(script(body, kind=EVENTS if stream else "application/json"))
    reply = ask(here.house, [{"type": "text", "text": said[:13]}, {"type": "text", "text": said[13:]}], stream=stream)
    assert reply.status == 200
    sent = here.house.openai.requests()[-1]["body"].decode()
    assert stripe in sent, "it did pass: nothing stopped it"
    opened = here.open(reply.exchange)
    for part in ("request", "reply"):
        text = opened[part].decode()
        assert number not in text and stripe not in text and stripe[1:17] not in text, part
        assert "[never kept]" in text
        assert here.parts(reply.exchange)[part]["masked"] == 2
    assert "ok" in opened["reply"].decode()


def test_a_code_as_a_bare_number_leaves_the_part_out(sealing):
    here, number = free(sealing), code()
    tool = {"type": "function", "function": {"name": "pay", "parameters": {"example": {"cvv": int(number)}}}}
    reply = ask(here.house, tools=[tool])
    assert reply.status == 200
    assert "request" not in here.open(reply.exchange)
    assert here.parts(reply.exchange)["request"]["left_out"] == "card-data"


def test_a_matched_code_is_no_evidence_that_is_kept(sealing):
    here, number = sealing("findings"), code()
    reply = ask(here.house, f"card code: {number}, write to {EMAIL}")
    assert reply.status == 200 and number not in here.house.openai.requests()[-1]["body"].decode()
    findings = here.open(reply.exchange)["findings"].decode()
    assert number not in findings and "[never kept]" in findings
    assert '"cvv"' in findings, "that it was found is kept"


# Revealing.


def test_revealing_needs_a_permission_and_is_told_first(sealing):
    here = sealing()
    reply = ask(here.house, f"write to {EMAIL}")
    # The account that runs the gate is not enough.
    denied = here.reveal(reply.exchange)
    assert denied.code != 0 and EMAIL not in denied.text and "reveal" in denied.text
    idle = here.gate.key(owner="idle", verb=["infer", "admin"])
    denied = here.reveal(reply.exchange, key=idle)
    assert denied.code != 0 and EMAIL not in denied.text
    told = here.events("admin-denied")
    assert [event["facts"]["verb"] for event in told] == ["reveal", "reveal"]
    assert here.events("revealed") == []
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    shown = here.reveal(reply.exchange, "--json", key=auditor).json
    assert shown["parts"]["reply"] == json.loads(reply.body)
    assert shown["parts"]["findings"]["matches"][0]["text"] == EMAIL
    [event] = here.events("revealed")
    assert event["by"] == auditor["id"] and event["subject"] == reply.exchange
    assert event["facts"] == {"parts": "all", "reason": "case 7"}
    one = here.reveal(reply.exchange, "--part", "caller", key=auditor)
    assert one.code == 0 and "tester" in one.stdout and EMAIL not in one.stdout
    assert here.events("revealed")[-1]["facts"]["parts"] == "caller"
    # A key that only reveals calls no model.
    assert ask(here.house, key=auditor["key"]).status == 403
    here.gate.verify()


def test_an_account_reveals_where_a_policy_says_so_running_or_not(sealing):
    here = sealing()
    (here.gate.folder / "permission.cedar").write_text("permit (principal, action, resource);\n")
    reply = ask(here.house)
    here.gate.restart(here.config(permission={"policies": "permission.cedar"}))
    assert here.reveal(reply.exchange, "--json").json["parts"]["reply"] == json.loads(reply.body)
    here.gate.stop()
    assert here.reveal(reply.exchange, "--json").json["parts"]["reply"] == json.loads(reply.body)
    assert len(here.events("revealed")) == 2
    # With a policy that names nobody it is denied, and told, also while none runs.
    (here.gate.folder / "permission.cedar").write_text('permit (principal is Key, action, resource);\n')
    denied = here.reveal(reply.exchange)
    assert denied.code != 0 and "no policy" in denied.text
    assert here.events("admin-denied")[-1]["facts"]["verb"] == "reveal"


def test_what_was_changed_or_exchanged_is_not_shown(sealing):
    here = sealing()
    one, other = (ask(here.house, f"number {number}") for number in (1, 2))
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    [table], [content] = ((here.state / "captures").glob(f"*.{end}") for end in ("keys", "sealed"))
    whole = content.read_bytes()
    slot = here.slot(one.exchange)
    at = whole.index(slot.sealed)
    for place in (at, at + 8, at + len(slot.sealed) // 2, at + len(slot.sealed) - 1):
        content.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        shown = here.reveal(one.exchange, key=auditor)
        assert shown.code != 0 and "not those that the log names" in shown.text
    content.write_bytes(whole)
    assert here.reveal(one.exchange, key=auditor).code == 0
    assert here.reveal(other.exchange, key=auditor).code == 0
    assert table.exists()


def test_another_tenants_key_opens_nothing(sealing):
    here = sealing()
    reply = ask(here.house)
    here.gate.stop()
    other = os.urandom(32)
    assert here.slot(reply.exchange).open(other) is None
    here.file.write_text(secret(other.hex(), "another tenant's key"))
    here.gate.start()
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    shown = here.reveal(reply.exchange, key=auditor)
    assert shown.code != 0 and "tenant's key does not open" in shown.text


# Erasing.


def test_after_an_erase_the_key_is_nowhere_and_all_proofs_verify(sealing):
    here = sealing()
    text = f"write to {EMAIL}"
    reply, kept = ask(here.house, text), ask(here.house, "stays")
    admitted, closed = here.gate.leaves_of(reply.exchange)
    number = next(
        index for index, leaf in enumerate(here.gate.ledger()) if leaf == closed
    )
    proof = here.gate.folder / "before.tlog-proof"
    here.gate.await_leaf(lambda leaf: here.gate.cli("ledger", "prove", number, "--out", proof).code == 0)
    slot = here.slot(reply.exchange)
    key, wrapped, opened = slot.record_key(here.tenant), slot.wrapped, slot.open(here.tenant)
    node = (here.state / "secrets" / "commitments.key").read_bytes()
    # Before: the search finds the wrapped key, the tenant's key opens it, and
    # what is committed to can be checked with the salt.
    assert sealed.stands_in(here.state, wrapped) != []
    plant = here.state / "planted"
    plant.write_bytes(b"before" + key + b"after")
    assert sealed.stands_in(here.state, key) == [plant], "the search would find the record's key"
    plant.unlink()
    sent = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    salt, _ = sealed.derived(key, "salt", "record", reply.exchange)

    def guess(salt):
        return sealed.record_commitment(node, salt, reply.exchange, "request-body", sent)

    assert guess(salt) == admitted["request"]["body"]
    owner = sealed.record_commitment(node, salt, reply.exchange, "owner", b"tester")
    assert owner == admitted["caller"]["owner"]

    assert here.erase(reply.exchange).json == {"erased": 1}

    # After: neither stands anywhere, the tenant's key opens nothing.
    assert sealed.stands_in(here.state, wrapped) == []
    assert sealed.stands_in(here.state, key) == []
    gone = here.slot(reply.exchange)
    assert gone.wrapped is None and gone.open(here.tenant) is None and gone.key is None
    assert all(EMAIL.encode() not in part for part in [gone.sealed])
    # Nobody can check a guess: not with the node's key, nor with the text.
    said = json.dumps([admitted, closed])
    for salt in (None, b"", bytes(32), hashlib.sha256(sent).digest()):
        assert guess(salt) not in said
    assert hashlib.sha256(sent).hexdigest() not in said
    for part, plain in opened.items():
        noted = next(each for each in closed["captured"]["parts"] if each["part"] == part)
        for guessed in (here.tenant, node, bytes(32)):
            assert noted["commitment"] != sealed.commitment(guessed, part, reply.exchange, plain)
    # The log tells of it; it and the old proof verify; the record is as it was.
    [event] = here.events("erased")
    assert event["subject"] == reply.exchange and event["facts"]["asked"] == "exchange"
    assert here.gate.leaves_of(reply.exchange) == [admitted, closed]
    here.gate.verify()
    assert here.gate.cli("ledger", "verify", "--proof", proof, "--key", here.gate.cli("ledger", "key").stdout.strip()).code == 0
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    shown = here.reveal(reply.exchange, key=auditor)
    assert shown.code != 0 and "destroyed" in shown.text
    assert here.reveal(kept.exchange, key=auditor).code == 0
    shown = here.gate.cli("ledger", "show", reply.exchange)
    assert "sealed (all)" in shown.text and ": erased " in shown.text and "case 7" in shown.text
    again = here.erase(reply.exchange)
    assert again.code != 0 and len(here.events("erased")) == 1
    # A restart brings nothing back.
    here.gate.restart()
    assert sealed.stands_in(here.state, wrapped) == []
    here.gate.verify()


def test_all_of_a_key_or_a_person_is_erased_running_or_not(sealing):
    here = sealing()
    keys = [here.gate.key(owner=owner) for owner in ("anna", "anna", "bert", "bert")]
    exchanges = [[ask(here.house, key=key["key"]).exchange for _ in range(3)] for key in keys]

    def live():
        return [sum(here.slot(each).wrapped is not None for each in of) for of in exchanges]

    assert live() == [3, 3, 3, 3]
    assert here.erase("--key", keys[2]["id"]).json == {"erased": 3}
    assert live() == [3, 3, 0, 3]
    assert here.erase("--person", "anna").json == {"erased": 6}
    assert live() == [0, 0, 0, 3]
    here.gate.stop()
    assert here.erase("--person", "bert").json == {"erased": 3}
    assert live() == [0, 0, 0, 0]
    told = {event["subject"] for event in here.events("erased")}
    assert told == {each for of in exchanges for each in of}
    text = "".join(json.dumps(event) for event in here.events("erased"))
    assert "anna" not in text and "bert" not in text
    assert here.erase("--person", "nobody").code != 0
    here.gate.verify()


def test_a_legal_hold_stops_erasure_and_pruning(sealing):
    here = sealing()
    reply = ask(here.house)
    assert here.gate.cli("ledger", "hold", "set", *WHY).code == 0
    for words in ((reply.exchange,), ("--key", here.house._key["id"]), ("--person", "tester")):
        refused = here.erase(*words)
        assert refused.code != 0 and "legal hold" in refused.text
    pruned = here.gate.cli("ledger", "prune", "--before", 0)
    assert pruned.code != 0 and "legal hold" in pruned.text
    assert here.open(reply.exchange)["reply"] == reply.body and here.events("erased") == []
    here.gate.stop()
    refused = here.erase(reply.exchange)
    assert refused.code != 0 and "legal hold" in refused.text
    here.gate.start()
    assert here.gate.cli("ledger", "hold", "lift", *WHY).code == 0
    assert here.erase(reply.exchange).json == {"erased": 1}


def test_an_erasure_that_broke_off_is_finished_at_the_next_start(sealing):
    here = sealing()
    reply = ask(here.house)
    wrapped = here.slot(reply.exchange).wrapped
    here.gate.kill()
    # As an erasure leaves it that was killed after its first write.
    [table] = (here.state / "captures").glob("*.keys")
    (table.parent / "erasing").write_text(f"{reply.exchange} {table.name} 0\n")
    here.gate.start()
    assert sealed.stands_in(here.state, wrapped) == []
    assert [event["subject"] for event in here.events("erased")] == [reply.exchange]
    assert not (here.state / "captures" / "erasing").exists()
    here.gate.verify()


def test_what_was_captured_survives_a_kill(sealing):
    here = sealing()
    replies = [ask(here.house, f"number {number}") for number in range(5)]
    here.gate.kill()
    assert all(here.open(reply.exchange)["reply"] == reply.body for reply in replies)
    here.gate.start()
    later = ask(here.house)
    assert here.open(later.exchange)["reply"] == later.body
    here.gate.verify()


# A tenant's key in a vault.


def by_vault(sealing, vault, **tables):
    made = sealing()
    (made.gate.folder / "vault.token").write_text(vault.token)
    vault.put_transit("transit/tenant-a", made.tenant)
    made.tables = {
        "capture": {"tenant_key": "transit:transit/tenant-a"},
        "secrets.vault": {"address": vault.url, "token": "file:vault.token"},
    }
    made.gate.restart(made.config(**tables))
    return made


def test_a_tenants_key_may_stay_in_a_vault(sealing, vault):
    here = by_vault(sealing, vault)
    reply = ask(here.house, f"write to {EMAIL}")
    wrapped = here.slot(reply.exchange).wrapped
    assert wrapped.startswith(b"vault:v1:")
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    assert here.reveal(reply.exchange, "--json", key=auditor).json["parts"]["reply"] == json.loads(reply.body)
    assert here.erase(reply.exchange).json == {"erased": 1}
    assert sealed.stands_in(here.state, wrapped) == []
    # Without the vault nothing of the reply is released: it could not be sealed.
    here.house.openai.script(script(CONTENT.whole("unsealed")))
    vault.sealed = True
    refused = ask(here.house)
    assert refused.status == 503 and "MS-LEDGER-001" in refused.body.decode()
    assert b"unsealed" not in refused.body
    vault.sealed = False
    assert ask(here.house).status == 200
    here.gate.verify()


JSON = {"content-type": "application/json"}


def test_a_vault_that_says_something_else_opens_and_seals_nothing(sealing, vault):
    here = by_vault(sealing, vault)
    reply = ask(here.house, f"write to {EMAIL}")
    auditor = here.gate.key(owner="auditor", verb=["reveal"])
    other = base64.b64encode(os.urandom(32)).decode()
    for answer in ({"data": {"plaintext": other}}, {"data": {"plaintext": "c2hvcnQ="}}, {"data": {}}, []):
        vault.says = (200, JSON, json.dumps(answer).encode())
        shown = here.reveal(reply.exchange, key=auditor)
        assert shown.code != 0 and EMAIL not in shown.text, answer
    for answer in ({"data": {"ciphertext": ""}}, {"data": {"ciphertext": "v" * 400}}, {"data": {}}, {}):
        vault.says = (200, JSON, json.dumps(answer).encode())
        assert ask(here.house).status == 503, answer
    # A wrapped key that belongs to another exchange unwraps for none.
    vault.says = None
    assert here.reveal(reply.exchange, key=auditor).code == 0
    [table] = (here.state / "captures").glob("*.keys")
    one, two = here.slot(reply.exchange), here.slot(ask(here.house).exchange)
    table.write_bytes(with_sums(table.read_bytes().replace(one.wrapped, two.wrapped)))
    assert here.slot(reply.exchange).wrapped == two.wrapped
    shown = here.reveal(reply.exchange, key=auditor)
    assert shown.code != 0 and "(400)" in shown.text


def with_sums(table):
    """A table of keys whose checksums are right again."""
    out = b""
    for at in range(0, len(table), sealed.SLOT_BYTES):
        slot = table[at : at + sealed.SLOT_BYTES - 4]
        out += slot + sealed.crc32c(slot).to_bytes(4, "little")
    return out


def test_before_dispatch_nothing_is_sent_that_cannot_be_sealed(sealing, vault):
    here = by_vault(sealing, vault, evidence={"durability": "before-dispatch"})
    vault.sealed = True
    here.house.openai.forget()
    assert ask(here.house).status == 503
    assert here.house.openai.requests() == []


def test_an_exception_lets_exchanges_pass_unsealed_and_says_so(sealing, vault):
    open_until = {"evidence": "open", "evidence_until": "2999-01-01"}
    here = by_vault(sealing, vault, when_down=open_until)
    vault.sealed = True
    reply = ask(here.house)
    assert reply.status == 200 and here.slot(reply.exchange) is None
    closed = here.gate.leaves_of(reply.exchange)[-1]
    assert "captured" not in closed
    assert any("could not be sealed" in note["decided"] for note in closed["rooms"])


def test_a_gate_does_not_start_without_its_tenants_key(sealing, vault):
    here = by_vault(sealing, vault)
    here.gate.stop()
    vault.transit.clear()
    result = here.gate.cli("up")
    assert result.code != 0 and "tenant_key" in result.text


# Configuration.


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({}, "tenant_key"),
        ({"capture": {"tenant_key": "f" * 64}}, "never stands in the configuration"),
        ({"capture": {"tenant_key": "file:short.key"}}, "64 hexadecimal digits"),
        ({"capture": {"tenant_key": "transit:transit/a"}}, "secrets.vault"),
        ({"capture": {"tenant_key": "file:tenant.key", "part_bytes_max": 1}}, "1024"),
    ],
    ids=["none", "in-the-file", "short", "no-vault", "limit"],
)
def test_a_route_that_cannot_capture_refuses_to_load(sealing, tables, says):
    here = sealing()
    here.gate.stop()
    (here.gate.folder / "short.key").write_text("ab")
    here.tables = tables
    here.gate.file.write_text(here.config())
    result = here.gate.cli("config", "check")
    assert result.code != 0 and says in result.text, result.text


def test_a_reload_changes_the_mode_and_not_the_key(sealing):
    here = sealing("findings")
    here.openai = {"capture": "all"}
    here.gate.file.write_text(here.config())
    assert here.gate.cli("reload").code == 0
    assert "reply" in here.open(ask(here.house).exchange)
    facts = here.events("config-loaded")[-1]["facts"]
    assert facts["capture.openai"] == "all" and "capture.anthropic" not in facts
    here.gate.file.write_text(here.config(capture={"tenant_key": "env:OTHER"}))
    refused = here.gate.cli("reload", env={"OTHER": "0" * 64})
    assert refused.code != 0
