"""What is measured: what each scanner finds, and what it takes."""

import collections
import json
import shutil

import peers


def _folder(path, texts):
    """A file for each text, and all of them as lines of JSON."""
    shutil.rmtree(path, ignore_errors=True)
    (path / "files").mkdir(parents=True)
    with open(path / "all.jsonl", "w") as lines:
        for number, text in enumerate(texts):
            (path / "files" / f"{number:06}.txt").write_text(text, newline="")
            lines.write(json.dumps({"text": text}) + "\n")


def quality(scanners, records, path, say):
    """For each scanner: values covered and touched, and harmless texts in
    which it found something."""
    _folder(path, [record.text for record in records])
    rows = {}
    for scanner in scanners:
        usage, found = peers.run(scanner, path, path / "report.out")
        by_file = collections.defaultdict(list)
        for name, text in found:
            by_file[name].append(text)
        rows[scanner.name] = row = _row(records, by_file)
        row |= {"cpu_s": usage.cpu, "rss": usage.rss}
        say(f"{scanner.name}: covered {row['covered']} of {row['values']}, {usage.cpu:.2f} CPU s")
    shutil.rmtree(path)
    return {"quality": rows}


def _row(records, by_file):
    row = collections.Counter(values=0, covered=0, touched=0, harmless=0, fired=0)
    by_name = collections.defaultdict(lambda: [0, 0])
    for number, record in enumerate(records):
        found = by_file.get(f"{number:06}.txt", [])
        if record.harmless:
            row["harmless"] += 1
            row["fired"] += bool(found)
        for name, value in record.values:
            covered = any(value in text for text in found)
            row["values"] += 1
            row["covered"] += covered
            row["touched"] += covered or any(text and text in value for text in found)
            by_name[name][0] += 1
            by_name[name][1] += covered
    return {**row, "by_name": dict(by_name)}


def _least(scanner, path):
    """The run of three that took the least; the first may fill a cache."""
    runs = [peers.run(scanner, path, path / "report.out") for _ in range(3)]
    return min(runs, key=lambda run: run[0].cpu)


def speed(scanners, text, path, say):
    """One large text at once, less what a run without a text takes."""
    rows = {}
    whole = text.decode(errors="replace")
    for scanner in scanners:
        _folder(path, ["\n"])
        start, _ = _least(scanner, path)
        # Files of a megabyte, since some do not look at larger ones.
        pieces = [whole[at : at + 1_000_000] for at in range(0, len(whole), 1_000_000)]
        _folder(path, pieces)
        usage, found = _least(scanner, path)
        size = sum(len(piece.encode()) for piece in pieces)
        cpu = max(usage.cpu - start.cpu, 1e-6)
        rows[scanner.name] = {
            "bytes": size,
            "cpu_s": cpu,
            "mb_per_cpu_s": size / 1e6 / cpu,
            "start_cpu_s": start.cpu,
            "rss": usage.rss,
            "findings": len(found),
            "findings_per_mb": len(found) / (size / 1e6),
        }
        say(f"{scanner.name}: {rows[scanner.name]['mb_per_cpu_s']:.1f} MB per CPU second")
    shutil.rmtree(path)
    return rows


def table(results):
    """The results as Markdown."""
    lines = [
        "| scanner | values covered | touched | harmless texts in which it fired |",
        "|---|---|---|---|",
    ]
    quality_, speed_ = results["quality"], results["speed"]
    for name, row in quality_.items():
        share = lambda part, whole: f"{row[part]}/{row[whole]} ({row[part] / max(row[whole], 1):.3f})"
        lines.append(f"| {name} | {share('covered', 'values')} | {row['touched']} | {share('fired', 'harmless')} |")
    lines += [
        "",
        "| scanner | MB per CPU s | CPU s to start | resident MiB | findings a MB of clean text |",
        "|---|---|---|---|---|",
    ]
    for name, row in speed_.items():
        lines.append(
            f"| {name} | {row['mb_per_cpu_s']:.1f} | {row['start_cpu_s']:.2f} | {row['rss'] >> 20} | {row['findings_per_mb']:.2f} |"
        )
    names = sorted({name for row in quality_.values() for name in row["by_name"]})
    lines += ["", "| value | " + " | ".join(quality_) + " |", "|---|" + "---|" * len(quality_)]
    for name in names:
        cells = [row["by_name"].get(name, [0, 0]) for row in quality_.values()]
        lines.append(f"| {name} | " + " | ".join(f"{got}/{of}" for of, got in cells) + " |")
    return "\n".join(lines) + "\n"
