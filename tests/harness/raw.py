"""HTTP without an SDK: fast, exact to the byte, and honest about broken replies."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

WORKERS = 8
_local = threading.local()


@dataclass
class Reply:
    """What came back. `complete` is false if the body broke off."""

    status: int
    headers: dict
    body: bytes
    complete: bool = True

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def exchange(self):
        return self.headers.get("x-merestone-exchange")

    @property
    def message(self):
        """The error message, in whichever vendor's shape."""
        return self.json["error"]["message"]


def _connection(base):
    if not hasattr(_local, "connections"):
        _local.connections = {}
    if base not in _local.connections:
        parts = urlsplit(base)
        _local.connections[base] = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=60
        )
    return _local.connections[base]


def send(base, method, path, body=b"", headers=None, retried=False):
    """One request on this thread's kept-alive connection to `base`."""
    connection = _connection(base)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
    except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
        # A connection kept alive may have been closed meanwhile: once, anew.
        connection.close()
        if retried:
            raise
        return send(base, method, path, body, headers, retried=True)
    except BaseException:
        connection.close()
        raise
    heads = {name.lower(): value for name, value in reply.getheaders()}
    try:
        data, complete = reply.read(), True
    except http.client.IncompleteRead as error:
        data, complete = error.partial, False
    except ConnectionResetError:
        data, complete = b"", False
    if not complete:
        connection.close()
    return Reply(reply.status, heads, data, complete)


def post(base, path, body, key, **headers):
    """POSTs a JSON body as a caller with this key."""
    if not isinstance(body, (bytes, bytearray)):
        body = json.dumps(body, ensure_ascii=False).encode()
    heads = {"content-type": "application/json"}
    if key is not None:
        heads["authorization"] = f"Bearer {key}"
    if path.startswith("/v1/messages"):
        heads["anthropic-version"] = "2026-10-21"
    heads.update({name.replace("_", "-"): value for name, value in headers.items()})
    return send(base, "POST", path, body, heads)


def post_from(source, base, path, body, key):
    """POSTs as a caller at another address of this machine, on a connection
    of its own."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=60, source_address=(source, 0)
    )
    heads = {"content-type": "application/json"}
    if key is not None:
        heads["authorization"] = f"Bearer {key}"
    try:
        connection.request("POST", path, body=json.dumps(body).encode(), headers=heads)
        reply = connection.getresponse()
        heads = {name.lower(): value for name, value in reply.getheaders()}
        return Reply(reply.status, heads, reply.read())
    finally:
        connection.close()


def in_parallel(do, items, workers=WORKERS):
    """Does one thing to all items on a few threads; results in order."""
    items = list(items)
    if len(items) < 2:
        return [do(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(do, items))
