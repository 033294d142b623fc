"""Calls that are under way while a test does something else."""

import contextlib
import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from . import raw
from .channels import CHANNELS
from .vendor import EVENTS, chunk, script

CONTENT = {
    "openai": CHANNELS[0],
    "anthropic": next(channel for channel in CHANNELS if channel.name == "text"),
}
# How long a trickle goes on if nobody ends it, and how often it says a word.
TRICKLE_SECONDS, TRICKLE_MS = 30, 50


def await_that(is_so, seconds=10.0, says=""):
    """Waits until something is so, and gives what it is."""
    until = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < until, says or f"not so within {seconds} s"
        time.sleep(0.01)
    return found


def trickle(api, **more):
    """A scripted stream that says a word now and then, for half a minute."""
    count = TRICKLE_SECONDS * 1_000 // TRICKLE_MS
    body = CONTENT[api].stream(["word "] * count)
    events = [event + b"\n\n" for event in body.split(b"\n\n")[:-1]]
    chunks = [chunk(event, TRICKLE_MS) for event in events]
    return script(*chunks, kind=EVENTS, **more)


def never(api, **more):
    """A scripted plain reply that begins and does not end."""
    return script(CONTENT[api].whole("fine")[:40], end="hang", **more)


class Call:
    """One call on a thread and a connection of its own."""

    def __init__(self, base, api, key, stream=True, model="m", **more):
        channel = CONTENT[api]
        self.api, self.stream = api, stream
        self._request = {**channel.request(model, stream), **more}
        self._path = channel.route
        self._parts, self._key = urlsplit(base), key
        self.status, self.headers, self.body = None, {}, b""
        self.ended = None
        self._connection = http.client.HTTPConnection(
            self._parts.hostname, self._parts.port, timeout=60
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        heads = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            self._connection.request("POST", self._path, json.dumps(self._request), heads)
            reply = self._connection.getresponse()
            self.headers = {name.lower(): value for name, value in reply.getheaders()}
            self.status = reply.status
            while part := reply.read1(65_536):
                self.body += part
        self.ended = time.monotonic()

    def is_running(self):
        """Its stream has begun, and not ended."""
        return self.ended is None and self.status == 200 and b"word" in self.body

    def await_start(self, seconds=10.0):
        await_that(self.is_running, seconds, f"no stream began: {self.status} {self.body[:300]}")
        return self

    def leave(self):
        """Breaks the connection off, as a caller that goes away."""
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(2)
        self.wait()

    def wait(self, seconds=20.0):
        """The reply, once it has ended."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"it still runs: {self.body[-200:]}"
        self._connection.close()
        return raw.Reply(self.status, self.headers, self.body)
