"""Lines per second from the action to the log and to a watcher; CPU and memory of that."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import baselines
from bench.client import Gate
from bench.processes import CpuMeter, PeakMemory
from bench.report import Row
from bench.session import Session, Watching

_AIM_RATE = 90_000
_AIM_MILLION_SECONDS = 15.0
_AIM_CPU_US = 15.0
# A million lines are 80 MB: no daemon may keep more than a part of them.
_AIM_GROWTH_MB = 32

# A row on CPU needs enough lines for a clock of 10 ms.
_CPU_LINES = 100_000
_RESULT_BYTES = 2 * 1024 * 1024


def rows(session: Session) -> Iterator[Row]:
    for count in (1_000, 10_000, 100_000, 1_000_000):
        for kind in ("shell", "python"):
            yield from _measure(session, kind, count)


def _measure(session: Session, kind: str, count: int) -> Iterator[Row]:
    daemons = session.platform.daemons()
    gate = Gate(session.platform)
    execution_id = session.api.post(f"bench.{kind}_lines", count=count, gate=str(gate.path))
    with session.watching(execution_id, 1) as watching:
        watching.wait_ready()
        memory = PeakMemory(daemons)
        meter = CpuMeter({name: daemons[name] for name in ("st2actionrunner", "keeper")})
        took, seen = _release(gate, watching)
    session.ends.wait(execution_id)
    cpu_us = sum(meter.seconds().values()) / count * 1e6
    growth = memory.growth_mb()
    stored = sum(block.count(b"\n") for block in session.api.raw_stdout(execution_id)) - 1
    yield _rate(session, f"{count:,} lines, {kind}, stored and seen", kind, count, (took, seen, stored))
    if count >= _CPU_LINES:
        aim = f"<= {_AIM_CPU_US:.0f} us"
        yield Row("  CPU of runner and keeper per line", f"{cpu_us:.1f} us", aim=aim, met=cpu_us <= _AIM_CPU_US)
    if count == 1_000_000:
        grown = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in growth.items() if megabytes >= 1) or "none"
        flat = max(growth.values()) <= _AIM_GROWTH_MB
        yield Row(
            "  growth of the daemons' memory by it", f"MB: {grown}", aim=f"flat (<= {_AIM_GROWTH_MB} MB)", met=flat
        )
        if kind == "shell":
            yield _bounded_result(session, execution_id)


def _release(gate: Gate, watching: Watching) -> tuple[float, int]:
    """Let the action print; seconds until the watcher had the last line, and how many it saw."""
    start = time.time()
    gate.open()
    [seen] = watching.results()
    # The line before the gate does not count.
    return seen.last - start, (seen.lines - 1) if seen.ended else 0


def _rate(session: Session, name: str, kind: str, count: int, found: tuple[float, int, int]) -> Row:
    took, seen, stored = found
    rate = count / took
    complete = seen == stored == count
    pipe = baselines.pipe_lines_per_second(kind, count)
    insert = baselines.inserted_lines_per_second(session.platform, count)
    aim, met = "complete", complete
    if count == 10_000:
        aim, met = f">= {_AIM_RATE:,} lines/s", complete and rate >= _AIM_RATE
    if count == 1_000_000:
        aim, met = f"complete, <= {_AIM_MILLION_SECONDS:.0f} s", complete and took <= _AIM_MILLION_SECONDS
    return Row(
        name,
        f"{rate:,.0f} lines/s ({took:.2f} s)"
        + ("" if complete else f", NOT COMPLETE: {seen:,} seen, {stored:,} stored"),
        f"pipe {pipe:,.0f}, insert_many {insert:,.0f}",
        f"{rate / pipe:.2f}, {rate / insert:.2f}",
        aim,
        met,
    )


def _bounded_result(session: Session, execution_id: str) -> Row:
    result = str(session.api.get(execution_id)["result"]["stdout"])
    marked = "left out" in result[-200:]
    return Row(
        "  its result",
        f"{len(result):,} characters, " + ("marked as cut" if marked else "NO MARK"),
        aim="bounded, marked",
        met=marked and len(result) <= _RESULT_BYTES,
    )
