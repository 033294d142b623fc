"""Doubles of Splunk's HTTP event collector, of Elastic's `_bulk` and of an
OpenTelemetry collector, for tests only: no Splunk, no Elastic, no collector.

They speak what their documentation says
(help.splunk.com, "About HTTP Event Collector Indexer Acknowledgment";
elastic.co/docs/api, "Bulk index or delete documents"; opentelemetry.io,
OTLP/HTTP), acknowledge late, partly and twice, and break off when told.
"""

import json
import socket
import ssl
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
        # While it is set everybody gets 503, and no mood is used up.
        self.hold = False
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
                    held = (503, "text/plain", b"")
                    answer = held if double.hold else double.answer(self.path, body)
                if answer is None:
                    self.connection.close()
                    self.close_connection = True
                    return
                status, kind, content, *more = answer
                self.send_response(status)
                for name, value in dict(*more).items():
                    self.send_header(name, value)
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
    event's form is refused); `elsewhere` (another number is acknowledged);
    `index` (the index that is asked for is none of the token's)."""

    def __init__(self, *args, **more):
        self._acks, self._next = {}, 0
        # The channel of each request with events.
        self.channels = []
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
        self.channels.append(path.split("=")[1])
        events = [json.loads(line)["event"] for line in body.splitlines()]
        mood = self.mood()
        if mood == "index":
            answer = {"text": "Incorrect index", "code": 7, "invalid-event-number": 0}
            return self._json(400, answer)
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
    a 400); `broken` (taken, and the connection breaks); `busy` (503); `later`
    (503, and not before ten minutes); `large` (413 for more than two)."""

    def __init__(self, *args, **more):
        self.documents = {}
        super().__init__(*args, **more)

    def answer(self, path, body):
        path, _, query = path.partition("?")
        assert path == "/_bulk" and query.startswith("filter_path=items.create._id,"), path
        lines = [json.loads(line) for line in body.splitlines()]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        mood = self.mood()
        if mood == "busy":
            return self._json(503, {})
        if mood == "later":
            return *self._json(503, {}), {"retry-after": "600"}
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


class Elsewhere(Double):
    """Sends whoever comes on to another address."""

    def __init__(self, to):
        self._to = to
        super().__init__()

    def answer(self, path, body):
        return 307, "text/plain", b"", {"location": self._to + path}


class Receiver:
    """A double of a syslog receiver over TLS that does one thing wrong: `leaves`
    (ends the connection once it is made), `halves` (ends its side and swallows the
    rest, as something in between does whose receiver is gone), `cuts` (reads a little, and ends it),
    `deaf` (reads nothing), `talks` (speaks without an end)."""

    def __init__(self, context, mood):
        self.mood, self.connections, self._context = mood, 0, context
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        try:
            line = self._context.wrap_socket(line, server_side=True)
            self.connections += 1
            if self.mood == "cuts":
                line.recv(100)
            if self.mood == "deaf":
                self._open.append(line)
                return
            if self.mood == "halves":
                line.shutdown(socket.SHUT_WR)
                while line.recv(65536):
                    pass
            while self.mood == "talks":
                line.send(b"hello " * 100)
                time.sleep(0.02)
            line.close()
        except (OSError, ssl.SSLError):
            line.close()

    def close(self):
        self._listener.close()
        for line in self._open:
            line.close()


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
