"""The command line: what it writes, and that every admin act is in the ledger."""

import json
import re
import subprocess

from harness import raw
from harness.gate import ENV
from harness.paths import MERESTONE

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_init_writes_a_file_that_settles(tmp_path):
    run = lambda *words: subprocess.run(
        [MERESTONE, *words],
        capture_output=True,
        env={**ENV, "OPENAI_API_KEY": "no-real-key", "ANTHROPIC_API_KEY": "no-real-key"},
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    made = run("init", "--dir", str(tmp_path / "new"))
    assert made.returncode == 0, made.stderr
    file = tmp_path / "new" / "merestone.toml"
    assert sum(line.startswith("#") for line in file.read_text().splitlines()) > 5, "commented"
    checked = run("config", "check", "--config", str(file))
    assert checked.returncode == 0, checked.stderr
    assert re.search(rb"can be used: 2 vendors, \d+ detectors, screening: enforce", checked.stdout)
    again = run("init", "--dir", str(tmp_path / "new"))
    assert again.returncode != 0, "an existing file is not overwritten"


def test_keys_are_shown_once(build_house):
    house = build_house()
    made = house.gate.key(
        owner="Ada Lovelace", vendors=["openai"], models=["gpt-*"], expires_in="90d"
    )
    assert re.fullmatch(r"mst_\S{40,}", made["key"]) and re.fullmatch(
        r"mk-[0-9a-f]{12}", made["id"]
    )
    listed = house.gate.cli("key", "list", "--json")
    assert made["id"] in listed.stdout and made["key"] not in listed.text
    assert made["key"][4:30] not in listed.text
    house.gate.revoke(made)
    assert house.gate.cli("key", "revoke", "mk-000000000000").code != 0


def test_keys_made_while_the_gate_is_down_work(build_house):
    house = build_house(start=False)
    made = house.gate.key()
    house.gate.start()
    assert raw.post(house.url, "/v1/chat/completions", BODY, made["key"]).status == 200


def test_every_admin_act_is_an_event(build_house):
    house = build_house()
    made = house.gate.key(owner="Grace Hopper")
    house.gate.revoke(made)
    house.gate.stop()
    leaves = house.gate.ledger()
    acts = [leaf["act"] for leaf in leaves if leaf["type"] == "event"]
    for act in (
        "config-loaded",
        "canary-shown",
        "gate-ready",
        "key-created",
        "key-revoked",
        "gate-stopped",
    ):
        assert act in acts, acts
    assert acts.index("canary-shown") < acts.index("gate-ready"), "canaries come before ready"
    canaries = [leaf["subject"] for leaf in leaves if leaf.get("act") == "canary-shown"]
    assert {"screening", "redaction", "sanitising", "leakage"} <= set(canaries)
    assert "Hopper" not in json.dumps(leaves), "owners stand as commitments"


def test_show_tells_what_each_room_decided(build_house):
    house = build_house()
    reply = raw.post(house.url, "/v1/chat/completions", BODY, house.key)
    house.gate.await_leaf(lambda leaf: leaf["type"] == "closed")
    told = house.gate.cli("ledger", "show", reply.exchange)
    assert told.code == 0
    for room in ("arrived", "known", "admitted", "screened", "answering", "closed"):
        assert room in told.stdout.lower()
    assert reply.exchange in json.dumps(
        house.gate.cli("ledger", "show", reply.exchange, "--json").json
    )
    assert house.gate.cli("ledger", "show", "mx-" + "0" * 32).code != 0


def test_verify_finds_a_changed_byte(build_house):
    house = build_house()
    assert raw.post(house.url, "/v1/chat/completions", BODY, house.key).status == 200
    house.gate.stop()
    house.gate.verify()
    state = house.gate.folder / "data"
    changed = 0
    for path in sorted(path for path in state.rglob("*") if path.is_file()):
        data = path.read_bytes()
        at = data.find(b'"admitted"')
        if at < 0 or path.suffix in (".db", ".sqlite"):
            continue
        path.write_bytes(data[: at + 1] + b"A" + data[at + 2 :])
        changed += 1
    assert changed, "the record's text is found in the log"
    result = house.gate.cli("ledger", "verify")
    assert result.code != 0, result.text


def test_refusals_are_explained():
    explain = lambda *words: subprocess.run(
        [MERESTONE, "config", "explain", *words], capture_output=True, env=ENV, timeout=30
    )
    one, all_ = explain("MS-ADMIT-003"), explain("refusals")
    assert one.returncode == all_.returncode == 0
    assert one.stdout.startswith(b"MS-ADMIT-003 (HTTP 400): ") and one.stdout in all_.stdout
    assert len(all_.stdout.splitlines()) > 30
    assert explain("no-such-thing").returncode != 0


def test_a_cause_is_told_once(build_house):
    house = build_house(start=False)
    house.gate.key()
    state = house.gate.folder / "data"
    for path in state.glob("keys.db*"):
        path.write_bytes(b"this is something else. " * 100)
    result = house.gate.cli("key", "list")
    assert result.code != 0 and result.text.count("not a database") == 1, result.text
    for path in (state / "ledger").glob("*.seg"):
        path.write_bytes(b"this is something else. " * 100)
    result = house.gate.cli("up", seconds=20)
    assert result.code != 0 and result.text.count("is not a segment") == 1, result.text


def test_unknown_words_are_told_what_to_write(tmp_path):
    done = subprocess.run(
        [MERESTONE, "keys", "list"],
        capture_output=True,
        env=ENV,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0 and b"key" in done.stderr
