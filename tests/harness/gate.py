"""The product's binary as a test sees it: a gate, its command line and its ledger."""

import json
import os
import subprocess
import time

from . import config
from .paths import MERESTONE, VENDOR_KEY
from .process import Process
from .vendor import Vendor

# Everything that the final search (test_zz_secrecy.py) must look through.
OUTPUTS = []
STATES = []
KEYS = set()
# Other secrets of this run (vendors' keys, tokens, passwords), with what each is.
SECRETS = {}

ENV = {
    **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
    "FAKE_OPENAI_KEY": VENDOR_KEY,
    "FAKE_ANTHROPIC_KEY": VENDOR_KEY,
    "NO_COLOR": "1",
}


def secret(text, name):
    """Enters a secret that no output and no file of a state folder may hold."""
    SECRETS[text] = name
    return text


class Result:
    """How one command of the command line ended."""

    def __init__(self, done):
        self.code = done.returncode
        self.stdout = done.stdout.decode()
        self.stderr = done.stderr.decode()

    @property
    def text(self):
        return self.stdout + self.stderr

    @property
    def json(self):
        assert self.code == 0, self.text
        return json.loads(self.stdout)

    @property
    def lines(self):
        """One JSON object for each line."""
        assert self.code == 0, self.text
        return [json.loads(line) for line in self.stdout.splitlines() if line.strip()]


class Gate:
    """One merestone on its own folder."""

    def __init__(self, folder, text):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "merestone.toml"
        self.file.write_text(text)
        self.process = None
        self.url = None
        self._starts = 0
        STATES.append(folder / "data")

    def cli(self, *words, secret=False, seconds=60, env=None):
        """Runs one command against this gate's configuration; `env` stands
        beside the fixed environment."""
        assert MERESTONE.exists(), f"{MERESTONE} is not built; set MERESTONE_BIN"
        command = [str(MERESTONE), *map(str, words), "--config", str(self.file)]
        done = subprocess.run(
            command,
            capture_output=True,
            env={**ENV, **(env or {})},
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
        result = Result(done)
        if not secret:
            log = self.folder / "cli.log"
            with open(log, "a") as file:
                file.write(result.text)
            if log not in OUTPUTS:
                OUTPUTS.append(log)
        return result

    def start(self, seconds=30.0):
        """Starts it and waits until it says that it is ready."""
        assert MERESTONE.exists(), f"{MERESTONE} is not built; set MERESTONE_BIN"
        self._starts += 1
        name = f"gate-{self._starts}"
        self.process = Process([MERESTONE, "up", "--config", self.file], self.folder, name, env=ENV)
        OUTPUTS.extend([self.process.stdout_path, self.process.stderr_path])
        start = "merestone is ready on "
        self.url = self.process.wait_for_line(start, self.process.stderr_path, seconds)
        return self

    def stop(self):
        return self.process.stop()

    def kill(self):
        return self.process.kill()

    def restart(self, text=None):
        """Stops it in good order and starts it, with a new configuration if given."""
        self.stop()
        if text is not None:
            self.file.write_text(text)
        return self.start()

    def ask_key(self, owner="tester", vendors=(), models=(), expires_in=None, maker=None, **more):
        """What `key create` says: `maker` is the key by which it is made,
        `more` are options such as requests_per_minute and verb (a list)."""
        words = ["key", "create", "--owner", owner, "--json"]
        for vendor in vendors:
            words += ["--vendor", vendor]
        for model in models:
            words += ["--model", model]
        if expires_in:
            words += ["--expires-in", expires_in]
        for name, values in more.items():
            for value in values if isinstance(values, (list, tuple)) else [values]:
                words += ["--" + name.replace("_", "-"), value]
        env = None
        if maker is not None:
            words += ["--made-by-env", "MAKER_KEY"]
            env = {"MAKER_KEY": maker["key"]}
        return self.cli(*words, secret=True, env=env)

    def key(self, *args, **wanted):
        """A new virtual key: {"key": the secret, "id": its public name}."""
        made = self.ask_key(*args, **wanted).json
        KEYS.add(made["key"])
        return made

    def revoke(self, key):
        result = self.cli("key", "revoke", key["id"])
        assert result.code == 0, result.text

    def ledger(self, count=1_000_000):
        """The newest leaves, oldest first."""
        entries = self.cli("ledger", "tail", "--json", "--count", count).lines
        assert [e["sequence"] for e in entries] == sorted(e["sequence"] for e in entries)
        return [entry["leaf"] for entry in entries]

    def leaves_of(self, exchange, count=200):
        """The leaves of one of the last exchanges."""
        return [leaf for leaf in self.ledger(count) if leaf.get("exchange") == exchange]

    def await_leaf(self, fits, seconds=5.0):
        """The newest leaf that fits, as soon as there is one."""
        until = time.monotonic() + seconds
        while True:
            leaves = self.ledger()
            for leaf in reversed(leaves):
                if fits(leaf):
                    return leaf
            if time.monotonic() > until:
                kinds = [(leaf["type"], leaf.get("code")) for leaf in leaves[-8:]]
                raise AssertionError(f"no such leaf; the newest are {kinds}")
            time.sleep(0.1)

    def verify(self):
        """`ledger verify` must be clean."""
        result = self.cli("ledger", "verify")
        assert result.code == 0, result.text
        return result

    def matrix(self):
        """The matrix rows by id."""
        return {row["id"]: row for row in self.cli("matrix", "--json").json["rows"]}


class House:
    """Two fake vendors and a gate between them and the test."""

    def __init__(self, folder, start=True, **wanted):
        folder.mkdir(parents=True, exist_ok=True)
        self.vendors = {api: Vendor(api, folder) for api in ("openai", "anthropic")}
        self.openai, self.anthropic = self.vendors["openai"], self.vendors["anthropic"]
        self.gate = Gate(folder / "house", self.config(**wanted))
        self._key = None
        if start:
            self.gate.start()

    def config(self, **wanted):
        urls = {"openai_url": self.openai.url, "anthropic_url": self.anthropic.url}
        return config.write(**{**urls, **wanted})

    @property
    def url(self):
        return self.gate.url

    @property
    def key(self):
        """A key that may do everything."""
        if self._key is None:
            self._key = self.gate.key()
        return self._key["key"]

    def close(self):
        try:
            if self.gate.process is not None and self.gate.process.popen.poll() is None:
                self.gate.stop()
        finally:
            for vendor in self.vendors.values():
                vendor.stop()
