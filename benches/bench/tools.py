"""What must be there before anything is measured: says what it installs."""

import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

# command: Debian package
APT = {"wrk": "wrk", "nginx": "nginx-light"}


def run(say, *words, **more):
    """Runs a command that must succeed."""
    say("$ " + " ".join(map(str, words)))
    subprocess.run([str(word) for word in words], check=True, stdin=subprocess.DEVNULL, **more)


def install(say):
    """wrk and nginx, by apt if they are missing."""
    missing = [package for command, package in APT.items() if not shutil.which(command)]
    if not missing:
        return
    say(f"installing with apt: {', '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    run(say, *sudo, "apt-get", "update", "-qq", env=env)
    run(say, *sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=env)


def build(say, root):
    """The release binaries, unless the environment names others; it names them
    afterwards."""
    if "MERESTONE_BIN" in os.environ and "FAKE_VENDOR_BIN" in os.environ:
        say("MERESTONE_BIN and FAKE_VENDOR_BIN are set: nothing is built")
        return
    run(say, "cargo", "build", "--release", "--locked", "-p", "merestone", "-p", "doubles", cwd=root)
    os.environ["MERESTONE_BIN"] = str(root / "target/release/merestone")
    os.environ["FAKE_VENDOR_BIN"] = str(root / "target/release/fake-vendor")


def litellm(say, root):
    """A virtual environment of its own for LiteLLM's proxy."""
    venv, wanted = root / "target/bench-venv", root / "benches/requirements.txt"
    installed = venv / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted.read_text():
        say("installing LiteLLM's proxy from PyPI (benches/requirements.txt, about 750 MB on disk)")
        run(say, "python3", "-m", "venv", venv)
        run(say, venv / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", wanted)
        shutil.copy(wanted, installed)
    return venv


def _output(*words):
    try:
        done = subprocess.run(
            words, capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "unknown"


def machine(root, binary, folder):
    """What a reader must know to compare: machine, versions, and how quiet it was."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpus if "model name" in line), "unknown")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    changed = _output("git", "-C", str(root), "status", "--porcelain") not in ("unknown", "")
    pinned = (root / "benches/requirements.txt").read_text().splitlines()
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory} GiB",
        "kernel": platform.release(),
        "ledger's filesystem": _output("stat", "-f", "-c", "%T", str(folder)),
        "load before": "%.2f" % os.getloadavg()[0],
        "commit": _output("git", "-C", str(root), "rev-parse", "--short", "HEAD")
        + (" with changes" if changed else ""),
        "merestone": f"{_output(str(binary), '--version')} ({binary})",
        "nginx": _output("nginx", "-v"),
        "wrk": _output("wrk", "-v").split(" Copyright")[0],
        "litellm": next((line for line in pinned if line.startswith("litellm==")), "left out"),
    }
