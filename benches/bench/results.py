"""All measurements of a run, and what they come to: medians over the rounds."""

import json
from dataclasses import asdict
from statistics import median

MEDIANS = ("rate", "p50_us", "p99_us", "cpu_us", "vendor_cpu_us", "cpu_us_per_chunk")
POOLED = ("first_byte_us", "first_text_us", "total_us")
FAILURES = ("refused", "broken", "timeouts", "unfinished")


def percentile(values, share):
    """The smallest value that this share of all does not exceed."""
    ordered = sorted(values)
    at = max(0, min(len(ordered) - 1, -(-len(ordered) * share // 100) - 1))
    return ordered[int(at)]


class Results:
    """What was measured so far."""

    def __init__(self, plan, machine):
        self.plan, self.machine = plan, machine
        self.runs, self.notes = {}, []
        self.gate, self.profile = {}, {"note": "no profile: the run ended before it"}

    def add(self, round_number, target, cell, report):
        self.runs.setdefault((target, cell), []).append({"round": round_number, **report})

    def note(self, text):
        self.notes.append(text)

    def of(self, target, cell):
        """Medians of a cell's rounds; None if it was not measured."""
        runs = self.runs.get((target, cell))
        if not runs:
            return None
        found = {"rounds": len(runs), "requests": sum(run["requests"] for run in runs)}
        found["failed"] = sum(run.get(name, 0) for run in runs for name in FAILURES)
        for name in MEDIANS:
            values = [run[name] for run in runs if name in run]
            if values and found["requests"]:
                found[name] = median(values)
        for name in POOLED:
            values = [value for run in runs for value in run.get(name, [])]
            if values:
                stem = name.removesuffix("_us")
                found[f"{stem}_p50_us"] = median(values)
                found[f"{stem}_p99_us"] = percentile(values, 99)
        return found

    def value(self, target, cell, name):
        """One number of a cell, or None."""
        found = self.of(target, cell)
        return found.get(name) if found else None

    def write_json(self, path):
        runs = [
            {"target": target, "cell": asdict(cell), **run}
            for (target, cell), several in self.runs.items()
            for run in several
        ]
        document = {
            "machine": self.machine,
            "plan": asdict(self.plan),
            "gate": self.gate,
            "profile": self.profile,
            "notes": self.notes,
            "runs": runs,
        }
        path.write_text(json.dumps(document, indent=1) + "\n")
