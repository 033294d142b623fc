"""One measurement: a target, a cell, some seconds."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from harness import raw

from . import processes, prompts

HERE = Path(__file__).resolve().parent
# Without so many replies for each caller, what was begun and not finished
# weighs too much to divide by what was finished.
REPLIES_PER_CALLER_MIN = 2


def one_request(target, cell, body):
    """Asks once, before it is measured: a target that refuses is no measurement."""
    url = target.url(cell.lane)
    cut = url.index("/", len("http://"))
    reply = raw.post(url[:cut], url[cut:], body, target.key)
    if reply.status != 200 or not reply.complete:
        raise RuntimeError(f"{target.name} answers {reply.status} in {cell.name}: {reply.body[:300]}")


def _command(target, cell, seconds):
    if cell.stream:
        return [sys.executable, HERE / "streams.py", cell.callers, seconds]
    # LiteLLM is slow, not broken: for it a late reply is no failed one.
    timeout = "60s" if target.name == "litellm" else "2s"
    shape = ["-t1", f"-c{cell.callers}", f"-d{seconds}s", "--timeout", timeout]
    return ["wrk", *shape, "-s", HERE / "post.lua", target.url(cell.lane)]


def _load(target, cell, seconds, bodies):
    """Runs the load generator; what it says, and the CPU that it used."""
    env = {**os.environ, "BENCH_BODIES": str(bodies), "BENCH_KEY": target.key}
    env["BENCH_URL"] = target.url(cell.lane)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(word) for word in _command(target, cell, seconds)]
    done = subprocess.run(command, env=env, capture_output=True, timeout=seconds + 60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"{command} failed: {done.stderr.decode()[-500:]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(lines[-1]), used


def measure(rig, target, cell, seconds):
    """Everything that is kept of one measurement."""
    rig.vendors.prepare(cell)
    bodies = prompts.write(rig.folder, cell)
    with open(bodies, "rb") as file:
        one_request(target, cell, file.readline().rstrip(b"\n"))
    every = [pid for each in rig.targets for pid in each.pids]
    was_idle = processes.wait_idle(every, 30)
    cpu = lambda pids: sum(map(processes.cpu_ns, pids))
    before, vendor_before = cpu(target.pids), cpu(rig.vendors.pids)
    report, generator = _load(target, cell, seconds, bodies)
    # What a target still does about the replies that it gave is its cost too.
    processes.wait_idle(every, 30)
    used, vendor_used = cpu(target.pids) - before, cpu(rig.vendors.pids) - vendor_before
    report["rate"] = report["requests"] / report["seconds"]
    report["was_idle"] = was_idle
    report["generator_cpu_s"] = round(generator, 3)
    if report["requests"] >= REPLIES_PER_CALLER_MIN * cell.callers or (
        cell.stream and report["requests"]
    ):
        report["cpu_us"] = used / 1000 / report["requests"]
        report["vendor_cpu_us"] = vendor_used / 1000 / report["requests"]
        if report.get("chunks"):
            report["cpu_us_per_chunk"] = used / 1000 / report["chunks"]
    return report


def starts(rig, count):
    """How long a gate takes from its start until it says that it is ready, and
    its memory two seconds later; with an empty ledger, as after `init`."""
    times, gate = [], rig.by_name["gate"].gate
    for _ in range(count):
        gate.stop()
        times.append(ready_ms(gate))
    time.sleep(2)
    return {"ready_ms": times, "idle_bytes": processes.rss_bytes(gate.process.popen.pid)}


def ready_ms(gate):
    """Starts a stopped gate; milliseconds until it says that it is ready."""
    begun = time.monotonic()
    gate.start(seconds=60)
    return (time.monotonic() - begun) * 1000


def disk_wait_us(folder, count=200):
    """Median of a small append that is made durable, on the ledger's disk."""
    path, times = folder / "disk-wait", []
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 1024)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1e6)
    path.unlink()
    return sorted(times)[count // 2]
