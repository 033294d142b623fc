"""Real servers that receive events: Debian's rsyslog over TLS, and nats-server
with JetStream. Each runs on loopback, in a folder of its own, and is ended by
its own id."""

import json
import shutil
import socket
import time
from urllib.parse import urlsplit

from .process import Process
from .sockets import unused_port


def _port():
    return urlsplit(unused_port()).port


def _await_port(process, port, seconds=20):
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.popen.poll() is None, process.stderr_path.read_text()
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.05)


class Rsyslog:
    """An rsyslog that takes RFC 5424 messages over TLS and writes what it
    parsed, an object a line."""

    def __init__(self, folder, certificates, callers=False):
        program = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
        assert program, "rsyslog is not installed; apt-get install rsyslog rsyslog-gnutls"
        folder.mkdir(parents=True)
        self._program, self._folder, self.port = program, folder, _port()
        self.file, self._starts = folder / "received.jsonl", 0
        names = ["syslogfacility-text", "syslogseverity-text", "timereported", "hostname"]
        names += ["app-name", "msgid", "structured-data", "msg"]
        fields = 'constant(value=",")'.join(
            f'property(name="{name}" outname="{name}" format="jsonf" '
            + ('dateFormat="rfc3339")' if name == "timereported" else ")")
            for name in names
        )
        mode = "x509/certvalid" if callers else "anon"
        (folder / "rsyslog.conf").write_text(
            f"""
global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
       defaultNetstreamDriverCAFile="{certificates.root}"
       defaultNetstreamDriverCertFile="{certificates.chain}"
       defaultNetstreamDriverKeyFile="{certificates.key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="{mode}")
template(name="parsed" type="list") {{
  constant(value="{{") {fields} constant(value="}}\\n")
}}
input(type="imtcp" port="{self.port}" address="127.0.0.1")
action(type="omfile" file="{self.file}" template="parsed")
"""
        )
        self.start()

    def start(self):
        self._starts += 1
        command = [self._program, "-n", "-f", self._folder / "rsyslog.conf"]
        command += ["-i", self._folder / "pid"]
        self.process = Process(command, self._folder, f"rsyslog-{self._starts}")
        _await_port(self.process, self.port)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    @property
    def messages(self):
        text = self.file.read_text() if self.file.exists() else ""
        # A line that is being written has no end yet.
        whole = text[: text.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines()]


class Nats:
    """A nats-server with JetStream and a token, or with TLS; `callers` is the
    file of an authority of which clients need a certificate."""

    def __init__(self, folder, token=None, certificates=None, callers=None, more=()):
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program, "nats-server is not installed; apt-get install nats-server"
        folder.mkdir(parents=True)
        self._program, self._folder, self.port, self._starts = program, folder, _port(), 0
        lines = [f'listen: "127.0.0.1:{self.port}"', f'jetstream {{ store_dir: "{folder}" }}']
        if token:
            lines.append(f'authorization {{ token: "{token}" }}')
        if certificates:
            files = f'cert_file: "{certificates.chain}", key_file: "{certificates.key}"'
            if callers:
                files += f', ca_file: "{callers}", verify: true'
            lines.append(f"tls {{ {files} }}")
        lines += more
        (folder / "nats.conf").write_text("\n".join(lines) + "\n")
        self.start()

    def start(self):
        self._starts += 1
        command = [self._program, "-c", self._folder / "nats.conf"]
        self.process = Process(command, self._folder, f"nats-{self._starts}")
        _await_port(self.process, self.port)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()


class NatsLine:
    """A small client of NATS' own protocol (docs.nats.io, client protocol), so
    that what is read does not come by the library that wrote it."""

    def __init__(self, port, token=None, context=None):
        self._line = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._read_line(self._line.recv(65536))
        if context is not None:
            self._line = context.wrap_socket(self._line, server_hostname="localhost")
        self._buffer, self._next = b"", 0
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
        if token:
            options["auth_token"] = token
        self._send(f"CONNECT {json.dumps(options)}\r\nSUB _IN.> 1\r\nPING\r\n".encode())
        while self._line_in() != b"PONG":
            pass

    def _read_line(self, data):
        assert data.startswith(b"INFO "), data

    def _send(self, data):
        self._line.sendall(data)

    def _more(self):
        part = self._line.recv(65536)
        assert part, "the server ended the connection"
        self._buffer += part

    def _line_in(self):
        while b"\r\n" not in self._buffer:
            self._more()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        if line == b"PING":
            self._send(b"PONG\r\n")
            return self._line_in()
        return line

    def ask(self, subject, document=None):
        """A request of JetStream's interface; the answer."""
        self._next += 1
        payload = b"" if document is None else json.dumps(document).encode()
        head = f"PUB {subject} _IN.{self._next} {len(payload)}\r\n".encode()
        self._send(head + payload + b"\r\n")
        words = self._line_in().split()
        length = int(words[-1])
        while len(self._buffer) < length + 2:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length + 2 :]
        assert words[0] == b"MSG", words
        answer = json.loads(body)
        assert "error" not in answer, answer
        return answer

    def stream(self, name, subjects, **more):
        self.ask(f"$JS.API.STREAM.CREATE.{name}", {"name": name, "subjects": subjects, **more})

    def count(self, name):
        return self.ask(f"$JS.API.STREAM.INFO.{name}")["state"]["messages"]

    def message(self, name, number):
        return self.ask(f"$JS.API.STREAM.MSG.GET.{name}", {"seq": number})["message"]
