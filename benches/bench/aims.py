"""What the benchmark aims at, beside what was reached. Nothing is judged here."""

from .cells import Cell

MIB = 1 << 20


def _number(value, unit=""):
    if value is None:
        return "not measured"
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}") + unit


def _ratio(results, name, over, under, cell):
    first, second = results.value(over, cell, name), results.value(under, cell, name)
    return first / second if first is not None and second else None


def _added(results, name, target, cell, beside="vendor"):
    """Milliseconds more than `beside` needs in the same cell."""
    first, second = results.value(target, cell, name), results.value(beside, cell, name)
    return (first - second) / 1000 if first is not None and second is not None else None


def rows(results):
    """(what, aim, reached) of every aim."""
    return [*_cost(results), *_latency(results), *_streams(results), *_alone(results)]


def _cost(results):
    for callers in (1, 32, 256):
        cell = Cell("4 KB", callers, 0)
        ratio = _ratio(results, "cpu_us", "gate", "nginx", cell)
        aim = "≤ 3 with rules only, ≤ 6 with everything (today rules are everything)"
        yield f"CPU per request, gate / nginx, 4 KB, {callers} callers", aim, _number(ratio, "×")
    for prompt, aim in (("4 KB", "≥ 0.7"), ("64 KB", "none here (peers.md: ≥ 0.35)")):
        cell = Cell(prompt, 32, 0)
        ratio = _ratio(results, "rate", "gate", "gate-off", cell)
        yield f"throughput, guards on / off, {prompt}, 32 callers", aim, _number(ratio)


def _latency(results):
    busy = Cell("4 KB", 256, 50)
    p99 = _added(results, "p99_us", "gate", busy)
    yield "p99 added to the vendor alone, 4 KB, 256 callers, 50 ms", "< 25 ms", _number(p99, " ms")
    yield "failed requests there", "0", _number(results.value("gate", busy, "failed"))
    alone = Cell("4 KB", 1, 0)
    aim = "< 0.15 ms"
    without = _added(results, "p50_us", "gate-ram", alone)
    yield "median added, 4 KB, 1 caller, no disk wait", aim, _number(without, " ms")
    durable = _added(results, "p50_us", "gate", alone)
    yield "the same with the disk wait", "none", _number(durable, " ms")
    hidden = _added(results, "p50_us", "gate", Cell("4 KB", 1, 50))
    yield "the same, vendor after 50 ms", "none", _number(hidden, " ms")


def _streams(results):
    for callers in (1, 32):
        for delay in (0, 50):
            cell = Cell("4 KB", callers, delay, stream=True)
            added = _added(results, "first_byte_p99_us", "gate", cell)
            what = f"first byte later at p99, 4 KB, {callers} callers, {delay} ms"
            yield what, "≤ 2 ms", _number(added, " ms")
    cell, whole = Cell("4 KB", 32, 0, stream=True), Cell("4 KB", 32, 0)
    chunk = results.value("gate", cell, "cpu_us_per_chunk")
    yield "CPU per chunk of a stream, request and all", "≤ 5 µs", _number(chunk, " µs")
    yield "the same without a whole request's cost", "≤ 5 µs", _number(
        _chunk_alone(results, "gate", cell, whole), " µs"
    )
    nginx = results.value("nginx", cell, "cpu_us_per_chunk")
    yield "nginx's CPU per chunk, request and all", "none", _number(nginx, " µs")


def _chunk_alone(results, target, cell, whole):
    stream, request = results.value(target, cell, "cpu_us"), results.value(target, whole, "cpu_us")
    chunk = results.value(target, cell, "cpu_us_per_chunk")
    if stream is None or request is None or not chunk:
        return None
    return (stream - request) * chunk / stream


def _alone(results):
    gate = results.gate
    mib = lambda name: gate[name] / MIB if name in gate else None
    yield "resident memory, idle after start", "< 40 MiB", _number(mib("idle_bytes"), " MiB")
    yield "the same after the load, idle again", "none", _number(mib("loaded_bytes"), " MiB")
    times = sorted(gate.get("ready_ms", []))
    ready = times[len(times) // 2] if times else None
    yield "start to ready, small ledger, median", "≤ 300 ms", _number(ready, " ms")
    size = mib("ledger_bytes")
    what = f"start to ready, ledger of {_number(size, ' MiB')}"
    yield what, "none", _number(gate.get("loaded_ready_ms"), " ms")
    yield "one durable 1 KiB append on this disk, median", "none", _number(
        gate.get("disk_wait_us"), " µs"
    )
