"""From the printing of a line to its arrival at watchers."""

from __future__ import annotations

from collections.abc import Iterator

from bench import baselines
from bench.client import Gate
from bench.report import Row, percentile, percentiles
from bench.session import Seen, Session

_LINES = 200
_INTERVAL = 0.05
# The aims are absolute; beside them stands what the floor of this run would allow: insert, publish and this much more.
_AIM_P50_MS, _AIM_P99_MS = 4.0, 10.0
_OWN_MS = 2.0


def rows(session: Session) -> Iterator[Row]:
    # How fast an idle machine wakes changes from minute to minute: the floor is of both sides of what stands on it.
    insert, publish = _floor_times(session)
    one = _watched(session, watchers=1)
    insert_after, publish_after = _floor_times(session)
    floors = {
        percent: percentile(insert + insert_after, percent) + percentile(publish + publish_after, percent)
        for percent in (50, 95, 99)
    }
    yield _row(one, floors)
    for watchers in (50, 200):
        yield _row(_watched(session, watchers), floors)


def _floor_times(session: Session) -> tuple[list[float], list[float]]:
    return baselines.insert_ms(session.platform, _INTERVAL), baselines.publish_ms(session.platform, _INTERVAL)


def _watched(session: Session, watchers: int) -> list[Seen]:
    gate = Gate(session.platform)
    execution_id = session.api.post("bench.ticks", count=_LINES, interval=_INTERVAL, gate=str(gate.path))
    with session.watching(execution_id, watchers, "--latency") as watching:
        watching.wait_ready()
        gate.open()
        seen = watching.results()
    session.ends.wait(execution_id)
    return seen


def _row(seen: list[Seen], floors: dict[int, float]) -> Row:
    watchers = len(seen)
    times = [latency for each in seen for latency in each.latencies_ms]
    lost = sum(1 + _LINES - each.lines for each in seen)  # the first one says that it is ready
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
