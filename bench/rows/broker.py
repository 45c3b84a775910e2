"""An action that prints while the broker is away."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.client import Gate
from bench.report import Row, percentile
from bench.session import Session

_LINES = 200
_INTERVAL = 0.1
_AWAY_SECONDS = 10.0


def rows(session: Session) -> Iterator[Row]:
    broker = session.platform.broker
    gate = Gate(session.platform)
    execution_id = session.api.post("bench.ticks", count=_LINES, interval=_INTERVAL, gate=str(gate.path))
    with session.watching(execution_id, 1, "--latency") as watching:
        watching.wait_ready()
        gate.open()
        time.sleep(2)
        broker.kill()
        left = time.monotonic()
        time.sleep(_AWAY_SECONDS)
        broker.start()
        away = time.monotonic() - left
        [seen] = watching.results()
    lost = 1 + _LINES - seen.lines  # the first one says that it is ready
    yield Row(
        f"broker killed and away for {away:.0f} s, {_LINES} lines {_INTERVAL * 1000:.0f} ms apart: never seen",
        f"{lost} (latest line {percentile(seen.latencies_ms, 100) / 1000:.1f} s late)"
        + ("" if seen.ended else ", NO END"),
        aim="0",
        met=not lost and seen.ended,
    )
