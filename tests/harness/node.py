"""Runs calls of the official Node SDKs: one process for a list of calls."""

import json
import os
import shutil
import subprocess

from .paths import TESTS


def run(api, calls, seconds=120):
    """Runs calls in order; each is {"name", "base", "key", "call", "params"}.

    Returns by name {"ok": what the SDK gave} or {"error": {class, status, ...}}.
    """
    return script(api, calls, seconds)


def script(name, told, seconds=120, **env):
    """Runs tests/node/NAME.mjs: what it is told and what it tells is JSON."""
    assert shutil.which("node"), "node is not installed"
    assert (TESTS / "node_modules").is_dir(), "run `npm ci` in tests/ first"
    done = subprocess.run(
        ["node", str(TESTS / "node" / f"{name}.mjs")],
        input=json.dumps(told).encode(),
        capture_output=True,
        timeout=seconds,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
