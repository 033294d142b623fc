"""Exports: cursors over the ledger. Whatever becomes of sinks and gates, no
event is missing, and one that comes twice has the same name."""

import json
import ssl
import time

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from harness import exports, needles, raw, tls
from harness import gate as product
from harness.exports import caught_up, gapless, house_with, lines, status, table
from harness.metrics import ADMIN, Metrics
from harness.paths import LONG
from harness.receivers import Collector, Elastic, Splunk, attributes, wait

CHAT = "/v1/chat/completions"
CLASSES = {6003, 2004, 3002, 2003, 2005}


def say(house, text="hi", key=None):
    request = {"model": "gpt-fake", "messages": [{"role": "user", "content": text}]}
    return raw.post(house.url, CHAT, request, key or house.key)


def busy(house, count=10):
    for _ in range(count):
        say(house)


def token(house, text="hec-test-token"):
    """A file with a sink's credential, which must be seen nowhere."""
    (house.gate.folder / "sink.token").write_text(product.secret(text, "a sink's token"))


def test_events_of_every_class_are_valid_ocsf(build_house):
    house = house_with(
        build_house,
        table(name="all", to="file", path="all.jsonl"),
        modes={"leakage": {"mode": "shadow", "until": "2099-01-31"}},
    )
    busy(house, 2)
    say(house, f"my card is {needles.ALL['card'].text}")
    say(house, key="mst_nobody")
    key = house.gate.key("other")
    house.gate.revoke(key)
    say(house, key=key["key"])
    for word in ("off", "on"):
        house.gate.cli("switch", word, "all", "--reason", "a drill")
    house.gate.await_leaf(lambda leaf: leaf["type"] == "refused-summary")
    house.gate.kill()
    house.gate.start()
    caught_up(house.gate, "all")
    events = lines(house.gate.folder / "all.jsonl")
    wrong = {event["metadata"]["uid"]: exports.faults(event) for event in events}
    assert not {uid: found for uid, found in wrong.items() if found}
    assert {event["class_uid"] for event in events} == CLASSES
    ids = [event["metadata"]["uid"] for event in events]
    assert len(set(ids)) == len(ids)
    gapless(ids, exports.size(house.gate))
    calls = [e for e in events if e["unmapped"]["merestone"].get("outcome") == "complete"]
    assert calls and all(call["ai_model"]["ai_provider"] == "openai" for call in calls)
    assert all(call["message_context"]["total_tokens"] > 0 for call in calls)
    text = json.dumps(events)
    assert needles.ALL["card"].text not in text


def test_the_schema_finds_what_is_wrong(build_house):
    """The negative control of the test above."""
    house = house_with(build_house, table(name="all", to="file", path="all.jsonl"))
    busy(house, 1)
    caught_up(house.gate, "all")
    event = next(e for e in lines(house.gate.folder / "all.jsonl") if "ai_model" in e)
    for broken in (
        {**event, "activity_id": 77},
        {**event, "surprise": 1},
        {name: value for name, value in event.items() if name != "src_endpoint"},
        {**event, "metadata": {**event["metadata"], "profiles": []}},
    ):
        assert exports.faults(broken)


def test_a_file_survives_kills_rotation_and_a_torn_line(build_house):
    house = house_with(build_house, table(name="f", to="file", path="f.jsonl", batch_entries_max=7))
    path, found = house.gate.folder / "f.jsonl", []
    for turn in range(3):
        busy(house, 15)
        house.gate.kill()
        if turn == 0:
            # As a crash in the middle of a write leaves it.
            with open(path, "ab") as file:
                file.write(b'{"torn":')
        if turn == 1:
            found += lines(path)
            path.rename(path.with_suffix(".1"))
        house.gate.start()
    caught_up(house.gate, "f")
    found += lines(path)
    gapless([event["metadata"]["uid"] for event in found], exports.size(house.gate))
    same = {}
    for event in found:
        assert same.setdefault(event["metadata"]["uid"], event) == event


def test_splunk_that_acknowledges_late_partly_and_twice(build_house):
    """A double, not Splunk."""
    splunk = Splunk(moods=["late", "twice", "busy", "broken", "odd", "late"])
    house = build_house(start=False)
    house.wanted = {"tables": ADMIN}
    token(house)
    sink = table(name="s", to="splunk", url=splunk.url, token="file:sink.token", batch_entries_max=4)
    exports.write(house, sink)
    house.gate.start()
    busy(house, 12)
    wait(60, lambda: not splunk.moods, lambda: f"left: {splunk.moods}")
    told = caught_up(house.gate, "s", 60)
    aside = lines(house.gate.folder / "data/exports/s.set-aside.jsonl")
    assert told["set_aside"] == len(aside) == 1
    gapless([*splunk.ids, *(one["id"] for one in aside)], exports.size(house.gate))
    assert len(splunk.ids) > len(set(splunk.ids)), "the double took some twice"
    assert house.gate.cli("config", "show", "--json").json["export"]["s"]["to"] == "splunk"
    sent = {head["authorization"] for head in map(_lower, splunk.headers)}
    assert sent == {"Splunk hec-test-token"}
    metrics = Metrics(house.gate)
    assert metrics("export_lag_entries", export="s") == 0
    assert metrics("export_set_aside_total", export="s") == 1
    assert metrics("export_failures_total", export="s") >= 2
    assert metrics("export_delivered_total", export="s") == told["delivered"]
    splunk.close()


def _lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def test_splunk_without_acknowledgement_is_not_taken_for_delivered(build_house):
    splunk = Splunk(moods=["elsewhere"] * 9)
    house = build_house(start=False)
    house.wanted = {}
    token(house)
    exports.write(house, table(name="s", to="splunk", url=splunk.url, token="file:sink.token"))
    house.gate.start()
    busy(house, 2)
    wait(20, lambda: splunk.received, "nothing came")
    time.sleep(2)
    assert status(house.gate, "s")["next"] == 0
    splunk.close()


def test_elastic_that_takes_a_part(build_house):
    """A double, not Elastic."""
    moods = ["partly", "busy", "broken", "takes", "takes", "refuses", "large", "partly"]
    elastic = Elastic(moods=moods)
    sink = table(name="e", to="elastic", url=elastic.url, index="ai-gate", batch_entries_max=5)
    elastic.hold = True
    house = house_with(build_house, sink)
    busy(house, 15)
    # From here on batches are full.
    elastic.hold = False
    wait(60, lambda: not elastic.moods, lambda: f"left: {elastic.moods}")
    caught_up(house.gate, "e", 60)
    aside = lines(house.gate.folder / "data/exports/e.set-aside.jsonl")
    assert aside and "document_parsing_exception" in aside[0]["why"]
    gapless([*elastic.documents, *(one["id"] for one in aside)], exports.size(house.gate))
    assert len(elastic.ids) == len(set(elastic.ids)), "each is there once"
    assert not set(elastic.documents) & {one["id"] for one in aside}
    elastic.close()


def test_sinks_over_tls_must_prove_their_name(build_house, tmp_path):
    ours, others = (tls.Certificates(tmp_path / name) for name in ("ours", "others"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.chain, ours.key)
    elastic = Elastic(context=context)
    shared = dict(to="elastic", url=elastic.url, index="i")
    house = house_with(
        build_house,
        table(name="good", authority=ours.root, **shared),
        table(name="bad", authority=others.root, **shared),
        table(name="plain", **shared),
    )
    busy(house, 2)
    caught_up(house.gate, "good")
    gapless(elastic.ids, exports.size(house.gate))
    for name in ("bad", "plain"):
        told = wait(20, lambda: status(house.gate, name)["failing"], "nothing is told")
        assert "certificate" in told and status(house.gate, name)["next"] == 0
    elastic.close()


def test_otlp_by_its_own_proto_and_partial_success(build_house):
    """A double of a collector that reads with opentelemetry-proto."""
    collector = Collector(moods=["takes", "busy", "partial", "broken"])
    house = house_with(build_house, table(name="o", to="otlp", url=collector.url, batch_entries_max=6))
    busy(house, 12)
    say(house, f"my card is {needles.ALL['card'].text}")
    wait(60, lambda: not collector.moods, lambda: f"left: {collector.moods}")
    told = caught_up(house.gate, "o", 60)
    aside = lines(house.gate.folder / "data/exports/o.set-aside.jsonl")
    assert told["set_aside"] == len(aside) > 0
    assert "rejected 1 of these" in aside[0]["why"]
    gapless([*collector.ids, *(one["id"] for one in aside)], exports.size(house.gate))
    details = [r for r in collector.received if r.event_name.startswith("gen_ai.client")]
    assert details
    found = attributes(details[-1])
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.request.model"] == "gpt-fake"
    assert found["gen_ai.usage.input_tokens"] > 0
    names = set(SeverityNumber.values())
    assert all(r.severity_number in names and r.time_unix_nano for r in collector.received)
    assert any("card@turn:redact" in str(attributes(r)) for r in collector.received)
    collector.close()


def test_a_sink_that_is_down_slows_nobody_and_gets_everything_later(build_house):
    elastic = Elastic()
    port = elastic.port
    elastic.close()
    sink = table(name="e", to="elastic", url=f"http://127.0.0.1:{port}", index="i")
    house = house_with(build_house, sink, tables=ADMIN)
    for _ in range(2):
        for _ in range(20):
            assert say(house).status == 200
        house.gate.restart()
    metrics = Metrics(house.gate)
    wait(10, lambda: metrics("export_lag_entries", export="e") > 40, "no lag is told")
    wait(10, lambda: metrics("export_failures_total", export="e"), "no failure is told")
    told = status(house.gate, "e")
    assert told["next"] == 0 and "reached" in told["failing"]
    house.gate.stop()
    at_rest = status(house.gate, "e")
    assert at_rest["lag_entries"] == exports.size(house.gate) and not at_rest["running"]
    elastic = Elastic(port=port)
    house.gate.start()
    caught_up(house.gate, "e", 60)
    gapless(elastic.ids, exports.size(house.gate))
    assert len(elastic.ids) == len(set(elastic.ids))
    elastic.close()


@pytest.mark.skipif(not LONG, reason="takes more than a minute; MERESTONE_LONG=1")
def test_an_export_that_is_late_alarms_once_and_recovers(build_house):
    elastic = Elastic()
    port = elastic.port
    elastic.close()
    url = f"http://127.0.0.1:{port}"
    sink = table(name="e", to="elastic", url=url, index="i", lag_minutes_max=1)
    house = house_with(build_house, sink, tables=ADMIN)
    busy(house, 2)
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "degraded", 80)
    assert leaf["subject"] == "export" and leaf["facts"]["export"] == "e"
    assert leaf["facts"]["minutes"] == "1" and leaf["facts"]["goes-on"] == "kept-in-the-ledger"
    assert Metrics(house.gate)("export_lag_seconds", export="e") >= 60
    elastic = Elastic(port=port)
    house.gate.await_leaf(lambda leaf: leaf.get("act") == "recovered", 60)
    caught_up(house.gate, "e")
    acts = [leaf.get("act") for leaf in house.gate.ledger()]
    assert acts.count("degraded") == acts.count("recovered") == 1
    told = [e for e in elastic.received if e["unmapped"]["merestone"].get("act") == "degraded"]
    assert told and told[0]["class_uid"] == 2005
    elastic.close()


def test_test_and_replay(build_house):
    house = house_with(build_house, table(name="f", to="file", path="f.jsonl"))
    busy(house, 3)
    caught_up(house.gate, "f")
    before = lines(house.gate.folder / "f.jsonl")
    result = house.gate.cli("export", "test", "f")
    assert result.code == 0, result.text
    event = lines(house.gate.folder / "f.jsonl")[-1]
    assert "test" in event["metadata"]["labels"] and event["metadata"]["uid"] in result.text
    assert not exports.faults(event)
    told = status(house.gate, "f")
    result = house.gate.cli("export", "replay", "f", "--from", 2)
    assert result.code == 0, result.text
    assert status(house.gate, "f")["next"] == told["next"]
    again = lines(house.gate.folder / "f.jsonl")[len(before) + 1 :]
    assert again == [event for event in before if event["metadata"]["sequence"] >= 2]
    result = house.gate.cli("export", "replay", "f", "--from", 9_999)
    assert result.code == 1 and "nothing to send again" in result.text
    assert house.gate.cli("export", "test", "nobody").code == 1


def test_standard_output(build_house):
    house = house_with(build_house, table(name="out", to="stdout", format="cef"))
    busy(house, 2)
    caught_up(house.gate, "out")
    text = house.gate.process.stdout_path.read_text()
    assert len(text.splitlines()) >= exports.size(house.gate)
    assert all(line.startswith("CEF:0|merestone|") for line in text.splitlines())


def test_a_cursor_of_another_log_stops_and_alarms(build_house):
    house = house_with(build_house, table(name="f", to="file", path="f.jsonl"), tables=ADMIN)
    busy(house, 2)
    caught_up(house.gate, "f")
    house.gate.stop()
    path = house.gate.folder / "data/exports/f.cursor"
    cursor = json.loads(path.read_text())
    path.write_text(json.dumps({**cursor, "log": "other.example/log"}))
    house.gate.start()
    leaf = house.gate.await_leaf(lambda leaf: leaf.get("act") == "degraded")
    assert leaf["subject"] == "export" and leaf["facts"]["export"] == "f"
    assert "another log" in status(house.gate, "f")["failing"]
    assert Metrics(house.gate)("export_stopped", export="f") == 1
    assert say(house).status == 200, "the gate goes on"


def test_pruning_waits_for_the_exports(build_house):
    elastic = Elastic()
    port = elastic.port
    elastic.close()
    house = house_with(
        build_house,
        table(name="e", to="elastic", url=f"http://127.0.0.1:{port}", index="i"),
        table(name="f", to="file", path="f.jsonl"),
    )
    raw.in_parallel(lambda _: say(house), range(140))
    caught_up(house.gate, "f")
    wait(10, lambda: status(house.gate, "f")["size"] > 256, "too few entries")
    refused = house.gate.cli("ledger", "prune", "--before", 256)
    assert refused.code == 1 and "not everything before entry 256 was delivered to e" in refused.text
    house.gate.stop()
    refused = house.gate.cli("ledger", "prune", "--before", 256)
    assert refused.code == 1, "a gate that is stopped asks the same"
    house.gate.start()
    done = house.gate.cli("ledger", "prune", "--before", 256, "--past-exports")
    assert done.code == 0, done.text
    pruned = house.gate.await_leaf(lambda leaf: leaf.get("act") == "pruned")
    assert pruned["facts"]["past-exports"] == "e"
    # What was read before is sent all the same; after a start it is gone.
    house.gate.restart()
    elastic = Elastic(port=port)
    told = caught_up(house.gate, "e", 60)
    assert told["pruned"] == 256
    assert "pruned before they were delivered" in house.gate.process.stderr_path.read_text()
    assert exports.sequences(elastic.ids) == set(range(256, exports.size(house.gate)))
    elastic.close()
    house.gate.verify()


FAULTS = {
    "no url": (dict(name="x", to="otlp"), "say where it is"),
    "in the clear": (dict(name="x", to="otlp", url="http://siem.example"), "in the clear"),
    "no such kind": (dict(name="x", to="kafka"), "syslog"),
    "a setting of another": (
        dict(name="x", to="file", path="a", index="i"),
        "means nothing for this destination",
    ),
    "a credential in the URL": (
        dict(name="x", to="otlp", url="https://u:p@siem.example"),
        "neither a credential",
    ),
    "a key in the file": (
        dict(name="x", to="splunk", url="https://siem.example", token="abcdef"),
        "never stands in the configuration",
    ),
    "no token": (dict(name="x", to="splunk", url="https://siem.example"), "asks for a token"),
    "a name": (dict(name="X Y", to="stdout"), "lower-case"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_configured_wrong(build_house, case):
    entries, says = FAULTS[case]
    house = build_house(start=False)
    house.wanted = {}
    exports.write(house, table(**entries))
    result = house.gate.cli("config", "check")
    assert result.code == 1 and says in result.text, result.text
    assert "abcdef" not in result.text and "u:p" not in result.text
