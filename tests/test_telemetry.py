"""OpenTelemetry: what a collector is told of each exchange, and what not. The
binary is a build of its own, with `--features otel`; `./test` makes it."""

import http.server
import os
import threading
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness import config, gate, needles, paths, raw
from harness.running import await_that

BINARY = Path(os.environ.get("MERESTONE_OTEL_BIN", paths.ROOT / "target/otel/debug/merestone"))
CHAT = "/v1/chat/completions"
EMAIL = needles.ALL["email"]


class Collector:
    """A labelled double of an OpenTelemetry collector: keeps what it is told."""

    def __init__(self):
        self.bodies = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.bodies.append((self.path, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self):
        spans = []
        for path, body in list(self.bodies):
            if path == "/v1/traces":
                told = ExportTraceServiceRequest.FromString(body)
                spans += [s for r in told.resource_spans for c in r.scope_spans for s in c.spans]
        return spans

    def metrics(self):
        metrics = {}
        for path, body in list(self.bodies):
            if path == "/v1/metrics":
                told = ExportMetricsServiceRequest.FromString(body)
                metrics.update(
                    {m.name: m for r in told.resource_metrics for c in r.scope_metrics for m in c.metrics}
                )
        return metrics


def attributes(span):
    kinds = ("string_value", "int_value", "bool_value")
    value = lambda v: getattr(v, v.WhichOneof("value")) if v.WhichOneof("value") in kinds else None
    return {a.key: value(a.value) for a in span.attributes}


@pytest.fixture
def told(build_house, monkeypatch):
    assert BINARY.exists(), f"{BINARY} is not built: cargo build -p merestone --features otel --target-dir target/otel"
    monkeypatch.setattr(gate, "MERESTONE", BINARY)
    collector = Collector()
    house = build_house(tables={"telemetry": {"otlp": collector.url}})
    yield house, collector
    collector.server.shutdown()


def ask(house, text, **more):
    body = {"model": "m-1", "messages": [{"role": "user", "content": text}], **more}
    return raw.post(house.url, CHAT, body, house.key)


def test_each_exchange_is_a_span_and_measured(told):
    house, collector = told
    plain = ask(house, f"write to {EMAIL.text}")
    stream = ask(house, "hello", stream=True)
    assert plain.status == stream.status == 200
    await_that(lambda: len(collector.spans()) >= 2, 20)
    spans = {attributes(span)["merestone.exchange"]: span for span in collector.spans()}
    assert set(spans) == {plain.exchange, stream.exchange}
    span = attributes(spans[plain.exchange])
    assert spans[plain.exchange].name == "chat m-1"
    assert span["gen_ai.operation.name"] == "chat" and span["gen_ai.provider.name"] == "openai"
    assert span["gen_ai.request.model"] == "m-1" and span["merestone.outcome"] == "complete"
    assert span["gen_ai.usage.input_tokens"] > 0 and span["http.response.status_code"] == 200
    assert attributes(spans[stream.exchange])["gen_ai.request.stream"] is True
    took = spans[plain.exchange].end_time_unix_nano - spans[plain.exchange].start_time_unix_nano
    assert 0 < took < 60_000_000_000
    wanted = {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    await_that(lambda: wanted <= set(collector.metrics()), 20)
    for _, body in collector.bodies:
        assert EMAIL.text.encode() not in body and house.key.encode() not in body


def test_a_vendor_that_fails_is_an_error(told):
    house, collector = told
    house.openai.stop()
    assert ask(house, "hello").status == 502
    await_that(collector.spans, 20)
    (span,) = collector.spans()
    assert attributes(span)["error.type"] == "MS-VENDOR-001" and span.status.code == 2


def test_a_collector_that_is_down_costs_no_call(told):
    house, collector = told
    collector.server.shutdown()
    collector.server.server_close()
    for _ in range(20):
        assert ask(house, "hello").status == 200
    assert house.gate.stop() == 0


def test_the_default_build_says_that_it_cannot(build_house):
    house = build_house(start=False)
    urls = {"openai_url": house.openai.url, "anthropic_url": house.anthropic.url}
    text = config.write(**urls, tables={"telemetry": {"otlp": "http://127.0.0.1:4318"}})
    house.gate.file.write_text(text)
    with pytest.raises(AssertionError, match="--features otel"):
        house.gate.start()
