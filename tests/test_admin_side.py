"""The admin side: metrics with bounded labels, health, readiness, `top`, logs."""

import http.client
import json
import re
import time
from urllib.parse import urlsplit

import pytest

from harness import gate as product
from harness import needles, raw
from harness.needles import fill
from harness.paths import VENDOR_KEY, rng

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ADMIN = '\n[admin]\nlisten = "127.0.0.1:0"\n'
WORDS = re.compile(r"[a-z0-9_.-]{1,40}|MS-[A-Z]+-\d{3}|\+Inf|\d+(\.\d+)?(e-?\d+)?")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SUFFIXES = {
    "counter": {"_total", "_created"},
    "gauge": {""},
    "histogram": {"_bucket", "_count", "_sum", "_created"},
    "unknown": {""},
}


# A strict reader of OpenMetrics 1.0 text, as far as the gate writes it.


def labels_of(text):
    """The labels between braces, each escaped as it must be."""
    found, at = {}, 0
    part = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
    while at < len(text):
        match = part.match(text, at)
        assert match, f"malformed labels: {text!r}"
        assert match[1] not in found, f"a label twice: {text!r}"
        found[match[1]] = match[2]
        at = match.end()
        assert not (match[3] == "," and at == len(text)), f"a comma at the end: {text!r}"
    return found


def open_metrics(text):
    """{family: (kind, [(suffix, labels, value)])}; fails on anything odd."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    families, family, told = {}, None, {}
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# "):
            word, name, *rest = line[2:].split(" ", 2)
            assert word in ("HELP", "TYPE", "UNIT") and NAME.fullmatch(name), line
            if name != family:
                assert name not in families, f"{name} is told in two places"
                family, told = name, {}
                families[name] = ["unknown", []]
            assert word not in told and not families[name][1], line
            told[word] = rest[0] if rest else ""
            if word == "TYPE":
                assert told[word] in SUFFIXES, line
                families[name][0] = told[word]
            if word == "UNIT":
                assert name.endswith("_" + told[word]), line
            continue
        match = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line)
        assert match and family and match[1].startswith(family), line
        kind, samples = families[family]
        suffix = match[1].removeprefix(family)
        assert suffix in SUFFIXES[kind], line
        labels, value = labels_of(match[2] or ""), float(match[3])
        assert kind == "gauge" or value >= 0, line
        assert ("le" in labels) == (suffix == "_bucket"), line
        samples.append((suffix, labels, value))
    for name, (kind, samples) in families.items():
        keys = [(suffix, tuple(sorted(labels.items()))) for suffix, labels, _ in samples]
        assert len(keys) == len(set(keys)), f"a series of {name} twice"
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    series = {}
    for suffix, labels, value in samples:
        who = tuple(sorted((key, val) for key, val in labels.items() if key != "le"))
        series.setdefault(who, {}).setdefault(suffix, []).append((labels.get("le"), value))
    for found in series.values():
        bounds = [float(le) for le, _ in found["_bucket"]]
        counts = [value for _, value in found["_bucket"]]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), name
        assert counts == sorted(counts) and counts[-1] == found["_count"][0][1], name


def test_the_reader_of_metrics_is_strict():
    good = '# HELP a b.\n# TYPE a counter\na_total{x="y\\"z"} 1\n# EOF\n'
    assert open_metrics(good) == {"a": ["counter", [("_total", {"x": 'y\\"z'}, 1.0)]]}
    for bad in (
        good.replace("# EOF\n", ""),
        good.replace("a_total", "a"),
        good.replace('y\\"z', 'y"z'),
        good.replace('"} 1', '",} 1'),
        good.replace("} 1\n", "} 1\na_total{x=\"y\\\"z\"} 2\n"),
        good.replace("} 1", "} -1"),
        good.replace("} 1", "} one"),
        good.replace("counter", "clock"),
    ):
        with pytest.raises((AssertionError, ValueError)):
            open_metrics(bad)


class Watched:
    """A house with an admin side."""

    def __init__(self, house, more=""):
        self.house = house
        house.gate.file.write_text(house.config() + ADMIN + more)
        house.gate.start()
        process = house.gate.process
        self.admin = process.wait_for_line(
            "metrics and readiness are on http://", process.stderr_path, 1
        )

    def ask(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.admin, timeout=10)
        connection.request(method, path)
        reply = connection.getresponse()
        found = reply.status, dict(reply.getheaders()), reply.read().decode()
        connection.close()
        return found

    def metrics(self):
        status, headers, text = self.ask("/metrics")
        kind = {name.lower(): value for name, value in headers.items()}["content-type"]
        assert status == 200 and kind.startswith("application/openmetrics-text; version=1.0.0")
        return text, open_metrics(text)


@pytest.fixture
def watched(build_house):
    return Watched(build_house(start=False))


def total(families, name, **wanted):
    return sum(
        value
        for suffix, labels, value in families.get(name, ("", []))[1]
        if suffix == "_total" and wanted.items() <= labels.items()
    )


def user(text, model="m", **more):
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": text}], **more}


def test_metrics_count_what_happened(watched):
    house = watched.house
    _, before = watched.metrics()
    assert total(before, "merestone_exchanges") == 0
    for n in range(6):
        body = user("hi", stream=n % 2 == 0)
        assert raw.post(house.url, CHAT, body, house.key).status == 200
    assert raw.post(house.url, MESSAGES, user("hi"), house.key).status == 200
    assert raw.post(house.url, CHAT, user(f"card {needles.ALL['card'].text}"), house.key).status == 200
    assert raw.post(house.url, CHAT, b"{", house.key).status == 400
    assert raw.post(house.url, CHAT, user("hi"), "nobody").status == 401
    until = time.monotonic() + 5
    while total(watched.metrics()[1], "merestone_exchanges") < 8 and time.monotonic() < until:
        time.sleep(0.05)
    _, families = watched.metrics()
    assert total(families, "merestone_exchanges", vendor="openai", outcome="complete") == 7
    assert total(families, "merestone_exchanges", vendor="anthropic") == 1
    assert total(families, "merestone_refusals", code="MS-ADMIT-003") == 1
    assert total(families, "merestone_refusals", code="MS-KNOW-002") == 1
    assert total(families, "merestone_verdicts", control="redaction", verdict="redact") >= 1
    assert total(families, "merestone_vendor_replies", status="2xx") == 8
    counts = [v for suffix, _, v in families["merestone_exchange_seconds"][1] if suffix == "_count"]
    assert sum(counts) == 8
    assert [value for _, _, value in families["merestone_in_flight"][1]] == [0]


def test_labels_are_bounded_whatever_callers_send(watched):
    """Two hundred models and keys make no series, and none of their text shows."""
    house, source = watched.house, rng("labels")
    raw.post(house.url, CHAT, user("hi"), house.key)
    for wrong in ("nobody", None):
        raw.post(house.url, CHAT, user("hi"), wrong)
    raw.post(house.url, "/v1/first", user("hi"), house.key)
    keys = [house.gate.key(owner=fill("owner-{lower:12}", source)) for _ in range(3)]
    raw.post(house.url, CHAT, user("hi"), keys[0]["key"])
    _, before = watched.metrics()
    told = []

    def call(n):
        model, text = fill("model-{alnum:16}", source), fill("secret {alnum:24}", source)
        told.extend([model, text.split()[1]])
        key = keys[n % 3]["key"] if n % 2 else fill("mst_{alnum:43}", source)
        path = CHAT if n % 10 else "/v1/" + model
        return raw.post(house.url, path, user(text, model=model), key)

    statuses = {call(n).status for n in range(200)}
    assert statuses == {200, 401, 404}
    text, after = watched.metrics()

    def series(families):
        return {
            (name, suffix, *sorted(labels.items()))
            for name, (_, samples) in families.items()
            for suffix, labels, _ in samples
        }

    new = {one for one in series(after) - series(before) if one[0] not in ("merestone_verdicts", "merestone_findings")}
    assert not new, new
    for name, (_, samples) in after.items():
        for _, labels, _ in samples:
            for label, value in labels.items():
                assert WORDS.fullmatch(value), (name, label, value)
    secrets = [*told, VENDOR_KEY, *(key["key"] for key in keys), *(key["id"] for key in keys)]
    secrets += ["owner-", "model-", "secret", house.key]
    assert not [secret for secret in secrets if secret in text]


def test_health_and_readiness(watched):
    gate = watched.house.gate
    assert watched.ask("/livez")[0] == 200
    assert watched.ask("/readyz")[0] == 200
    result = gate.cli("switch", "off", "all", "--reason", "an exercise")
    assert result.code == 0, result.text
    status, _, text = watched.ask("/readyz")
    assert status == 503 and "MS-KILL-001" in text
    assert watched.ask("/livez")[0] == 200, "alive all the same"
    reply = raw.post(watched.house.url, CHAT, user("hi"), watched.house.key)
    assert reply.status == 503 and "MS-KILL-001" in reply.message
    assert [value for _, _, value in watched.metrics()[1]["merestone_switches_off"][1]] == [1]
    result = gate.cli("switch", "on", "all", "--reason", "it is over")
    assert result.code == 0, result.text
    assert watched.ask("/readyz")[0] == 200
    # One vendor that is off does not make the gate unready.
    assert gate.cli("switch", "off", "vendor", "openai", "--reason", "a part").code == 0
    assert watched.ask("/readyz")[0] == 200


def test_a_gate_without_room_for_evidence_is_not_ready(build_house):
    more = "\n[evidence]\nfree_bytes_min = 9000000000000000000\n"
    watched = Watched(build_house(start=False), more)
    status, _, text = watched.ask("/readyz")
    assert status == 503 and "MS-LEDGER-001" in text


def test_there_is_nothing_else(watched):
    for path in ("/", "/metrics/", "/metricsx", "//metrics", CHAT, "/livez/..", "/admin", "/keys"):
        assert watched.ask(path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert watched.ask("/metrics", method)[0] in (404, 405), method
    # And nothing of it on the callers' side.
    for path in ("/metrics", "/livez", "/readyz"):
        reply = raw.send(watched.house.url, "GET", path)
        assert reply.status == 404 and b"merestone_" not in reply.body


def test_it_is_off_unless_it_is_asked_for(plain_house):
    said = plain_house.gate.process.stderr_path.read_text()
    assert "ready on" in said and "metrics" not in said


def test_it_listens_on_loopback_alone(build_house):
    house = build_house(start=False)
    for listen in ("0.0.0.0:4181", "[::]:4181", "192.0.2.1:4181"):
        house.gate.file.write_text(house.config() + f'\n[admin]\nlisten = "{listen}"\n')
        result = house.gate.cli("config", "check")
        assert result.code != 0 and "loopback" in result.text, result.text


def test_it_answers_while_the_gate_is_full(build_house):
    watched = Watched(build_house(start=False), "\n[limits]\nconnections_max = 2\n")
    lines = [raw.http.client.HTTPConnection(urlsplit(watched.house.url).netloc) for _ in range(4)]
    for line in lines:
        line.connect()
    assert watched.ask("/livez")[0] == 200 and watched.ask("/readyz")[0] == 200
    for line in lines:
        line.close()


# `merestone top`.


def test_top_tells_what_happened(plain_house):
    house = plain_house
    key = house.gate.key(owner="watched")
    for n in range(5):
        raw.post(house.url, CHAT, user("hi", model=f"gpt-{n % 2}"), key["key"])
    raw.post(house.url, CHAT, b"{", key["key"])
    house.gate.await_leaf(lambda leaf: leaf.get("code") == "MS-ADMIT-003")
    stats = house.gate.cli("top", "--once", "--json").json
    assert stats["in_flight"] == 0 and stats["switches_off"] == 0
    assert stats["summary"]["exchanges"]["openai"]["complete"] >= 5
    assert stats["summary"]["refusals"]["MS-ADMIT-003"] >= 1
    assert len(stats["summary"]["total_us"]) == 3
    assert stats["summary"]["total_us"] == sorted(stats["summary"]["total_us"])
    assert {vendor["name"] for vendor in stats["vendors"]} == {"openai", "anthropic"}
    parties = {(party["sort"], party["name"]): party for party in stats["parties"]}
    assert parties["key", key["id"]]["requests"] >= 5
    assert parties["model", "openai/gpt-0"]["requests"] == 3
    assert parties["model", "openai/gpt-1"]["requests"] == 2
    result = house.gate.cli("top", "--once")
    assert result.code == 0
    for word in ("openai", "anthropic", "MS-ADMIT-003", key["id"], "openai/gpt-0", "complete"):
        assert word in result.stdout, result.stdout
    assert "\x1b" not in result.stdout, "no terminal codes into a pipe"
    assert key["key"] not in result.text


def test_top_without_a_gate_says_so(build_house):
    house = build_house()
    house.gate.stop()
    result = house.gate.cli("top", "--once")
    assert result.code != 0 and "running" in result.text


# Logs.


@pytest.mark.parametrize("format", ["json", "text"])
def test_logs_never_hold_content(build_house, monkeypatch, format):
    """At the finest useful level: one object a line, no prompt and no key."""
    monkeypatch.setitem(product.ENV, "MERESTONE_LOG", "debug,h2=debug,hyper=debug,hyper_util=debug")
    if format == "json":
        monkeypatch.setitem(product.ENV, "MERESTONE_LOG_FORMAT", "json")
    house = build_house()
    source = rng("logs", format)
    secrets = [fill("{lower:24}", source) for _ in range(4)]
    said, model, name, header = secrets
    key, unknown = house.key, fill("mst_{alnum:43}", source)
    for body in (user(said, model=model), user(said, model=model, stream=True), {**user(said), name: 1}):
        assert raw.post(house.url, CHAT, body, key, x_note=header).status == 200
    raw.post(house.url, CHAT, user(said), unknown)
    raw.post(house.url, CHAT + "/" + name, user(said), key)
    raw.post(house.url, CHAT, ("{" + said).encode(), key)
    house.gate.cli("reload")
    house.gate.file.write_text(house.config() + f"\n[{name[:8]}]\n")
    assert house.gate.cli("reload").code != 0
    house.gate.file.write_text(house.config())
    assert house.gate.stop() == 0
    text = house.gate.process.stderr_path.read_text()
    for secret in (*secrets, key, key.removeprefix("mst_"), unknown, VENDOR_KEY):
        assert secret not in text
    # The two lines for people stand beside the log.
    lines = [line for line in text.splitlines() if " on http" not in line]
    assert len(lines) >= 3, "nothing is logged at all"
    if format == "json":
        for line in lines:
            entry = json.loads(line)
            assert {"timestamp", "level"} <= entry.keys(), entry
        assert any(entry.get("exchange", "").startswith("mx-") for entry in map(json.loads, lines))
