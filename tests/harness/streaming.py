"""One streamed call in the background, watched while it runs."""

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from . import sse
from .channels import CHANNELS
from .vendor import EVENTS, chunk, script

CHAT = "/v1/chat/completions"
WORD = "word"


def slow_script(words=300, every_ms=100, **more):
    """A stream that takes its time: a word at a time, then its end."""
    body = CHANNELS[0].stream([f"{WORD} "] * words)
    parts = [part + b"\n\n" for part in body.split(b"\n\n") if part]
    return script(*(chunk(part, every_ms) for part in parts), kind=EVENTS, **more)


class Streaming:
    """A call that streams; what came so far, and how and when it ended."""

    def __init__(self, base, key, model="m"):
        self.data, self.status, self.exchange = b"", None, None
        # Whether HTTP's own end of the body came.
        self.complete, self.ended_at = False, None
        self._parts, self._key, self._model = urlsplit(base), key, model
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        line = http.client.HTTPConnection(self._parts.hostname, self._parts.port, timeout=90)
        body = {"model": self._model, "stream": True}
        body["messages"] = [{"role": "user", "content": "hi"}]
        heads = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        try:
            line.request("POST", CHAT, json.dumps(body), heads)
            reply = line.getresponse()
            self.status, self.exchange = reply.status, reply.headers["x-merestone-exchange"]
            while part := reply.read1(4096):
                self.data += part
            self.complete = True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self.ended_at = time.monotonic()
            line.close()

    @property
    def running(self):
        return self._thread.is_alive()

    @property
    def end(self):
        """As sse.ended says it."""
        return sse.ended("openai", self.data)

    @property
    def ended_cleanly(self):
        """A caller takes it for whole."""
        return self.complete and self.end == "stop"

    def await_words(self, count=1, seconds=15):
        until = time.monotonic() + seconds
        while self.data.count(WORD.encode()) < count:
            assert self.running, (self.status, self.data)
            assert time.monotonic() < until, self.data
            time.sleep(0.02)
        return self

    def await_end(self, seconds):
        """Waits until it ended; fails if it does not."""
        self._thread.join(seconds)
        assert not self.running, f"the stream still runs after {seconds} s"
        return self
