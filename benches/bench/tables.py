"""The results as Markdown."""

from . import aims
from .cells import CALLERS, DELAYS_MS, PROMPTS, STREAM_PACE_MS, Cell
from .targets import LiteLLM, Merestone, Nginx, Vendors

TITLES = {
    Vendors.name: Vendors.title,
    Nginx.name: Nginx.title,
    **Merestone.TITLES,
    LiteLLM.name: LiteLLM.title,
}


def _cell(found, name, scale=1):
    value = (found or {}).get(name)
    if value is None:
        return "–"
    value /= scale
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _whole(results, prompt, delay):
    heads = [""]
    for callers in CALLERS:
        heads += [f"c={callers}: req/s", "p50 ms", "p99 ms", "CPU µs/req", "failed"]
    rows = []
    for target, title in TITLES.items():
        row = [title]
        for callers in CALLERS:
            found = results.of(target, Cell(prompt, callers, delay))
            row += [_cell(found, "rate"), _cell(found, "p50_us", 1000)]
            row += [_cell(found, "p99_us", 1000), _cell(found, "cpu_us"), _cell(found, "failed")]
        if set(row[1:]) != {"–"}:
            rows.append(row)
    return _table(heads, rows) if rows else ""


def _streamed(results, prompt, delay):
    heads = [""]
    for callers in STREAM_PACE_MS:
        heads += [f"c={callers}: first byte p50 ms", "p99", "first text p50 ms", "p99"]
        heads += ["end p50 ms", "streams", "CPU µs/stream", "µs/chunk", "failed"]
    rows = []
    for target, title in TITLES.items():
        row = [title]
        for callers in STREAM_PACE_MS:
            found = results.of(target, Cell(prompt, callers, delay, stream=True))
            row += [_cell(found, "first_byte_p50_us", 1000), _cell(found, "first_byte_p99_us", 1000)]
            row += [_cell(found, "first_text_p50_us", 1000), _cell(found, "first_text_p99_us", 1000)]
            row += [_cell(found, "total_p50_us", 1000), _cell(found, "requests")]
            row += [_cell(found, "cpu_us"), _cell(found, "cpu_us_per_chunk")]
            row += [_cell(found, "failed")]
        if set(row[1:]) != {"–"}:
            rows.append(row)
    return _table(heads, rows) if rows else ""


def _memory(results):
    rows = []
    for target, title in TITLES.items():
        sizes = results.gate.get("memory", {}).get(target)
        if sizes:
            rows.append([title, *(f"{size / aims.MIB:.1f}" for size in sizes)])
    return _table(["", "before the load, MiB", "after it, MiB"], rows) if rows else ""


def _profile(results):
    profile = results.profile
    if "symbols" not in profile:
        return profile["note"] + "\n"
    rows = [[share, f"`{symbol}`", where] for share, where, symbol in profile["symbols"]]
    return f"{profile['cell']}.\n\n" + _table(["CPU", "symbol", "in"], rows)


def markdown(results):
    """The whole report."""
    plan = results.plan
    parts = [
        "# Benchmark\n",
        f"Mode {plan.name}: {plan.rounds} interleaved rounds of {plan.seconds} s "
        f"(streams {plan.stream_seconds} s); medians. See benches/README.md.\n",
        _table(["", ""], results.machine.items()),
        "## Aims\n",
        _table(["what", "aim", "reached"], aims.rows(results)),
    ]
    if results.notes:
        parts += ["## Notes of this run\n", "\n".join(f"- {note}" for note in results.notes) + "\n"]
    for prompt in PROMPTS:
        for delay in DELAYS_MS:
            if table := _whole(results, prompt, delay):
                parts += [f"## {prompt}, whole replies, vendor after {delay} ms\n", table]
    for prompt in PROMPTS:
        for delay in DELAYS_MS:
            if table := _streamed(results, prompt, delay):
                parts += [f"## {prompt}, streams of 60 chunks, vendor after {delay} ms\n", table]
    parts += ["## Resident memory\n", _memory(results)]
    parts += ["## Largest costs of the gate\n", _profile(results)]
    return "\n".join(parts)
