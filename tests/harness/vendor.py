"""One fake vendor process and its control endpoint (crates/doubles)."""

import base64
import json

from . import raw
from .paths import FAKE_VENDOR
from .process import Process


def chunk(data, delay_ms=0):
    """One network chunk of a scripted reply."""
    data = data.encode() if isinstance(data, str) else data
    return {"b64": base64.b64encode(data).decode(), "delay_ms": delay_ms}


def script(*chunks, status=200, kind="application/json", headers=None, **more):
    """A scripted reply; chunks are bytes, text or made by `chunk`."""
    chunks = [part if isinstance(part, dict) else chunk(part) for part in chunks]
    headers = {"content-type": kind, **(headers or {})}
    return {"status": status, "headers": headers, "chunks": chunks, **more}


EVENTS = "text/event-stream; charset=utf-8"


class Vendor:
    """A fake vendor on a loopback port."""

    def __init__(self, api, folder, *words):
        self.api = api
        command = [FAKE_VENDOR, "--api", api, *words]
        self.process = Process(command, folder, f"fake-{api}")
        start = "fake-vendor listening on "
        self.url = self.process.wait_for_line(start, self.process.stdout_path)

    def _control(self, method, what, document=None):
        body = b"" if document is None else json.dumps(document).encode()
        reply = raw.send(self.url, method, f"/_double/{what}", body)
        assert reply.status == 200, reply.body
        return reply.json

    def script(self, *scripts):
        """Queues scripted replies, in order."""
        self._control("POST", "script", list(scripts))

    def unscript(self):
        self._control("DELETE", "script")

    def behave(self, **behaviour):
        """delay_ms and deltas (word, char, whole, bytes:N); none resets both."""
        self._control("POST", "behaviour", behaviour)

    def tell(self):
        return self._control("GET", "requests")

    def requests(self):
        """All requests since `forget`, bodies as bytes."""
        requests = self.tell()["requests"]
        for request in requests:
            request["body"] = base64.b64decode(request["body"])
        return requests

    def bodies(self):
        """Bodies by the model that they ask for."""
        bodies = {}
        for request in self.requests():
            bodies.setdefault(json.loads(request["body"])["model"], []).append(request["body"])
        return bodies

    def forget(self):
        self._control("DELETE", "requests")

    def stop(self):
        # It is a fake: nothing is lost by not asking.
        self.process.kill()
