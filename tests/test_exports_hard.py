"""Exports whose sinks, files and disks misbehave: what was not taken is not
counted as delivered, credentials go nowhere else, and somebody is told."""

import json
import socket
import threading
import time

import pytest

from harness import exports, raw, tls
from harness import gate as product
from harness.disk import Disk
from harness.exports import caught_up, gapless, house_with, lines, status, table
from harness.metrics import ADMIN
from harness.paths import LONG
from harness.receivers import Collector, Elastic, Elsewhere, Receiver, Splunk, wait
from harness.servers import Nats, NatsLine

CHAT = "/v1/chat/completions"


def busy(house, count=10, text="hi"):
    request = {"model": "gpt-fake", "messages": [{"role": "user", "content": text}]}
    for _ in range(count):
        assert raw.post(house.url, CHAT, request, house.key).status == 200


@pytest.fixture
def certificates(tmp_path):
    return tls.Certificates(tmp_path / "certificates")


def failing(house, name, says, seconds=20):
    """Waits until an export says what is wrong; it has delivered nothing."""
    last = {}

    def is_so():
        last.update(status(house.gate, name))
        return says in (last["failing"] or "")

    wait(seconds, is_so, lambda: f"it is not told: {last}")
    assert last["next"] == last["delivered"] == last["set_aside"] == 0, last


@pytest.mark.parametrize("mood", ["leaves", "halves", "cuts", "talks", "deaf"])
def test_a_receiver_that_did_not_read_has_nothing(build_house, certificates, mood):
    receiver = Receiver(certificates.context(), mood)
    url = f"tls://localhost:{receiver.port}"
    sink = table(name="sys", to="syslog", url=url, authority=certificates.root)
    house = house_with(build_house, sink)
    busy(house, 3)
    says = {"talks": "no syslog", "deaf": "in time"}.get(mood, "receiver")
    failing(house, "sys", says, 30)
    if mood in ("leaves", "halves", "cuts"):
        # It depends on which end is first: many tries.
        wait(60, lambda: receiver.connections > 8, "it is not tried again")
        assert status(house.gate, "sys")["delivered"] == 0
    receiver.close()
    began = time.monotonic()
    house.gate.stop()
    assert time.monotonic() - began < 15, "a sink holds the gate"


def test_redirects_are_not_followed(build_house):
    token = product.secret("redirected-test-token", "a sink's token")
    others = {"elastic": Elastic(), "splunk": Splunk(), "otlp": Collector()}
    doors = {to: Elsewhere(other.url) for to, other in others.items()}
    house = build_house(start=False)
    house.wanted = {}
    (house.gate.folder / "sink.token").write_text(token)
    more = {"elastic": {"index": "i"}, "splunk": {}, "otlp": {}}
    tables = [
        table(name=to, to=to, url=doors[to].url, token="file:sink.token", **more[to]) for to in others
    ]
    exports.write(house, *tables)
    house.gate.start()
    busy(house, 2)
    for to in others:
        failing(house, to, "status 307")
        assert doors[to].headers and not others[to].headers
    for double in (*others.values(), *doors.values()):
        double.close()


def test_a_busy_sink_is_left_alone(build_house):
    """A double, not Elastic."""
    elastic = Elastic(moods=["later"])
    house = house_with(build_house, table(name="e", to="elastic", url=elastic.url, index="i"))
    busy(house, 2)
    failing(house, "e", "status 503")
    time.sleep(4)
    assert elastic.posts == 1, "it asked to be left alone for ten minutes"
    house.gate.restart()
    caught_up(house.gate, "e")
    elastic.close()


def test_a_wrong_index_of_splunk_sets_nothing_aside(build_house):
    """A double, not Splunk."""
    splunk = Splunk(moods=["index"] * 60)
    house = build_house(start=False)
    house.wanted = {}
    token = product.secret("hec-index-token", "a sink's token")
    (house.gate.folder / "sink.token").write_text(token)
    shared = dict(to="splunk", url=splunk.url, token="file:sink.token")
    exports.write(house, table(name="s", index="nobodys", **shared))
    house.gate.start()
    busy(house, 2)
    failing(house, "s", "configured")
    assert not (house.gate.folder / "data/exports/s.set-aside.jsonl").exists()
    splunk.moods.clear()
    caught_up(house.gate, "s", 60)
    gapless(splunk.ids, exports.size(house.gate))
    splunk.close()


def test_an_acknowledgement_is_never_one_of_another_delivery(build_house):
    """After a delivery without an answer the channel is another one: a number
    on the old one could be that of the delivery which broke off."""
    splunk = Splunk(moods=["takes", "broken", "takes", "broken", "takes"])
    house = build_house(start=False)
    house.wanted = {}
    token = product.secret("hec-channel-token", "a sink's token")
    (house.gate.folder / "sink.token").write_text(token)
    shared = dict(to="splunk", url=splunk.url, token="file:sink.token", batch_entries_max=3)
    exports.write(house, table(name="s", **shared))
    house.gate.start()
    busy(house, 10)
    wait(30, lambda: not splunk.moods, lambda: f"left: {splunk.moods}")
    caught_up(house.gate, "s")
    gapless(splunk.ids, exports.size(house.gate))
    first, second = splunk.channels[:2], splunk.channels[2:4]
    assert len(set(first)) == len(set(second)) == 1, splunk.channels
    assert len({first[0], second[0], splunk.channels[4]}) == 3
    house.gate.cli("export", "replay", "s", "--from", 0)
    assert splunk.channels[-1] not in splunk.channels[:5], "a replay has a channel of its own"
    splunk.close()


@pytest.mark.parametrize("limit", ["the stream's", "the server's"])
def test_what_jetstream_never_takes_does_not_stop_the_rest(build_house, tmp_path, limit):
    bytes_max = 1700
    by_server = limit == "the server's"
    more = [f"max_payload: {bytes_max}"] if by_server else []
    nats = Nats(tmp_path / "nats", more=more)
    line = NatsLine(nats.port)
    line.stream("EV", ["merestone.events.>"], **({} if by_server else {"max_msg_size": bytes_max}))
    url = f"nats://127.0.0.1:{nats.port}"
    house = house_with(
        build_house,
        table(name="n", to="nats", url=url),
        table(name="f", to="file", path="f.jsonl"),
    )
    busy(house, 5)
    caught_up(house.gate, "n")
    caught_up(house.gate, "f")
    aside = [one["id"] for one in lines(house.gate.folder / "data/exports/n.set-aside.jsonl")]
    every = [event["metadata"]["uid"] for event in lines(house.gate.folder / "f.jsonl")]
    assert aside and len(aside) < len(every)
    assert line.count("EV") + len(aside) == len(every)
    nats.stop()


def test_nats_credentials_go_to_no_server_that_a_server_names(build_house):
    """A double of a server that names another one and breaks off."""
    token = product.secret("nats-named-token", "a sink's token")
    named, stranger = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    heard, broken = [], []

    def serve(listener, urls, is_stranger):
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            if is_stranger:
                heard.append(line)
            info = {"server_id": "X", "version": "2.10.0", "proto": 1, "max_payload": 1 << 20}
            info |= {"headers": True, "auth_required": True, "connect_urls": urls}
            try:
                line.sendall(f"INFO {json.dumps(info)}\r\n".encode())
                while data := line.recv(65536):
                    if b"PUB " in data:
                        broken.append(data)
                        break
                    if b"PING\r\n" in data:
                        line.sendall(b"PONG\r\n")
            except OSError:
                pass
            line.close()

    urls = [f"127.0.0.1:{stranger.getsockname()[1]}"]
    for listener in (named, stranger):
        arguments = (listener, urls, listener is stranger)
        threading.Thread(target=serve, args=arguments, daemon=True).start()
    house = build_house(start=False)
    house.wanted = {}
    (house.gate.folder / "sink.token").write_text(token)
    url = f"nats://127.0.0.1:{named.getsockname()[1]}"
    exports.write(house, table(name="n", to="nats", url=url, token="file:sink.token"))
    house.gate.start()
    busy(house, 2)
    wait(40, lambda: len(broken) >= 4, "it is not tried again")
    assert not heard, "a stranger was called"
    assert status(house.gate, "n")["delivered"] == 0
    named.close()
    stranger.close()


def test_a_file_on_a_full_disk_has_whole_lines(build_house, tmp_path):
    disk = Disk(tmp_path / "disk", 2)
    try:
        path = disk.folder / "f.jsonl"
        house = house_with(build_house, table(name="f", to="file", path=path))
        busy(house, 2)
        caught_up(house.gate, "f")
        disk.fill(leave=4096)
        busy(house, 20)
        wait(20, lambda: status(house.gate, "f")["failing"], "nothing is told")
        disk.clear()
        caught_up(house.gate, "f")
        found = [event["metadata"]["uid"] for event in lines(path)]
        gapless(found, exports.size(house.gate))
        house.gate.stop()
    finally:
        disk.close()


def test_a_certificate_for_another_name_is_refused(build_house, certificates):
    context = certificates.context("other.example")
    elastic = Elastic(context=context)
    receiver = Receiver(context, "deaf")
    house = house_with(
        build_house,
        table(name="e", to="elastic", url=elastic.url, index="i", authority=certificates.root),
        table(
            name="sys",
            to="syslog",
            url=f"tls://localhost:{receiver.port}",
            authority=certificates.root,
        ),
    )
    busy(house, 2)
    for name in ("e", "sys"):
        failing(house, name, "certificate")
    assert not elastic.received
    elastic.close()
    receiver.close()


def test_sinks_that_ask_for_a_certificate(build_house, tmp_path, certificates):
    """Over HTTP and NATS; syslog stands in test_exports_servers.py."""
    context = certificates.context(callers=certificates.root)
    elastic, collector, splunk = (made(context=context) for made in (Elastic, Collector, Splunk))
    nats = Nats(tmp_path / "nats", certificates=certificates, callers=certificates.root)
    token = product.secret("hec-mutual-token", "a sink's token")
    own = {"certificate": certificates.chain, "key": certificates.key}
    trusts = {"authority": certificates.root}
    known = certificates.trusting()
    known.load_cert_chain(certificates.chain, certificates.key)
    line = NatsLine(nats.port, context=known)
    line.stream("EV", ["merestone.events.>"])
    house = build_house(start=False)
    house.wanted = {}
    (house.gate.folder / "sink.token").write_text(token)
    sinks = {
        "e": dict(to="elastic", url=elastic.url, index="i"),
        "o": dict(to="otlp", url=collector.url),
        "s": dict(to="splunk", url=splunk.url, token="file:sink.token"),
        "n": dict(to="nats", url=f"tls://localhost:{nats.port}"),
    }
    tables = [table(name=name, **sink, **trusts, **own) for name, sink in sinks.items()]
    tables += [table(name=f"{name}-without", **sink, **trusts) for name, sink in sinks.items()]
    exports.write(house, *tables)
    house.gate.start()
    busy(house, 3)
    for name in sinks:
        caught_up(house.gate, name)
        wait(20, lambda n=name: status(house.gate, f"{n}-without")["failing"], "nothing is told")
        assert status(house.gate, f"{name}-without")["delivered"] == 0
    for double in (elastic, collector, splunk):
        gapless(double.ids, exports.size(house.gate))
        double.close()
    assert line.count("EV") >= exports.size(house.gate)
    nats.stop()


def test_a_command_needs_only_what_its_destination_needs(build_house):
    sink = table(name="f", to="file", path="f.jsonl")
    house = house_with(build_house, sink)
    busy(house, 2)
    caught_up(house.gate, "f")
    house.gate.stop()
    text = house.gate.file.read_text().replace("env:FAKE_", "env:NOBODY_HAS_")
    other = table(name="o", to="otlp", url="https://siem.example", token="env:NOBODY_HAS_THIS")
    house.gate.file.write_text(text + other)
    assert house.gate.cli("config", "check").code == 1
    for words in (
        ["export", "test", "f"],
        ["export", "replay", "f", "--from", 0],
        ["export", "status"],
        ["ledger", "tail"],
        ["ledger", "verify"],
    ):
        result = house.gate.cli(*words)
        assert result.code == 0, (words, result.text)
    result = house.gate.cli("export", "test", "o")
    assert result.code == 1 and "NOBODY_HAS_THIS" in result.text


def test_a_reload_that_changes_a_sink_is_refused(build_house):
    elastic = Elastic()
    house = build_house(start=False)
    house.wanted = {}
    for name in ("one", "other"):
        text = product.secret(f"elastic-test-token-{name}", "a sink's token")
        (house.gate.folder / f"{name}.token").write_text(text)
    shared = dict(name="e", to="elastic", url=elastic.url, index="i")
    exports.write(house, table(**shared, token="file:one.token"))
    house.gate.start()
    exports.write(house, table(**shared, token="file:other.token"))
    result = house.gate.cli("reload")
    assert result.code == 1 and "export" in result.text, result.text
    elastic.close()


def test_a_damaged_cursor_hides_no_other(build_house):
    house = house_with(
        build_house,
        table(name="f", to="file", path="f.jsonl"),
        table(name="g", to="file", path="g.jsonl"),
    )
    busy(house, 2)
    caught_up(house.gate, "f")
    caught_up(house.gate, "g")
    house.gate.stop()
    path = house.gate.folder / "data/exports/f.cursor"
    whole = path.read_bytes()
    for torn in (b"", whole[:40], whole + whole, b"\x00" * len(whole)):
        path.write_bytes(torn)
        assert "damaged" in status(house.gate, "f")["failing"]
        assert status(house.gate, "g")["delivered"] > 0
    house.gate.start()
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "degraded")
    assert leaf["facts"]["export"] == "f"
    caught_up(house.gate, "g")


@pytest.mark.skipif(not LONG, reason="takes more than a minute; MERESTONE_LONG=1")
def test_an_export_that_cannot_begin_alarms(build_house):
    house = build_house(start=False)
    house.wanted = {"tables": ADMIN}
    exports.write(house, table(name="f", to="file", path="f.jsonl", lag_minutes_max=1))
    house.gate.start()
    caught_up(house.gate, "f")
    house.gate.stop()
    path = house.gate.folder / "data/exports/f.cursor"
    path.rename(path.with_suffix(".kept"))
    path.mkdir()
    house.gate.start()
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "degraded", 90)
    assert leaf["subject"] == "export" and leaf["facts"]["export"] == "f"
    path.rmdir()
    path.with_suffix(".kept").rename(path)
    house.gate.await_leaf(lambda leaf: leaf.get("act") == "recovered", 60)
    caught_up(house.gate, "f")
