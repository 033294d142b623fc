"""Callers that keep a gate busy and note exactly how far each reply came."""

import http.client
import json
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import sse


@dataclass
class Call:
    """One call and how far its reply came: none, partial or complete."""

    exchange: str | None = None
    received: int = 0
    came: str = "none"


class Load:
    """A few callers, each with its own connection, half of them streaming."""

    def __init__(self, url, key, callers=8):
        self.calls = []
        self._url, self._key = urlsplit(url), key
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,), daemon=True)
            for number in range(callers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Waits until every caller has noticed the end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        return self.calls

    def _run(self, streamed):
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=20)
        while True:
            call = Call()
            self.calls.append(call)
            try:
                self._call(connection, call, streamed)
            except (OSError, http.client.HTTPException):
                return
            if self._stop.is_set():
                return

    def _call(self, connection, call, streamed):
        body = json.dumps(
            {
                "model": "m",
                "stream": streamed,
                "messages": [
                    {"role": "user", "content": "some words that are echoed one after the other"}
                ],
            }
        )
        heads = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        connection.request("POST", "/v1/chat/completions", body, heads)
        reply = connection.getresponse()
        call.exchange, call.came = reply.headers["x-merestone-exchange"], "partial"
        data = b""
        while part := reply.read1(4096):
            data += part
            call.received += len(part)
        whole = not streamed or sse.ended("openai", data) == "stop"
        if reply.status == 200 and whole:
            call.came = "complete"
