"""Which cells are measured, for how long and how often."""

from dataclasses import dataclass

PROMPTS = {
    "200 B": 200,
    "4 KB": 4096,
    "64 KB": 65_536,
    "4 KB sensitive": 4096,
    "4 KB again": 4096,
}
CALLERS = (1, 32, 256)
DELAYS_MS = (0, 50)
STREAM_CHUNKS = 60
# Pause between a stream's chunks by callers: short for one caller, so that p99
# has samples; long for many, so that the load generator is not what is measured.
STREAM_PACE_MS = {1: 2, 32: 20}


@dataclass(frozen=True)
class Cell:
    """One question: this prompt, from so many callers, to a vendor that slow."""

    prompt: str
    callers: int
    delay_ms: int
    stream: bool = False

    @property
    def name(self):
        kind = "streamed" if self.stream else "whole"
        return f"{self.prompt}, {kind}, {self.callers} callers, vendor after {self.delay_ms} ms"

    @property
    def lane(self):
        """Which fake vendor answers: the cheap one, or the one that can wait."""
        return "paced" if self.stream or self.delay_ms else "quick"


@dataclass(frozen=True)
class Plan:
    """How thoroughly."""

    name: str
    rounds: int
    seconds: int
    stream_seconds: int
    starts: int
    profile_seconds: int
    # LIMIT: after so long no further measurement is begun.
    budget_seconds: int
    # LiteLLM answers a few dozen requests a second: with many callers it needs
    # longer for the first of them to end.
    slow_seconds: dict


QUICK = Plan("quick", 1, 1, 1, 3, 4, 480, {32: 3})
FULL = Plan("full", 3, 3, 4, 5, 8, 2160, {32: 5, 256: 20})


def all_cells():
    """Every cell. A stream with a slow vendor is measured at 4 KB only: the
    wait for the vendor does not depend on the prompt."""
    whole = [
        Cell(prompt, callers, delay)
        for prompt in PROMPTS
        for delay in DELAYS_MS
        for callers in CALLERS
        # What was seen before costs less; it is asked once.
        if not (prompt == "4 KB again" and delay)
    ]
    streams = [
        Cell(prompt, callers, delay, stream=True)
        for prompt, delay in [("200 B", 0), ("4 KB", 0), ("64 KB", 0), ("4 KB", 50)]
        for callers in STREAM_PACE_MS
    ]
    return whole + streams


def takes_part(target, cell, plan, round_number):
    """Whether a target is measured in a cell."""
    if target == "gate-ram":
        # It answers one question: what is left without the wait for the disk.
        return not cell.stream and cell.callers == 1 and cell.delay_ms == 0
    if target == "litellm" and cell.callers == 256:
        return 256 in plan.slow_seconds and round_number == 0 and cell.prompt in ("200 B", "4 KB")
    return True


def seconds(target, cell, plan):
    """How long one measurement lasts."""
    if cell.stream:
        return plan.stream_seconds
    if target == "litellm":
        return max(plan.seconds, plan.slow_seconds.get(cell.callers, 0))
    return plan.seconds
