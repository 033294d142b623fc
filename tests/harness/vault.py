"""A double of HashiCorp Vault's HTTP API, for tests only: no Vault.

It speaks what its documentation says of the key-value engine, version 2
(https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2): `GET
/v1/MOUNT/data/PATH` with a token, a namespace if it has one, and the errors of
a vault that is sealed, does not know the path or does not take the token; and
of the transit engine
(https://developer.hashicorp.com/vault/api-docs/secret/transit): `POST
/v1/MOUNT/encrypt/NAME` and `decrypt` with associated data. It can also be
slow, and say what no vault says.
"""

import base64
import json
import os
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SLOW_SECONDS_MAX = 60


def _stamp(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict


@dataclass
class Vault:
    """A double of a vault on a loopback port, in the clear or by TLS."""

    token: str
    namespace: str | None = None
    context: ssl.SSLContext | None = None
    sealed: bool = False
    slow_seconds: float = 0
    # What is sent in place of every answer: status, headers, body.
    says: tuple | None = None
    asked: list = field(default_factory=list)

    def __post_init__(self):
        self._secrets = {}
        # Keys of the transit engine, by mount and name.
        self.transit = {}
        self._hurry = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        if self.context is not None:
            self._server.socket = self.context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        # A certificate is made out to the name.
        return f"https://localhost:{self.port}" if self.context else f"http://127.0.0.1:{self.port}"

    def put(self, path, created=None, **fields):
        """A new version of a secret, as `vault kv put` writes one."""
        version = self._secrets.get(path, {"version": 0})["version"] + 1
        created = time.time() if created is None else created
        self._secrets[path] = {"version": version, "created": created, "fields": fields}

    def put_transit(self, path, key=None):
        """A key of a transit engine, as `vault write -f MOUNT/keys/NAME` makes one."""
        self.transit[path] = AESGCM(key or os.urandom(32))

    def stop(self):
        """Nobody listens any more."""
        self._hurry.set()
        self._server.shutdown()
        self._server.server_close()

    def hurry(self):
        """What waits is answered now, and nothing is slow any more."""
        self.slow_seconds = 0
        self._hurry.set()

    def refusal(self, headers):
        """Why a request is not answered, if so."""
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if headers.get("x-vault-request") != "true":
            # As an agent with `require_request_header` has it.
            return 412, {"errors": ["missing 'X-Vault-Request' header"]}
        right = headers.get("x-vault-token") == self.token
        if not right or headers.get("x-vault-namespace") != self.namespace:
            return 403, {"errors": ["permission denied"]}
        return None

    def post(self, path, headers, body):
        """Status and body for a request to a transit engine."""
        if refusal := self.refusal(headers):
            return refusal
        mount, verb, name = path.removeprefix("/v1/").rsplit("/", 2)
        key = self.transit.get(f"{mount}/{name}")
        if key is None:
            return 404, {"errors": []} if verb == "decrypt" else {"errors": ["encryption key not found"]}
        body = json.loads(body)
        beside = base64.b64decode(body.get("associated_data", ""), validate=True)
        if verb == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + key.encrypt(nonce, base64.b64decode(body["plaintext"], validate=True), beside)
            data = {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode(), "key_version": 1}
            return 200, {"data": data}
        sealed = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
        try:
            plain = key.decrypt(sealed[:12], sealed[12:], beside)
        except InvalidTag:
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}

    def answer(self, path, headers):
        """Status and body for a request, as Vault gives them."""
        if refusal := self.refusal(headers):
            return refusal
        mount, _, name = path.removeprefix("/v1/").partition("/data/")
        secret = self._secrets.get(f"{mount}/{name}")
        if secret is None:
            return 404, {"errors": []}
        metadata = {
            "created_time": _stamp(secret["created"]),
            "custom_metadata": None,
            "deletion_time": "",
            "destroyed": False,
            "version": secret["version"],
        }
        return 200, {
            "request_id": "00000000-0000-0000-0000-000000000000",
            "lease_id": "",
            "renewable": False,
            "lease_duration": 0,
            "data": {"data": secret["fields"], "metadata": metadata},
            "wrap_info": None,
            "warnings": None,
            "auth": None,
        }

    def wait_if_slow(self):
        if self.slow_seconds:
            self._hurry.wait(min(self.slow_seconds, SLOW_SECONDS_MAX))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Who asked has left, or spoke no TLS: nothing to tell."""


def _handler(vault):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_GET(self):
            self.answer(lambda headers: vault.answer(self.path, headers))

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            self.answer(lambda headers: vault.post(self.path, headers, body))

        def answer(self, given):
            headers = {name.lower(): value for name, value in self.headers.items()}
            vault.asked.append(Asked(self.path, headers))
            vault.wait_if_slow()
            if vault.says is not None:
                status, more, body = vault.says
            else:
                status, document = given(headers)
                more, body = {"content-type": "application/json"}, json.dumps(document).encode()
            try:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # Who asked has left.
                self.close_connection = True

        def log_message(self, *_):
            pass

    return Handler
