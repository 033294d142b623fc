"""A double of a service that finds names and addresses, for tests only: no
model. It speaks what docs/specs/names.md says, and finds the words that it was
given. It can also be slow, and say what no such service says.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_SECONDS_MAX = 30


def spots(text, known, score=90):
    """Every place of every known word, by UTF-8 bytes."""
    found = []
    for word, kind in known.items():
        at = text.find(word)
        while at >= 0:
            start = len(text[:at].encode())
            found.append(
                {"start": start, "end": start + len(word.encode()), "kind": kind, "score": score}
            )
            at = text.find(word, at + 1)
    return found


@dataclass
class Names:
    """A double of such a service on a loopback port."""

    # Word -> person or address.
    known: dict = field(default_factory=dict)
    score: int = 90
    slow_seconds: float = 0
    # What is sent in place of every answer: status and body.
    says: tuple | None = None
    # The texts of each question, as they came.
    asked: list = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self):
        self._now = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/names"

    @property
    def texts(self):
        return [text for texts in self.asked for text in texts]

    def stop(self):
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path, headers, body):
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            texts = json.loads(body)["texts"]
            with self._lock:
                self.asked.append(texts)
            time.sleep(min(self.slow_seconds, SLOW_SECONDS_MAX))
            if self.says is not None:
                return self.says
            assert path == "/names" and headers["content-type"] == "application/json"
            found = [spots(text, self.known, self.score) for text in texts]
            return 200, json.dumps({"spots": found}).encode()
        finally:
            with self._lock:
                self._now -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # A caller that does not wait is nothing to tell.


def _handler(names):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            status, said = names.answer(self.path, self.headers, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *words):
            pass

    return Handler
