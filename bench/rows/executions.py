"""Executions: from the POST to the event that says succeeded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from bench import baselines
from bench.client import Api
from bench.processes import CpuMeter
from bench.report import Row, percentile, percentiles
from bench.session import Session

_SEQUENTIAL = 50
_BURST = 100
_THREADS = 20
# The median of some, because another program's work in one second is enough to spoil one.
_BURSTS = 5


def rows(session: Session) -> Iterator[Row]:
    inserts = baselines.insert_ms(session.platform)
    insert = f"insert_one {percentile(inserts, 50):.1f} ms"
    yield _sequential(session, "core.local cmd=true", "core.local", {"cmd": "true"}, insert, 25.0)
    yield from _bursts(session)
    yield _sequential(session, "a trivial python action", "bench.trivial", {}, insert, 40.0)


def _sequential(session: Session, name: str, action: str, parameters: dict[str, str], baseline: str, aim: float) -> Row:
    for _ in range(3):
        session.ends.wait(session.api.post(action, **parameters))
    times = []
    for _ in range(_SEQUENTIAL):
        start = time.perf_counter()
        execution_id = session.api.post(action, **parameters)
        times.append((session.ends.wait(execution_id) - start) * 1000)
    p50 = percentile(times, 50)
    return Row(
        f"{name}, POST to succeeded, p50 / p95",
        f"{percentiles(times, 50, 95)} ms, {1000 * len(times) / sum(times):.0f} per s",
        baseline,
        aim=f"p50 <= {aim:.0f} ms",
        met=p50 <= aim,
    )


def _bursts(session: Session) -> Iterator[Row]:
    meter = CpuMeter(session.platform.everything())
    rates = [_burst_rate(session) for _ in range(_BURSTS)]
    cpu = {name: seconds * 1000 / (_BURSTS * _BURST) for name, seconds in meter.seconds().items()}
    confirmed = baselines.published_per_second(session.platform, confirm=True, count=500)
    plain = baselines.published_per_second(session.platform, confirm=False, count=2000)
    aim = 60 if session.platform.sync else 100
    yield Row(
        f"the same, {_BURST} at once from {_THREADS} threads, median of {_BURSTS}",
        f"{percentile(rates, 50):.0f} per s ({min(rates):.0f} to {max(rates):.0f})",
        f"publish {plain:,.0f} per s, with confirms {confirmed:,.0f}",
        aim=f">= {aim} per s",
        met=percentile(rates, 50) >= aim,
    )
    parts = ", ".join(f"{name} {each:.1f}" for name, each in cpu.items() if each >= 0.1)
    yield Row("  CPU for each of them, without the action's own", f"{sum(cpu.values()):.1f} ms: {parts}")


def _burst_rate(session: Session) -> float:
    ends: list[float] = []
    start = time.perf_counter()
    threads = [threading.Thread(target=_post_some, args=(session, ends)) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(ends) != _BURST:
        raise RuntimeError(f"{_BURST - len(ends)} of {_BURST} executions did not succeed")
    return _BURST / (max(ends) - start)


def _post_some(session: Session, ends: list[float]) -> None:
    api = Api(session.platform)
    posted = [api.post("core.local", cmd="true") for _ in range(_BURST // _THREADS)]
    ends += [session.ends.wait(execution_id) for execution_id in posted]
    api.close()
