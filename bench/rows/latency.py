"""From the printing of a line to its arrival at watchers."""

from __future__ import annotations

from collections.abc import Iterator

from bench import baselines
from bench.client import Gate
from bench.report import Row, percentile, percentiles
from bench.session import Session

_LINES = 200
_INTERVAL = 0.05
# The aims are absolute; beside them stands what the floor of this run would allow: insert, publish and this much more.
_AIM_P50_MS, _AIM_P99_MS = 4.0, 10.0
_OWN_MS = 2.0


def rows(session: Session) -> Iterator[Row]:
    insert = baselines.insert_ms(session.platform, _INTERVAL)
    publish = baselines.publish_ms(session.platform, _INTERVAL)
    floors = {percent: percentile(insert, percent) + percentile(publish, percent) for percent in (50, 95, 99)}
    for watchers in (1, 50, 200):
        yield _measure(session, watchers, floors)


def _measure(session: Session, watchers: int, floors: dict[int, float]) -> Row:
    gate = Gate(session.platform)
    execution_id = session.api.post("bench.ticks", count=_LINES, interval=_INTERVAL, gate=str(gate.path))
    with session.watching(execution_id, watchers, "--latency") as watching:
        watching.wait_ready()
        gate.open()
        seen = watching.results()
    session.ends.wait(execution_id)
    times = [latency for each in seen for latency in each.latencies_ms]
    lost = watchers * _LINES - len(times)
    p50, p99 = percentile(times, 50), percentile(times, 99)
    return Row(
        f"line latency p50 / p95 / p99, {watchers} watcher{'s' if watchers > 1 else ''}",
        f"{percentiles(times, 50, 95, 99)} ms, lost {lost}",
        "insert + publish " + " / ".join(f"{floors[percent]:.1f}" for percent in (50, 95, 99)) + " ms",
        f"{p50 / floors[50]:.1f} / {p99 / floors[99]:.1f}",
        _aim(floors) if watchers == 1 else "",
        (p50 <= _AIM_P50_MS and p99 <= _AIM_P99_MS and not lost) if watchers == 1 else None,
    )


def _aim(floors: dict[int, float]) -> str:
    allowed = f"{floors[50] + _OWN_MS:.1f} / {floors[99] + _OWN_MS:.1f}"
    return f"<= {_AIM_P50_MS:.0f} / {_AIM_P99_MS:.0f} ms (floor + {_OWN_MS:.0f}: {allowed})"
