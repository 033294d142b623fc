"""Doubles of Splunk's HTTP event collector, of Elastic's `_bulk` and of an
OpenTelemetry collector, for tests only: no Splunk, no Elastic, no collector.

They speak what their documentation says
(help.splunk.com, "About HTTP Event Collector Indexer Acknowledgment";
elastic.co/docs/api, "Bulk index or delete documents"; opentelemetry.io,
OTLP/HTTP), acknowledge late, partly and twice, and break off when told.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)


class Double:
    """An HTTP server on loopback. `moods` says of each request that is no
    question what becomes of it; when they are used up, all goes well."""

    def __init__(self, moods=(), port=0, context=None):
        self.moods = list(moods)
        self.posts = 0
        self.lock = threading.Lock()
        self.received = []
        self.headers = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with double.lock:
                    double.headers.append(dict(self.headers))
                    answer = double.answer(self.path, body)
                if answer is None:
                    self.connection.close()
                    self.close_connection = True
                    return
                status, kind, content = answer
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def mood(self):
        self.posts += 1
        return self.moods.pop(0) if self.moods else "takes"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    @property
    def ids(self):
        """The name of each event that was taken, as often as it was."""
        return [self.id_of(event) for event in self.received]

    @staticmethod
    def id_of(event):
        return event["metadata"]["uid"]

    @staticmethod
    def _json(status, value):
        return status, "application/json", json.dumps(value).encode()


class Splunk(Double):
    """Moods: `takes`; `late` (acknowledged after some questions); `lost` (200,
    and never acknowledged); `twice` (200 and acknowledged, but indexed twice);
    `broken` (taken, and the connection breaks); `busy` (503); `odd` (the second
    event's form is refused); `elsewhere` (another number is acknowledged)."""

    def __init__(self, *args, **more):
        self._acks, self._next = {}, 0
        super().__init__(*args, **more)

    def answer(self, path, body):
        if path.startswith("/services/collector/ack?channel="):
            asked = json.loads(body)["acks"]
            told = {}
            for number in asked:
                left = self._acks.get(number)
                told[str(number)] = left == 0
                if left:
                    self._acks[number] = left - 1
                if left == "elsewhere":
                    told = {str(number + 1): True}
            return self._json(200, {"acks": told})
        assert path.startswith("/services/collector/event?channel="), path
        events = [json.loads(line)["event"] for line in body.splitlines()]
        mood = self.mood()
        if mood == "busy":
            return self._json(503, {"text": "Server is busy", "code": 9})
        if mood == "odd" and len(events) > 1:
            answer = {"text": "Invalid data format", "code": 6, "invalid-event-number": 1}
            return self._json(400, answer)
        if mood != "lost":
            self.received += events * (2 if mood == "twice" else 1)
        if mood == "broken":
            return None
        number, self._next = self._next, self._next + 1
        self._acks[number] = {"late": 2, "lost": None, "elsewhere": "elsewhere"}.get(mood, 0)
        return self._json(200, {"text": "Success", "code": 0, "ackId": number})


class Elastic(Double):
    """Moods: `takes`; `partly` (every third is 429); `refuses` (every fourth is
    a 400); `broken` (taken, and the connection breaks); `busy` (503); `large`
    (413 for more than two)."""

    def __init__(self, *args, **more):
        self.documents = {}
        super().__init__(*args, **more)

    def answer(self, path, body):
        assert path == "/_bulk", path
        lines = [json.loads(line) for line in body.splitlines()]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        mood = self.mood()
        if mood == "busy":
            return self._json(503, {})
        if mood == "large" and len(pairs) > 2:
            return self._json(413, {})
        items = []
        for number, (action, document) in enumerate(pairs, 1):
            name, index = action["create"]["_id"], action["create"]["_index"]
            status, more = 201, {}
            if mood == "partly" and number % 3 == 0:
                status, more = 429, {"error": {"type": "es_rejected_execution_exception"}}
            elif name in self.documents:
                status, more = 409, {"error": {"type": "version_conflict_engine_exception"}}
            elif mood == "refuses" and number % 4 == 0:
                status, more = 400, {"error": {"type": "document_parsing_exception"}}
            else:
                self.documents[name] = document
                self.received.append(document)
            items.append({"create": {"_index": index, "_id": name, "status": status, **more}})
        if mood == "broken":
            return None
        errors = any(item["create"]["status"] > 299 for item in items)
        return self._json(200, {"errors": errors, "items": items})


class Collector(Double):
    """Moods: `takes`; `partial` (one record rejected); `busy` (503); `broken`."""

    def answer(self, path, body):
        assert path == "/v1/logs", path
        request = ExportLogsServiceRequest.FromString(body)
        records = [
            record
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
        mood, answer = self.mood(), ExportLogsServiceResponse()
        if mood == "busy":
            return 503, "application/x-protobuf", b""
        if mood == "partial":
            answer.partial_success.rejected_log_records = 1
            answer.partial_success.error_message = "one of them"
            records = records[1:]
        self.received += records
        if mood == "broken":
            return None
        return 200, "application/x-protobuf", answer.SerializeToString()

    @staticmethod
    def id_of(record):
        return attributes(record)["log.record.uid"]


def attributes(record):
    """A record's attributes as plain values."""

    def plain(value):
        kind = value.WhichOneof("value")
        if kind == "array_value":
            return [plain(item) for item in value.array_value.values]
        return getattr(value, kind)

    return {pair.key: plain(pair.value) for pair in record.attributes}


def wait(until_seconds, is_so, says):
    """Waits until something is so."""
    until = time.monotonic() + until_seconds
    while not (found := is_so()):
        assert time.monotonic() < until, says() if callable(says) else says
        time.sleep(0.05)
    return found
