"""Plain sockets: bytes that no HTTP library would send, in both directions."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit


def connect(base):
    parts = urlsplit(base)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def exchange(base, data):
    """Sends bytes and returns all that comes back until the peer closes."""
    with connect(base) as line:
        line.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while part := line.recv(65536):
                received += part
    return received


@contextlib.contextmanager
def rude_server(reply, close=True):
    """A server on loopback that answers every connection with these bytes once
    something arrived; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    lines = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                lines.append(line)
                line.recv(65536)
                line.sendall(reply)
                if close:
                    line.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for line in [listener, *lines]:
            line.close()


def unused_port():
    """A loopback URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
