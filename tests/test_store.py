"""The shared store: a real PostgreSQL server (harness/postgres.py), up, slow,
gone and back, and nodes that share it.
"""

import contextlib
import hashlib
import hmac
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import trustme

from harness import gate as gates
from harness import raw
from harness.gate import KEYS, secret
from harness.needles import fill
from harness.paths import LONG, ROOT, rng
from harness.postgres import Postgres
from harness.sockets import unused_port
from harness.streaming import CHAT, Streaming, slow_script

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
# What holds "within a second", on a machine that does other things too.
SECOND = 3
MINUTE = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that stays up."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.close()


@pytest.fixture
def shaky(tmp_path_factory):
    """A server for one test, which may freeze and stop it."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.close()


@pytest.fixture
def build_node(build_house):
    """A gate whose keys are in this database: `build_node(server, database)`."""

    def build(server, database, start=True, url=None, store=None, **wanted):
        house = build_house(start=False)
        house.gate.folder.joinpath("store.url").write_text((url or server.url(database)) + "\n")
        tables = {"store": {"url": "file:store.url", **(store or {})}}
        house.gate.file.write_text(house.config(tables=tables, **wanted))
        if start:
            house.gate.start()
        return house

    return build


def call(house, key):
    return raw.post(house.url, CHAT, HELLO, key["key"])


def refusal(reply):
    return reply.message if reply.status != 200 else ""


def await_that(holds, seconds, what):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def acts(house, act, subject="store"):
    return [
        leaf
        for leaf in house.gate.ledger()
        if leaf["type"] == "event" and leaf["act"] == act and leaf["subject"] == subject
    ]


def listed(house):
    return {key["id"]: key["state"] for key in house.gate.cli("key", "list", "--json").json["keys"]}


# The suite that every store passes.


def test_the_conformance_suite_on_a_real_server(server):
    cargo = shutil.which("cargo") or os.path.expanduser("~/.cargo/bin/cargo")
    assert os.access(cargo, os.X_OK), "cargo is needed for the suite, which is Rust"
    # The whole workspace, since it is built so already; other features would
    # be another build.
    only = ["--run-ignored", "only", "-E", "package(store)"]
    command = [cargo, "nextest", "run", "--workspace", *only]
    url = server.url(server.database())
    env = {**os.environ, "MERESTONE_TEST_POSTGRES": url, "CARGO_TERM_COLOR": "never"}
    done = subprocess.run(command, capture_output=True, env=env, cwd=ROOT, timeout=1_800)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text
    assert "postgres_conforms" in text and "1 passed" in text, text


# Keys on a server.


def test_keys_are_made_listed_and_revoked_with_and_without_a_gate(build_node, server):
    house = build_node(server, server.database(), start=False)
    early = house.gate.key("early")
    assert listed(house) == {early["id"]: "active"}
    house.gate.start()
    late = house.gate.key("late")
    assert listed(house) == {early["id"]: "active", late["id"]: "active"}
    assert call(house, early).status == 200 and call(house, late).status == 200
    house.gate.revoke(late)
    assert "MS-KNOW-004" in refusal(call(house, late))
    house.gate.stop()
    house.gate.revoke(early)
    assert listed(house) == {early["id"]: "revoked", late["id"]: "revoked"}
    house.gate.start()
    assert "MS-KNOW-004" in refusal(call(house, early))
    done = [leaf["act"] for leaf in house.gate.ledger() if leaf["type"] == "event"]
    assert done.count("key-created") == 2 and done.count("key-revoked") == 2
    # The key itself is nowhere on the server either.
    assert not (house.gate.folder / "data" / "keys.db").exists()
    dump = subprocess.run(
        ["grep", "-rlaF", early["key"].removeprefix("mst_"), str(server.data)], capture_output=True
    )
    assert dump.returncode == 1 and dump.stdout == b""


def test_what_one_node_makes_and_revokes_holds_on_the_other(build_node, server):
    database = server.database()
    one, other = build_node(server, database), build_node(server, database)
    key = one.gate.key("shared")
    await_that(lambda: call(other, key).status == 200, SECOND, "the key holds on the other node")
    assert listed(one) == listed(other) == {key["id"]: "active"}
    other.openai.script(slow_script())
    stream = Streaming(other.url, key["key"]).await_words()
    started = time.monotonic()
    one.gate.revoke(key)
    stream.await_end(SECOND)
    assert stream.ended_at - started < SECOND
    assert not stream.ended_cleanly and b"MS-KNOW-004" in stream.data
    assert "MS-KNOW-004" in refusal(call(other, key))
    leaf = other.gate.await_leaf(
        lambda leaf: leaf["type"] == "closed" and leaf["exchange"] == stream.exchange
    )
    assert leaf["code"] == "MS-KNOW-004" and leaf["outcome"] != "complete"


def test_a_key_changed_while_no_gate_runs_holds_on_the_other_node(build_node, server):
    database = server.database()
    running, still = build_node(server, database), build_node(server, database, start=False)
    key = still.gate.key("by a command")
    await_that(lambda: call(running, key).status == 200, SECOND, "the key holds")
    still.gate.revoke(key)
    await_that(lambda: "MS-KNOW-004" in refusal(call(running, key)), SECOND, "it is revoked")


def test_a_key_made_by_another_falls_with_it_on_every_node(build_node, server, monkeypatch):
    database = server.database()
    one, other = build_node(server, database), build_node(server, database)
    words = ["key", "create", "--owner", "a", "--verb", "admin", "--verb", "infer", "--json"]
    maker = one.gate.cli(*words, secret=True).json
    KEYS.add(maker["key"])
    monkeypatch.setitem(gates.ENV, "MAKER_KEY", maker["key"])
    words = ["key", "create", "--owner", "b", "--verb", "infer", "--made-by-env", "MAKER_KEY"]
    child = one.gate.cli(*words, "--json", secret=True).json
    KEYS.add(child["key"])
    await_that(lambda: call(other, child).status == 200, SECOND, "the child holds")
    other.gate.revoke(maker)
    assert "MS-KNOW-004" in refusal(call(other, child))
    await_that(lambda: "MS-KNOW-004" in refusal(call(one, child)), SECOND, "it fell on both")


def test_two_nodes_may_start_at_once_on_an_empty_database(build_node, server):
    database = server.database()
    houses = [build_node(server, database, start=False) for _ in range(3)]
    over = threading.Event()

    def start(house):
        house.gate.start()
        # A child of a thread ends with the thread.
        over.wait(60)

    threads = [threading.Thread(target=start, args=(house,), daemon=True) for house in houses]
    for thread in threads:
        thread.start()
    try:
        _all_started(server, database, houses)
    finally:
        for house in houses:
            if house.gate.process is not None and house.gate.process.popen.poll() is None:
                house.gate.stop()
        over.set()


def _all_started(server, database, houses):
    await_that(lambda: all(house.url for house in houses), 60, "they start")
    key = houses[0].gate.key()
    for house in houses:
        await_that(lambda: call(house, key).status == 200, SECOND, "it holds on each")
        assert acts(house, "degraded") == []
        assert "out of reach" not in house.gate.process.stderr_path.read_text()
    steps = server.sql("SELECT step FROM schema_step ORDER BY step", database)
    assert [int(step) for (step,) in steps] == list(range(1, len(steps) + 1))


def test_a_first_start_knows_its_vendors_keys(build_node, server):
    """An empty database gets its tables before anything is asked of them."""
    house = build_node(server, server.database())
    assert {leaf["subject"] for leaf in house.gate.ledger() if leaf.get("act") == "vendor-key-seen"} == {
        "openai",
        "anthropic",
    }
    assert house.gate.process.stderr_path.read_text().count("not known") == 0


# Schemas.


@pytest.mark.parametrize("before", ["never started", "started before"])
def test_a_newer_schema_is_refused(build_node, server, before):
    """Also by a node that has a table of keys from before: the store is not
    down, this binary is too old for it."""
    database = server.database()
    house = build_node(server, database, start=False)
    if before == "started before":
        house.gate.start()
        house.gate.key()
        house.gate.stop()
        assert (house.gate.folder / "data" / "keys.snapshot").exists()
    else:
        # The tables are there, and this node has no table of keys.
        build_node(server, database).gate.stop()
    server.sql("INSERT INTO schema_step (step) VALUES (99)", database)
    for command in (("up",), ("key", "list"), ("key", "create", "--owner", "x")):
        result = house.gate.cli(*command, seconds=30, secret=command[0] == "key")
        assert result.code != 0 and "is ready" not in result.text, command
        assert "newer merestone" in result.text and "99" in result.text, (command, result.text)


# What is not told.


def _refused(house, *words):
    password = [word for word in words if word.startswith("!")]
    for command in (("up",), ("key", "list")):
        result = house.gate.cli(*command, seconds=60)
        assert result.code != 0 and "is ready" not in result.text, command
        assert "panicked" not in result.text
        for word in password:
            assert word[1:] not in result.text
    return result


def made_up(name):
    return secret(fill("{alnum:24}", rng("store", name)), "a password of the store")


def test_a_wrong_password_is_no_word_of_the_error(build_node, server):
    password = made_up("wrong")
    database = server.database()
    house = build_node(server, database, start=False, url=server.url(database, password=password))
    result = _refused(house, "!" + password)
    assert "store" in result.text


URLS = {
    "no URL": "postgres//gate:{password}@127.0.0.1/gate",
    "no port": "postgres://gate:{password}@127.0.0.1:port/gate",
    "another scheme": "mysql://gate:{password}@127.0.0.1/gate",
    "an unknown setting": "postgres://gate:{password}@127.0.0.1/gate?what=ever",
    "nobody there": "postgres://gate:{password}@127.0.0.1:{port}/gate",
    "another database": "postgres://gate:{password}@127.0.0.1:{port}/nowhere",
}


@pytest.mark.parametrize("name", URLS)
def test_a_url_that_leads_nowhere_is_refused_without_its_password(build_node, server, name):
    password = made_up(name)
    if name == "another database":
        password, port = server.password, server.port
    else:
        port = unused_port().rsplit(":", 1)[1]
    url = URLS[name].format(password=password, port=port)
    house = build_node(server, None, start=False, url=url)
    _refused(house, "!" + password)


def test_another_store_takes_a_restart(build_node, server):
    house = build_node(server, server.database())
    house.gate.folder.joinpath("store.url").write_text(server.url(server.database()))
    result = house.gate.cli("reload")
    assert result.code != 0 and "`store`" in result.text and "restart" in result.text


def test_tls_to_the_server_is_checked(build_node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("postgres")
    ours, theirs = trustme.CA(), trustme.CA()
    certificate = ours.issue_cert("127.0.0.1", "localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / "server.pem")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    server = Postgres(folder, (folder / "server.pem", folder / "server.key"))
    try:
        database = server.database()
        url = server.url(database, host="localhost", query="?sslmode=require")
        for authority, trusted in [(theirs, False), (ours, True)]:
            house = build_node(server, None, start=False, url=url, store={"authority": "ca.pem"})
            authority.cert_pem.write_to_path(house.gate.folder / "ca.pem")
            if not trusted:
                _refused(house)
                assert server.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'virtual_key'", database) == [["0"]]
                continue
            house.gate.start()
            assert call(house, house.gate.key()).status == 200
            rows = server.sql(
                "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
                " WHERE a.application_name = 'merestone' AND s.ssl AND s.version = 'TLSv1.3'"
            )
            assert rows == [["1"]]
    finally:
        server.close()


# The server is down.


def _freeze(server):
    server.freeze()
    return server.thaw


def _stop(server):
    server.stop()
    return server.start


DOWN = {"hangs": _freeze, "is stopped": _stop}


@pytest.mark.parametrize("how", DOWN)
def test_calls_go_on_with_the_last_keys_while_the_server(build_node, shaky, how):
    house = build_node(shaky, shaky.database())
    good, bad = house.gate.key("good"), house.gate.key("bad")
    house.gate.revoke(bad)
    bring_back = DOWN[how](shaky)
    try:
        for _ in range(3):
            started = time.monotonic()
            assert call(house, good).status == 200
            assert "MS-KNOW-004" in refusal(call(house, bad))
            assert time.monotonic() - started < SECOND, "no call waits for the store"
        await_that(lambda: acts(house, "degraded"), 20, "it is told that the store is down")
        assert call(house, good).status == 200
        # Several looks later it was told once.
        time.sleep(2)
        assert len(acts(house, "degraded")) == 1 and acts(house, "recovered") == []
        assert "the store is out of reach" in house.gate.process.stderr_path.read_text()
        result = house.gate.cli("key", "create", "--owner", "x", secret=True)
        assert result.code != 0 and "store" in result.text
    finally:
        bring_back()
    await_that(lambda: acts(house, "recovered"), 20, "it is told that it is back")
    assert len(acts(house, "degraded")) == 1 and len(acts(house, "recovered")) == 1
    assert call(house, house.gate.key("new")).status == 200
    house.gate.verify()


class Wire:
    """A line to the server that can be cut, and healed, for one node only."""

    def __init__(self, port):
        self._port, self._whole, self._lines = port, True, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._port), timeout=None)
                self._lines += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pipe, args=pair, daemon=True).start()

    @staticmethod
    def _pipe(source, sink):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
        for line in (source, sink):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self._whole = False
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def heal(self):
        self._whole = True

    def close(self):
        self.cut()
        self._listener.close()


def test_a_revocation_while_cut_off_holds_when_back(build_node, server):
    database = server.database()
    wire = Wire(server.port)
    try:
        there = build_node(server, database)
        url = server.url(database).replace(f":{server.port}/", f":{wire.port}/")
        here = build_node(server, database, url=url)
        key = there.gate.key("shared")
        await_that(lambda: call(here, key).status == 200, SECOND, "the key holds")
        here.openai.script(slow_script())
        stream = Streaming(here.url, key["key"]).await_words()
        wire.cut()
        there.gate.revoke(key)
        await_that(lambda: acts(here, "degraded"), 20, "it is told that the store is down")
        here.openai.unscript()
        assert call(here, key).status == 200, "the last keys count, as the table says"
        assert stream.running
        wire.heal()
        await_that(lambda: "MS-KNOW-004" in refusal(call(here, key)), 10, "it is revoked")
        stream.await_end(SECOND)
        assert b"MS-KNOW-004" in stream.data
        await_that(lambda: acts(here, "recovered"), 10, "it is told that it is back")
    finally:
        wire.close()


SWITCHES = {
    "by command": lambda gate: gate.cli("switch", "off", "all", "--reason", "store down"),
    "by file": lambda gate: (gate.folder / "data" / "switches").write_text("off all: store down\n"),
}


@pytest.mark.parametrize("how", DOWN)
@pytest.mark.parametrize("switch", SWITCHES)
def test_the_kill_switch_holds_within_a_second_while_the_server(build_node, shaky, how, switch):
    house = build_node(shaky, shaky.database())
    key = house.gate.key()
    house.openai.script(slow_script())
    stream = Streaming(house.url, key["key"]).await_words()
    bring_back = DOWN[how](shaky)
    try:
        # Whatever looks at the store hangs in that look.
        time.sleep(1)
        started = time.monotonic()
        SWITCHES[switch](house.gate)
        stream.await_end(SECOND)
        assert stream.ended_at - started < SECOND
        assert not stream.ended_cleanly and b"MS-KILL-001" in stream.data
        assert "MS-KILL-001" in refusal(call(house, key))
        (told,) = acts(house, "switched-off", "all")
        assert int(told["facts"]["took_us"]) < 1_000_000 and told["facts"]["ended"] == "1"
        result = house.gate.cli("switch", "on", "all", "--reason", "seen to it")
        assert result.code == 0, result.text
        house.openai.unscript()
        assert call(house, key).status == 200
    finally:
        bring_back()


def test_the_kill_switch_needs_no_store_while_no_gate_runs(build_node, shaky):
    house = build_node(shaky, shaky.database())
    key = house.gate.key()
    house.gate.stop()
    shaky.stop()
    try:
        result = house.gate.cli("switch", "off", "all", "--reason", "before the start")
        assert result.code == 0, result.text
        house.gate.start()
        assert "MS-KILL-001" in refusal(call(house, key))
    finally:
        shaky.start()


# A start while it is down.


def _snapshot(house):
    return house.gate.folder / "data" / "keys.snapshot"


def _seal(house, text):
    """The mark of this node under a table of keys, made with its own key."""
    key = (house.gate.folder / "data" / "secrets" / "commitments.key").read_bytes()
    nobody, field = b"mx-" + b"0" * 32, b"keys-snapshot"
    own = hmac.digest(key, b"merestone record v1" + nobody, hashlib.sha256)
    return hmac.digest(own, len(field).to_bytes(8, "big") + field + text, hashlib.sha256).hex()


@pytest.fixture
def stopped_node(build_node, shaky):
    """A node with a key and a table from before, stopped; so is the server."""
    house = build_node(shaky, shaky.database())
    key, gone = house.gate.key("kept"), house.gate.key("gone")
    house.gate.revoke(gone)
    house.gate.stop()
    shaky.stop()
    yield house, key, gone
    if house.gate.process.popen.poll() is None:
        house.gate.stop()


def test_a_start_while_the_server_is_down_goes_by_the_last_table(stopped_node, shaky):
    house, key, gone = stopped_node
    assert _snapshot(house).stat().st_mode & 0o077 == 0
    house.gate.start()
    assert call(house, key).status == 200
    assert "MS-KNOW-004" in refusal(call(house, gone))
    assert len(acts(house, "degraded")) == 1
    shaky.start()
    await_that(lambda: acts(house, "recovered"), 20, "it is back")
    assert call(house, house.gate.key("new")).status == 200


def test_a_start_while_the_server_is_down_without_a_table_is_refused(stopped_node):
    house, *_ = stopped_node
    _snapshot(house).unlink()
    result = house.gate.cli("up", seconds=60)
    assert result.code != 0 and "is ready" not in result.text
    assert "store" in result.text and "out of reach" in result.text, result.text
    house.gate.verify()


def _of_text(change):
    def tamper(house):
        mark, text = _snapshot(house).read_bytes().split(b"\n", 1)
        _snapshot(house).write_bytes(mark + b"\n" + change(text))

    return tamper


def _another_nodes(house):
    _, text = _snapshot(house).read_bytes().split(b"\n", 1)
    own = house.gate.folder / "data" / "secrets" / "commitments.key"
    kept = own.read_bytes()
    own.write_bytes(bytes(32))
    mark = _seal(house, text).encode()
    own.write_bytes(kept)
    _snapshot(house).write_bytes(mark + b"\n" + text)


def _unrevoked(text):
    as_of, keys = json.loads(text)
    for key in keys:
        key["revoked_ms"] = None
    return json.dumps([as_of, keys]).encode()


def _unmarked(house):
    _, text = _snapshot(house).read_bytes().split(b"\n", 1)
    _snapshot(house).write_bytes(b"\n" + text)


TAMPERED = {
    "a revocation taken out": _of_text(_unrevoked),
    "a younger date": _of_text(lambda text: b"[9" + text[1:]),
    "one byte more": _of_text(lambda text: text + b" "),
    "half of it": _of_text(lambda text: text[: len(text) // 2]),
    "another node's": _another_nodes,
    "nothing": lambda house: _snapshot(house).write_bytes(b""),
    "no mark": _unmarked,
}


def test_a_table_that_was_tampered_with_is_refused(stopped_node):
    """One node for all of them: a start that is refused changes nothing."""
    house, key, _ = stopped_node
    kept = _snapshot(house).read_bytes()
    for how, tamper in TAMPERED.items():
        tamper(house)
        assert _snapshot(house).read_bytes() != kept
        result = house.gate.cli("up", seconds=60)
        assert result.code != 0 and "is ready" not in result.text, how
        assert "not written by this node" in result.text, (how, result.text)
        _snapshot(house).write_bytes(kept)
    house.gate.start()
    assert call(house, key).status == 200, "the table as it was is good"


@pytest.mark.parametrize("minutes", [13, 16])
def test_a_table_counts_for_a_quarter_of_an_hour(stopped_node, shaky, minutes):
    """The node's own table, dated back under its own mark."""
    house, key, _ = stopped_node
    mark, text = _snapshot(house).read_bytes().split(b"\n", 1)
    assert _seal(house, text).encode() == mark, "the test seals as the node does"
    as_of, keys = json.loads(text)
    text = json.dumps([as_of - minutes * MINUTE, keys]).encode()
    _snapshot(house).write_bytes(_seal(house, text).encode() + b"\n" + text)
    house.gate.start()
    reply = call(house, key)
    if minutes < 15:
        assert reply.status == 200
        return
    assert reply.status == 503 and "MS-KNOW-008" in reply.message
    assert house.openai.requests() == []
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("code") == "MS-KNOW-008")
    assert leaf["type"] in ("refused", "refused-summary")
    # It opens by itself when the server is back.
    shaky.start()
    await_that(lambda: call(house, key).status == 200, 20, "it is open again")


def keys_count_no_longer_than_the_configuration_says(build_node, shaky):
    house = build_node(shaky, shaky.database(), store={"keys_minutes_max": 1})
    key = house.gate.key()
    shaky.freeze()
    started = time.monotonic()
    try:
        while time.monotonic() - started < 50:
            assert call(house, key).status == 200
            time.sleep(1)
        await_that(lambda: "MS-KNOW-008" in refusal(call(house, key)), 25, "it is closed")
    finally:
        shaky.thaw()
    await_that(lambda: call(house, key).status == 200, 20, "it is open again")


if LONG:
    # It takes more than a minute.
    test_keys_count_no_longer_than_the_configuration_says = (
        keys_count_no_longer_than_the_configuration_says
    )
