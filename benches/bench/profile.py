"""Where the gate's CPU goes, if this machine has `perf`."""

import shutil
import subprocess

from . import measure, prompts
from .cells import Cell

CELL = Cell("4 KB", 32, 0)
TOP = 15


def record(rig, seconds):
    """The costliest symbols of the gate at 4 KB, or why there are none:
    {"symbols": [[percent, object, symbol]]} or {"note": text}."""
    if not shutil.which("perf"):
        return {"note": "no profile: this machine has no `perf` (Debian: linux-perf)"}
    target, out = rig.by_name["gate"], rig.folder / "perf.data"
    command = ["perf", "record", "-q", "-F", "997", "-o", out, "-p", target.pids[0]]
    command += ["--", "sleep", seconds]
    rig.vendors.prepare(CELL)
    prompts.write(rig.folder, CELL)
    perf = subprocess.Popen(
        [str(word) for word in command], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        measure.measure(rig, target, CELL, seconds + 1)
        _, errors = perf.communicate(timeout=60)
    finally:
        if perf.poll() is None:
            perf.kill()
            perf.wait(10)
    if perf.returncode or not out.exists():
        return {"note": f"no profile: `perf record` failed: {errors.decode()[-200:].strip()}"}
    return _report(out)


def _report(path):
    command = ["perf", "report", "--stdio", "--no-children", "--no-inline", "-i", str(path)]
    command += ["--sort", "dso,symbol", "-w", "24,200", "-t", "\t"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=180, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return {"note": "no profile: `perf report` took more than three minutes"}
    symbols = []
    for line in done.stdout.decode(errors="replace").splitlines():
        parts = [part.strip() for part in line.split("\t")]
        if line.startswith("#") or len(parts) < 3 or not parts[0].endswith("%"):
            continue
        symbols.append([parts[0], parts[1], parts[2].removeprefix("[.] ").removeprefix("[k] ")])
    if not symbols:
        return {"note": f"no profile: `perf report` said nothing: {done.stderr.decode()[-200:]}"}
    return {"symbols": symbols[:TOP], "cell": CELL.name}
