"""Lines per second from the action to the log and to a watcher; CPU and memory of that."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import baselines
from bench.client import Gate
from bench.processes import cpu_seconds
from bench.report import Row
from bench.session import Session

_AIM_RATE = 90_000
_AIM_MILLION_SECONDS = 15.0
_AIM_CPU_US = 15.0

# A row on CPU needs enough lines for a clock of 10 ms.
_CPU_LINES = 100_000


def rows(session: Session) -> Iterator[Row]:
    for count in (1_000, 10_000, 100_000, 1_000_000):
        for kind in ("shell", "python"):
            yield from _measure(session, kind, count)


def _measure(session: Session, kind: str, count: int) -> Iterator[Row]:
    platform = session.platform
    daemons = platform.daemons()
    runner = daemons["st2actionrunner"] + daemons["keeper"]
    gate = Gate(platform)
    execution_id = session.api.post(f"bench.{kind}_lines", count=count, gate=str(gate.path))
    with session.watching(execution_id, 1) as watching:
        watching.wait_ready()
        cpu_before = cpu_seconds(runner)
        start = time.time()
        gate.open()
        [seen] = watching.results()
    session.ends.wait(execution_id)
    cpu = cpu_seconds(runner) - cpu_before
    took = seen.last - start
    stored = sum(block.count(b"\n") for block in session.api.raw_stdout(execution_id)) - 1
    complete = seen.ended and seen.lines == stored + 1 == count + 1
    rate = count / took
    pipe = baselines.pipe_lines_per_second(kind, count)
    insert = baselines.inserted_lines_per_second(platform, count)
    floor = f"pipe {pipe:,.0f}, insert {insert:,.0f}"
    ratio = f"{rate / pipe:.2f}, {rate / insert:.2f}"
    measured = f"{rate:,.0f} lines/s ({took:.2f} s)" + (
        "" if complete else f", NOT COMPLETE: {seen.lines - 1:,} seen, {stored:,} stored"
    )
    name = f"{count:,} lines, {kind}, stored and seen"
    if count == 1_000_000:
        yield Row(
            name,
            measured,
            floor,
            ratio,
            f"complete, <= {_AIM_MILLION_SECONDS:.0f} s",
            complete and took <= _AIM_MILLION_SECONDS,
        )
        peaks = ", ".join(
            f"{component} {max(process.peak_rss_mb() for process in processes):.0f}"
            for component, processes in daemons.items()
        )
        yield Row("  peak RSS of each daemon so far, MB", peaks, aim="flat")
    elif count == 10_000:
        yield Row(name, measured, floor, ratio, f">= {_AIM_RATE:,}", complete and rate >= _AIM_RATE)
    else:
        yield Row(name, measured, floor, ratio, "complete", complete)
    if count >= _CPU_LINES:
        per_line = cpu / count * 1e6
        yield Row(
            "  CPU of runner and keeper per line",
            f"{per_line:.1f} us",
            aim=f"<= {_AIM_CPU_US:.0f} us",
            met=per_line <= _AIM_CPU_US,
        )
