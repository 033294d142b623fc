"""A real PostgreSQL server (apt: postgresql) on a random loopback port.

Its data is in a folder of its own below the system's temporary folder, since
it does not run as root and pytest's folders are closed to others. `fsync` is
off: no test here looks at what a power cut leaves of it.
"""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .gate import secret
from .needles import fill
from .paths import rng
from .process import Process

ACCOUNT = "postgres"
# The first start of a copied folder on a busy machine.
READY_SECONDS = 60
_numbers = itertools.count(1)


def _binaries():
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    for folder in reversed(folders):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise AssertionError("there is no PostgreSQL server; `apt-get install -y postgresql` brings one")


def _as_account(command):
    """The command as an account that PostgreSQL runs under: never root."""
    if os.geteuid() != 0:
        return command
    # It becomes the program itself, so that the process's id is the program's.
    drop = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"]
    return [*drop, "--pdeathsig", "KILL", "--", *command]


def _own(path):
    if os.geteuid() == 0:
        for name in [path, *path.rglob("*")]:
            shutil.chown(name, ACCOUNT, ACCOUNT)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Postgres:
    """One server, with an account whose password is made up."""

    def __init__(self, folder, context_files=None):
        """folder: where its output goes. context_files: certificate and key
        (PEM), with which it speaks TLS too."""
        folder.mkdir(parents=True, exist_ok=True)
        self._binaries, self._out = _binaries(), folder
        self._home = Path(tempfile.mkdtemp(prefix="merestone-pg-"))
        self._home.chmod(0o755)
        self.data, self._sockets = self._home / "data", self._home / "s"
        self._sockets.mkdir()
        _own(self._home)
        self.port = _free_port()
        source = rng("postgres", next(_numbers))
        self.password = secret(fill("{alnum:32}", source), "a password of the store")
        self._starts, self._count, self._frozen = 0, 0, []
        self.process = None
        self._make(context_files)
        self.start()
        self.sql(f"CREATE ROLE gate LOGIN PASSWORD '{self.password}'")

    def _make(self, context_files):
        initdb = [self._binaries / "initdb", "-D", self.data, "-U", ACCOUNT, "--no-sync"]
        subprocess.run(
            _as_account([str(word) for word in [*initdb, "--auth=trust", "--encoding=UTF8"]]),
            check=True,
            capture_output=True,
            timeout=READY_SECONDS,
            cwd="/",
        )
        with open(self.data / "pg_hba.conf", "w") as rules:
            rules.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{self._sockets}'\n"
                "fsync = off\nfull_page_writes = off\nmax_connections = 40\n"
            )
            if context_files:
                settings.write("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n")
        if context_files:
            for source, name in zip(context_files, ["server.pem", "server.key"]):
                shutil.copy(source, self.data / name)
                (self.data / name).chmod(0o600)
        _own(self.data)

    def start(self):
        """Starts it and waits until it answers."""
        self._starts += 1
        command = _as_account([str(self._binaries / "postgres"), "-D", str(self.data)])
        self.process = Process(command, self._out, f"postgres-{self._starts}", cwd="/")
        until = time.monotonic() + READY_SECONDS
        while self._psql("postgres", "SELECT 1").returncode != 0:
            told = self.process.stderr_path.read_text()
            assert self.process.popen.poll() is None, told
            assert time.monotonic() < until, told
            time.sleep(0.05)

    def stop(self):
        """Ends it at once and in good order; whoever is connected is cut off."""
        self.thaw()
        if self.process.popen.poll() is None:
            self.process.popen.send_signal(signal.SIGINT)
        self.process.stop()

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self._home, ignore_errors=True)

    def freeze(self):
        """It hangs: connections stay open, and nothing answers."""
        pid = self.process.popen.pid
        os.kill(pid, signal.SIGSTOP)
        self._frozen = [pid]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            os.kill(child, signal.SIGSTOP)
            self._frozen.append(child)

    def thaw(self):
        """It goes on where it was."""
        for pid in reversed(self._frozen):
            # A child may not have outlived it.
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self._frozen = []

    def _psql(self, database, text):
        command = [self._binaries / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", self._sockets, "-p", self.port, "-U", ACCOUNT, "-d", database, "-c", text]
        return subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
            cwd="/",
        )

    def sql(self, text, database="postgres"):
        """Runs a statement past the gate; the rows as lists of texts."""
        done = self._psql(database, text)
        assert done.returncode == 0, done.stderr.decode()
        return [line.split("|") for line in done.stdout.decode().splitlines()]

    def database(self):
        """The name of a new, empty database of the account."""
        self._count += 1
        name = f"gate{self._count}"
        self.sql(f"CREATE DATABASE {name} OWNER gate")
        return name

    def url(self, database, host="127.0.0.1", password=None, query=""):
        password = self.password if password is None else password
        return f"postgres://gate:{password}@{host}:{self.port}/{database}{query}"
