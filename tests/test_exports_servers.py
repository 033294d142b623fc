"""Exports to real servers: Debian's rsyslog over TLS, and nats-server with
JetStream (apt rsyslog, rsyslog-gnutls, nats-server)."""

import base64
import json
import re

import pytest

from harness import exports, raw, tls
from harness import gate as product
from harness.exports import caught_up, gapless, house_with, lines, status, table
from harness.receivers import wait
from harness.servers import Nats, NatsLine, Rsyslog

CHAT = "/v1/chat/completions"


def busy(house, count=10):
    for _ in range(count):
        request = {"model": "gpt-fake", "messages": [{"role": "user", "content": "hi"}]}
        assert raw.post(house.url, CHAT, request, house.key).status == 200


@pytest.fixture
def certificates(tmp_path):
    return tls.Certificates(tmp_path / "certificates")


@pytest.fixture
def rsyslog(tmp_path, certificates):
    made = Rsyslog(tmp_path / "rsyslog", certificates)
    yield made
    if made.process.popen.poll() is None:
        made.stop()


def syslog_table(rsyslog, certificates, **more):
    url = f"tls://localhost:{rsyslog.port}"
    return table(name="sys", to="syslog", url=url, authority=certificates.root, **more)


def ids(messages):
    found = [re.search(r'\[merestone@32473 id="([^"]+)"', m["structured-data"]) for m in messages]
    assert all(found), "a message without its name"
    return [match[1] for match in found]


def test_rsyslog_parses_every_message(build_house, rsyslog, certificates):
    house = house_with(build_house, syslog_table(rsyslog, certificates), gate={"node": "gate-7"})
    busy(house, 5)
    caught_up(house.gate, "sys")
    count = exports.size(house.gate)
    wait(10, lambda: len(exports.sequences(ids(rsyslog.messages))) >= count, "messages are missing")
    messages = rsyslog.messages
    gapless(ids(messages), count)
    for message in messages:
        assert message["app-name"] == "merestone" and message["hostname"] == "gate-7"
        event = json.loads(message["msg"].strip())
        assert event["metadata"]["uid"] in message["structured-data"]
        assert not exports.faults(event)
        assert message["msgid"] in {
            "api-activity", "detection-finding", "authentication",
            "compliance-finding", "incident-finding",
        }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\S+", messages[0]["timereported"])


def test_rsyslog_that_comes_and_goes(build_house, rsyslog, certificates):
    sink = syslog_table(rsyslog, certificates, batch_entries_max=5, format="cef")
    house = house_with(build_house, sink)
    busy(house, 5)
    rsyslog.stop()
    busy(house, 10)
    house.gate.kill()
    house.gate.start()
    wait(20, lambda: status(house.gate, "sys")["failing"], "nothing is told")
    rsyslog.start()
    busy(house, 5)
    caught_up(house.gate, "sys", 60)
    count = exports.size(house.gate)
    wait(10, lambda: len(exports.sequences(ids(rsyslog.messages))) >= count, "messages are missing")
    gapless(ids(rsyslog.messages), count)
    assert all(m["msg"].strip().startswith("CEF:0|") for m in rsyslog.messages)


def test_a_receiver_that_does_not_prove_its_name_gets_nothing(build_house, rsyslog, tmp_path):
    others = tls.Certificates(tmp_path / "others")
    house = house_with(build_house, syslog_table(rsyslog, others))
    busy(house, 2)
    told = wait(20, lambda: status(house.gate, "sys")["failing"], "nothing is told")
    assert "certificate" in told
    assert rsyslog.messages == [] and status(house.gate, "sys")["next"] == 0


def test_a_receiver_that_asks_for_a_certificate(build_house, tmp_path, certificates):
    rsyslog = Rsyslog(tmp_path / "rsyslog", certificates, callers=True)
    own = {"certificate": certificates.chain, "key": certificates.key}
    house = house_with(build_house, syslog_table(rsyslog, certificates, **own))
    busy(house, 2)
    caught_up(house.gate, "sys")
    wait(10, lambda: rsyslog.messages, "nothing came")
    rsyslog.stop()


def nats_table(nats, scheme="nats", host="127.0.0.1", **more):
    return table(name="n", to="nats", url=f"{scheme}://{host}:{nats.port}", **more)


def nats_ids(line, name="EV"):
    found = []
    for number in range(1, line.count(name) + 1):
        message = line.message(name, number)
        headers = base64.b64decode(message["hdrs"]).decode()
        event = json.loads(base64.b64decode(message["data"]))
        assert f"Nats-Msg-Id: {event['metadata']['uid']}\r\n" in headers
        assert message["subject"].startswith("merestone.events.")
        found.append(event["metadata"]["uid"])
    return found


def test_jetstream_has_each_event_once(build_house, tmp_path):
    token = product.secret("nats-test-token", "a sink's token")
    nats = Nats(tmp_path / "nats", token=token)
    house = build_house(start=False)
    house.wanted = {}
    (house.gate.folder / "sink.token").write_text(token)
    exports.write(house, nats_table(nats, token="file:sink.token", batch_entries_max=5))
    house.gate.start()
    busy(house, 3)
    wait(20, lambda: "no stream" in (status(house.gate, "n")["failing"] or ""), "nothing is told")
    line = NatsLine(nats.port, token=token)
    line.stream("EV", ["merestone.events.>"])
    caught_up(house.gate, "n", 60)
    nats.kill()
    busy(house, 5)
    house.gate.kill()
    nats.start()
    house.gate.start()
    caught_up(house.gate, "n", 60)
    house.gate.cli("export", "replay", "n", "--from", 0)
    line = NatsLine(nats.port, token=token)
    found = nats_ids(line)
    gapless(found, exports.size(house.gate))
    assert len(found) == len(set(found)), "the window of the stream knows those that come twice"
    nats.stop()


def test_nats_over_tls(build_house, tmp_path, certificates):
    nats = Nats(tmp_path / "nats", certificates=certificates)
    line = NatsLine(nats.port, context=certificates.trusting())
    line.stream("EV", ["merestone.events.>"])
    sink = nats_table(nats, scheme="tls", host="localhost", authority=certificates.root)
    house = house_with(build_house, sink)
    busy(house, 2)
    caught_up(house.gate, "n")
    gapless(nats_ids(NatsLine(nats.port, context=certificates.trusting())), exports.size(house.gate))
    nats.stop()


def test_several_sinks_each_at_its_own_pace(build_house, rsyslog, certificates):
    rsyslog.stop()
    house = house_with(
        build_house,
        syslog_table(rsyslog, certificates),
        table(name="f", to="file", path="f.jsonl", format="record"),
    )
    busy(house, 5)
    told = caught_up(house.gate, "f")
    assert told["lag_entries"] == 0 and status(house.gate, "sys")["next"] == 0
    records = lines(house.gate.folder / "f.jsonl")
    leaves = house.gate.ledger()
    assert records[-1]["record"] in leaves
    rsyslog.start()
    caught_up(house.gate, "sys", 60)
