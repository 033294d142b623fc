"""What a process has used: CPU and memory, with all its threads and children."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """A process and its children, and theirs."""
    pids, at = [pid], 0
    while at < len(pids):
        for task in Path(f"/proc/{pids[at]}/task").glob("*/children"):
            try:
                pids += [int(word) for word in task.read_text().split()]
            except OSError:
                pass  # a thread that has just ended
        at += 1
    return pids


def _cpu_ns_of(pid):
    try:
        # The kernel's clock of another process's CPU time (clock_getcpuclockid):
        # what /proc/PID/stat says, ended threads too, but to the nanosecond.
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // TICKS


def cpu_ns(pid):
    """User and system CPU time of a process tree so far."""
    total = 0
    for each in tree(pid):
        try:
            total += _cpu_ns_of(each)
        except OSError:
            pass
    return total


def rss_bytes(pid):
    """Resident memory of a process tree."""
    total = 0
    for each in tree(pid):
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def wait_idle(pids, seconds, share=0.05):
    """Waits until these process trees use next to no CPU; false if they do not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = sum(map(cpu_ns, pids))
        time.sleep(0.1)
        if sum(map(cpu_ns, pids)) - before < share * 100_000_000:
            return True
    return False
