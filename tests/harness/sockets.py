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


@contextlib.contextmanager
def tls_front(behind, context):
    """A TLS server on loopback that passes every connection's bytes on to the
    plain server `behind`; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pipe(source, sink):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
        for line in (source, sink):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def carry(line):
        with contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as tls:
            with connect(behind) as plain:
                back = threading.Thread(target=pipe, args=(plain, tls), daemon=True)
                back.start()
                pipe(tls, plain)
                back.join(5)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                threading.Thread(target=carry, args=(line,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def unused_port():
    """A loopback URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
