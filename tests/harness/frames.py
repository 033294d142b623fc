"""HTTP/2 as frames written by hand (RFC 9113): what no library would send."""

import contextlib
import socket
import struct
import time
from urllib.parse import urlsplit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9,
)  # fmt: skip
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
CANCEL, REFUSED_STREAM, CALM = 8, 7, 11


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    """initial_window_size is the only one that is needed here."""
    names = {"initial_window_size": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, b"".join(struct.pack(">HI", names[k], v) for k, v in values.items()))


def reset(stream, code=CANCEL):
    return frame(RESET, struct.pack(">I", code), stream=stream)


def _length(value, prefix_bits, first):
    """An integer of HPACK (RFC 7541, 5.1)."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def field(name, value, indexed=False):
    """A literal header field, kept in the dynamic table if `indexed`."""
    name, value = name.encode(), value.encode()
    start = b"\x40" if indexed else b"\x00"
    return start + _length(len(name), 7, 0) + name + _length(len(value), 7, 0) + value


# The newest entry of the dynamic table: 61 static ones stand before it.
NEWEST = _length(62, 7, 0x80)


def head(url, key, length=None, path="/v1/chat/completions"):
    """The fields of a chat request."""
    named = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", urlsplit(url).netloc),
        ("authorization", f"Bearer {key}"),
        ("content-type", "application/json"),
    ]
    if length is not None:
        named.append(("content-length", str(length)))
    return b"".join(field(*pair) for pair in named)


def open_stream(stream, block, body=None, end=False):
    """HEADERS, and the whole body if there is one."""
    flags = END_HEADERS | (END_STREAM if end and body is None else 0)
    begun = frame(HEADERS, block, flags, stream)
    return begun if body is None else begun + frame(DATA, body, END_STREAM, stream)


class Peer:
    """One connection in HTTP/2; what came is taken apart as it comes."""

    def __init__(self, url, first=None, buffer_bytes=None):
        parts = urlsplit(url)
        self.line = socket.socket()
        if buffer_bytes:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.line.settimeout(10)
        self.line.connect((parts.hostname, parts.port))
        self._rest, self.frames, self.ended = b"", [], False
        self.line.sendall(PREFACE + (settings() if first is None else first))

    def send(self, data, seconds=10):
        """Sends all of it, reading meanwhile; how much the gate took before it
        ended the connection or took no more for so long."""
        self.line.setblocking(False)
        sent, until = 0, time.monotonic() + seconds
        view = memoryview(data)
        while sent < len(data) and not self.ended and time.monotonic() < until:
            self._take()
            try:
                sent += self.line.send(view[sent : sent + 65_536])
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                self._take()
                self.ended = True
        return sent

    def _take(self):
        try:
            while part := self.line.recv(1 << 18):
                self._rest += part
            self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        while len(self._rest) >= 9:
            length = int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < 9 + length:
                break
            kind, flags = self._rest[3], self._rest[4]
            stream = int.from_bytes(self._rest[5:9], "big") & 0x7FFF_FFFF
            payload, self._rest = self._rest[9 : 9 + length], self._rest[9 + length :]
            self.frames.append((kind, flags, stream, payload))

    def await_that(self, holds, seconds=10):
        """Reads until it is so; whether it is."""
        self.line.setblocking(False)
        until = time.monotonic() + seconds
        while not (found := holds(self)) and not self.ended and time.monotonic() < until:
            self._take()
            time.sleep(0.005)
        return found or holds(self)

    def of(self, kind):
        return [found for found in self.frames if found[0] == kind]

    @property
    def goaways(self):
        """The error codes by which the gate took leave."""
        return [struct.unpack(">I", payload[4:8])[0] for _, _, _, payload in self.of(GOAWAY)]

    @property
    def resets(self):
        """stream: the error code by which it was reset."""
        return {stream: struct.unpack(">I", payload)[0] for _, _, stream, payload in self.of(RESET)}

    def await_end(self, seconds=10):
        return self.await_that(lambda peer: peer.ended, seconds)

    def close(self):
        with contextlib.suppress(OSError):
            self.line.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
