"""HTTP/1.1 as bytes: what is sent exactly as written, what comes back taken
apart strictly."""

import contextlib
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import sockets


@dataclass
class Answer:
    """One reply of a connection."""

    status: int
    headers: list
    body: bytes
    trailers: list

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    @property
    def code(self):
        """The refusal's code, as OpenAI's errors carry it."""
        return json.loads(self.body)["error"]["code"]


def address(base):
    """Host and port as a Host header has them."""
    return urlsplit(base).netloc


@contextlib.contextmanager
def line(base, context=None):
    """A connection, under TLS if a context is given."""
    with sockets.connect(base) as plain:
        if context is None:
            yield plain
            return
        host = urlsplit(base).hostname
        with context.wrap_socket(plain, server_hostname=host) as tls:
            yield tls


def _count(data):
    """How many whole replies these bytes hold."""
    try:
        return len(parse(data))
    except (AssertionError, KeyError, ValueError):
        return 0


def converse(base, *pieces, context=None, seconds=10.0, replies=None):
    """Sends the pieces, one after the other; all replies, and whether the
    other side closed within this time of silence. With `replies` it is left
    as soon as so many came."""
    with line(base, context) as socket:
        socket.settimeout(seconds)
        received, closed = b"", True
        try:
            for piece in pieces:
                socket.sendall(piece)
        except OSError:
            # It answered and closed before all was sent.
            pass
        try:
            while part := socket.recv(65536):
                received += part
                if replies and _count(received) >= replies:
                    break
        except TimeoutError:
            closed = False
        except OSError:
            pass
    return parse(received), closed


def _lines(block):
    pairs = (text.split(":", 1) for text in block.decode("latin-1").split("\r\n") if text)
    return [(name.lower(), value.strip()) for name, value in pairs]


def parse(data):
    """The replies that these bytes are; fails if they are not whole."""
    answers = []
    while data:
        head, gap, data = data.partition(b"\r\n\r\n")
        assert gap and head.startswith(b"HTTP/1.1 "), head[:200]
        first, _, rest = head.partition(b"\r\n")
        status, headers, trailers = int(first.split(b" ")[1]), _lines(rest), []
        named = dict(headers)
        if named.get("transfer-encoding") == "chunked":
            body, data, trailers = unchunk(data)
        else:
            length = int(named["content-length"])
            body, data = data[:length], data[length:]
            assert len(body) == length, "the reply ends early"
        answers.append(Answer(status, headers, body, trailers))
    return answers


def unchunk(data):
    """Body, rest and trailers."""
    body = b""
    while True:
        size, gap, data = data.partition(b"\r\n")
        assert gap, "the reply ends early"
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        body += data[:length]
        assert data[length : length + 2] == b"\r\n", "the reply ends early"
        data = data[length + 2 :]
    if data.startswith(b"\r\n"):
        return body, data[2:], []
    block, gap, data = data.partition(b"\r\n\r\n")
    assert gap, "the reply ends early"
    return body, data, _lines(block)


class Request:
    """A chat request as bytes, right unless something is said to be wrong."""

    def __init__(self, base, key, model="m"):
        self.host, self.key = address(base), key
        self.document = {"model": model, "messages": [{"role": "user", "content": "hi"}]}

    def __call__(
        self,
        line="POST /v1/chat/completions HTTP/1.1",
        host=None,
        more="",
        body=None,
        length=True,
        end="\r\n",
        **fields,
    ):
        """host: the Host lines; more: further lines; body: bytes in place of
        the document; length: whether Content-Length says it; end: of lines."""
        if body is None:
            body = json.dumps({**self.document, **fields}).encode()
        lines = [line.replace("HOST", self.host)]
        lines += [f"host: {self.host}"] if host is None else host
        lines += [f"authorization: Bearer {self.key}", "content-type: application/json"]
        lines += more.splitlines() if isinstance(more, str) else more
        lines += [f"content-length: {len(body)}"] if length else []
        return end.join([*lines, "", ""]).encode("latin-1") + body
