"""Attackers, and a caller who wants to be served meanwhile."""

import contextlib
import ctypes
import json
import os
import platform
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from . import paths
from .http1 import Request

MEMORY_MIB_MAX = 256
QUIET_SECONDS = 10 if paths.LONG else 1
SEND_BYTES = 64 << 10
# A percentile wants calls: an attack that is over in a moment goes on for so long.
ATTACK_SECONDS = 10 if paths.LONG else 0
# In a long run the gate has half of the processors and nobody else has them:
# with everybody on all of them, two threads of the gate share one by turns of
# milliseconds while an attacker has the other.
_PROCESSORS = sorted(os.sched_getaffinity(0))
_HALF = len(_PROCESSORS) // 2 if paths.LONG else 0
GATE, OTHERS = set(_PROCESSORS[:_HALF]), set(_PROCESSORS[_HALF:])


def run_on(processors, process=None):
    """Gives a process, or what this thread does and starts, these processors."""
    if not _HALF:
        return
    threads = [0]
    if process:
        threads = [int(thread.name) for thread in Path(f"/proc/{process.pid}/task").iterdir()]
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, processors)


def _of_each_thread(process, change):
    """In a long run each of these processes stands for a machine of its own."""
    if paths.LONG:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            with contextlib.suppress(PermissionError, ProcessLookupError):
                change(int(thread.name))


def come_first(process):
    """The witness, and the vendor that only the witness asks: whenever they
    want to. A low niceness does not do: whoever had a little more than their
    share waits for the kernel's next tick, behind somebody idle."""
    first = os.SCHED_FIFO, os.sched_param(1)
    _of_each_thread(process, lambda thread: os.sched_setscheduler(thread, *first))


class _Scheduling(ctypes.Structure):
    """struct sched_attr of Linux, as long as it was at first."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    ]


def give_way(process=None, gives=True):
    """This thread and what it starts from now on, or a process, asks the
    kernel for long slices, which are interrupted by whoever asks for shorter
    ones; or for usual ones again. To be idle would not do: beside those that
    are, threads that had a little more than their share wait for the next
    tick. Where a kernel knows no such wish (before Linux 6.12) nothing is
    wrong with what is measured, but the attacker's share of it."""
    syscall_number, slice_ns = 314, 100_000_000  # sched_setattr on x86-64
    if platform.machine() != "x86_64":
        return
    wanted = _Scheduling(size=ctypes.sizeof(_Scheduling), runtime=slice_ns if gives else 0)
    libc = ctypes.CDLL(None, use_errno=True)

    def ask(thread):
        if libc.syscall(syscall_number, thread, ctypes.byref(wanted), 0):
            print("slices stay as they are:", os.strerror(ctypes.get_errno()))

    if process:
        _of_each_thread(process, ask)
    else:
        ask(0)


def peak_mib(gate):
    """The most memory that the gate's process ever had, as the kernel counts."""
    return _status_mib(gate, "VmHWM")


def rss_mib(gate):
    """What it has now."""
    return _status_mib(gate, "VmRSS")


def _status_mib(gate, name):
    with open(f"/proc/{gate.process.popen.pid}/status") as file:
        (line,) = [line for line in file if line.startswith(name + ":")]
    return int(line.split()[1]) / 1024


def cpu_seconds(gate):
    """The processor time that the gate took so far."""
    with open(f"/proc/{gate.process.popen.pid}/stat") as file:
        # Behind the name, which may hold anything: the 14th and 15th of all.
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Witness:
    """A caller in a process of its own (harness/witness.py), who calls again
    and again and notes how each call went."""

    def __init__(self, url, key):
        self.took, self.failed = [], []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.witness"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        come_first(self._process)
        self._process.stdin.write(f"{url} {key}\n".encode())
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"served\n", "it was served once"

    def stop(self, calls=1):
        """Ends it, as soon as it made so many calls."""
        self._process.stdin.write(f"{calls}\n".encode())
        told, _ = self._process.communicate(timeout=40)
        self.took, self.failed = json.loads(told)
        return self

    @property
    def p99(self):
        took = sorted(self.took)
        return took[len(took) * 99 // 100]


class Crowd:
    """Many connections, each of which is served its bytes slowly.

    `begin`: what each sends at once; `drip`: what it sends then, one byte at
    a time, for ever again from its start.
    """

    def __init__(self, url, count, begin=b"", drip=b"", every=0.3, half_close=False):
        parts = urlsplit(url)
        self._lines, self.drip, self._every = [], drip, every
        self.answers = {}
        for _ in range(count):
            line = socket.create_connection((parts.hostname, parts.port), timeout=10)
            with contextlib.suppress(OSError):
                line.sendall(begin)
                if half_close:
                    line.shutdown(socket.SHUT_WR)
            line.setblocking(False)
            self._lines.append(line)
            self.answers[line] = b""
        self._open = set(self._lines)

    @property
    def open(self):
        """How many connections the gate has not closed."""
        return len(self._open)

    def run(self, seconds, until=lambda crowd: False):
        """Drips and reads for so long, or until there is nobody left."""
        ends, due, at = time.monotonic() + seconds, 0.0, 0
        with selectors.DefaultSelector() as selector:
            for line in self._open:
                selector.register(line, selectors.EVENT_READ)
            while self._open and time.monotonic() < ends and not until(self):
                if self.drip and time.monotonic() >= due:
                    due = time.monotonic() + self._every
                    byte = self.drip[at % len(self.drip) :][:1]
                    at += 1
                    for line in list(self._open):
                        with contextlib.suppress(OSError):
                            line.send(byte)
                for key, _ in selector.select(0.05):
                    line = key.fileobj
                    try:
                        part = line.recv(65536)
                    except BlockingIOError:
                        continue
                    except OSError:
                        part = b""
                    self.answers[line] += part
                    if not part:
                        selector.unregister(line)
                        self._open.discard(line)
        return self

    def close(self):
        for line in self._lines:
            line.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def on_idle_processors():
    """What this thread does, and what it starts, runs where nobody else wants
    to: an attacker has a machine of their own, and what the gate does for them
    is to be seen, not what they do themselves.

    In a long run they have processors of their own instead, and give way there
    to what the kernel does for the gate's disk."""
    if paths.LONG:
        give_way()
        try:
            yield
        finally:
            # What is started later, and measured in peace, has usual ones.
            give_way(gives=False)
        return
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextlib.contextmanager
def a_little_at_a_time():
    """What is sent meanwhile goes to the kernel in small parts: nobody gets
    the processor back from it while it copies megabytes and hands them to the
    other end, and that would be the attacker's machine."""
    connect, send = socket.socket.connect, socket.socket.send

    def connect_little(line, address):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        return connect(line, address)

    def send_little(line, data, flags=0):
        return send(line, memoryview(data)[:SEND_BYTES], flags)

    def send_all(line, data, flags=0):
        left = memoryview(data).cast("B")
        while left:
            left = left[send(line, left[:SEND_BYTES], flags) :]

    # As methods of the class, which hide those of the class that it is made of.
    little = {"connect": connect_little, "send": send_little, "sendall": send_all}
    for name, method in little.items():
        setattr(socket.socket, name, method)
    try:
        yield
    finally:
        for name in little:
            delattr(socket.socket, name)


class Attack:
    """How long an attack goes on, and who wants to be served meanwhile."""

    def __init__(self, witness):
        self.witness = witness
        self._until, self._begun = time.monotonic() + ATTACK_SECONDS, False

    def again(self):
        """Whether to attack: once, and in a long run again and again."""
        first, self._begun = not self._begun, True
        return first or time.monotonic() < self._until


class Siege:
    """A house (`build()`), what its caller sees in peace and under attack."""

    def __init__(self, build):
        run_on(GATE)
        self.house = house = build()
        for vendor in (house.openai, house.anthropic):
            run_on(OTHERS, vendor.process.popen)
        come_first(house.anthropic.process.popen)
        give_way(house.openai.process.popen)
        run_on(OTHERS)
        self.url = house.url
        self.request = Request(house.url, house.key)
        quiet = Witness(house.url, house.key)
        time.sleep(QUIET_SECONDS)
        self.quiet = quiet.stop(calls=20)
        assert not self.quiet.failed and len(self.quiet.took) >= 20

    @contextlib.contextmanager
    def attacked(self, served=10):
        """While this runs another caller is served, at least so often, and
        the gate keeps its memory."""
        witness = Witness(self.url, self.house.key)
        began, before = time.monotonic(), cpu_seconds(self.house.gate)
        try:
            with on_idle_processors(), a_little_at_a_time():
                yield Attack(witness)
        finally:
            busy = (cpu_seconds(self.house.gate) - before) / (time.monotonic() - began)
            witness.stop(calls=served)
        assert not witness.failed, witness.failed[:3]
        assert len(witness.took) >= served
        assert peak_mib(self.house.gate) < MEMORY_MIB_MAX
        if paths.LONG:
            took = [round(p99 * 1_000, 1) for p99 in (self.quiet.p99, witness.p99)]
            says = f"{len(witness.took)} calls, gate {busy:.0%} of a processor"
            print(f"p99 quiet and attacked: {took} ms, {says}", flush=True)
            assert witness.p99 < 2 * self.quiet.p99, (witness.p99, self.quiet.p99)
        assert self.house.gate.process.popen.poll() is None

    @staticmethod
    def lift():
        """Everybody has all processors again."""
        run_on(set(_PROCESSORS))
