"""Workflows: what a task costs, and many items."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import baselines
from bench.processes import PeakMemory
from bench.report import Row, percentile, percentiles
from bench.session import Session

_TASKS = 40
_RUNS = 15
_AIM = 15.0

_ITEMS = 1000
_CONCURRENCY = 50
_FLAT_MB = 32.0


def rows(session: Session) -> Iterator[Row]:
    inserts = baselines.insert_ms(session.platform)
    yield _sequence(session, f"insert_one {percentile(inserts, 50):.1f} ms")
    yield from _items(session)


def _sequence(session: Session, insert: str) -> Row:
    for _ in range(2):
        session.ends.wait(session.api.post("bench.noops"))
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        execution_id = session.api.post("bench.noops")
        times.append((session.ends.wait(execution_id) - start) * 1000 / _TASKS)
    p50 = percentile(times, 50)
    return Row(
        f"a workflow of {_TASKS} tasks that do nothing, POST to succeeded, by task, p50 / p95",
        f"{percentiles(times, 50, 95)} ms",
        insert,
        aim=f"p50 <= {_AIM:.0f} ms",
        met=p50 <= _AIM,
    )


def _items(session: Session) -> Iterator[Row]:
    memory = PeakMemory(session.platform.daemons())
    start = time.perf_counter()
    execution_id = session.api.post("bench.items", count=_ITEMS, concurrency=_CONCURRENCY)
    took = session.ends.wait(execution_id) - start
    growth = memory.growth_mb()
    grown = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in growth.items() if megabytes >= 1) or "none"
    yield Row(
        f"a task with {_ITEMS:,} items (core.local), {_CONCURRENCY} at once, POST to succeeded",
        f"{took:.1f} s, {_ITEMS / took:.0f} per s",
    )
    flat = max(growth.values()) <= _FLAT_MB
    yield Row("  growth of the daemons' memory by it", f"MB: {grown}", aim=f"flat (<= {_FLAT_MB:.0f} MB)", met=flat)
