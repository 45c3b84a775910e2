"""What streaming costs an action: the wall time of 10,000 lines with ``stream_output`` on and off."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.report import Row, percentile
from bench.session import Session

_LINES = 10_000
_TIMES = 15
_AIM = 1.3


def rows(session: Session) -> Iterator[Row]:
    with session.platform.streaming_off():
        off = {kind: _wall_ms(session, kind) for kind in ("shell", "python")}
    # Now the runner has been restarted for both.
    on = {kind: _wall_ms(session, kind) for kind in ("shell", "python")}
    for kind in on:
        ratio = on[kind] / off[kind]
        yield Row(
            f"{_LINES:,} lines, {kind}: POST to succeeded, streaming on, median of {_TIMES}",
            f"{on[kind]:.0f} ms",
            f"streaming off {off[kind]:.0f} ms",
            f"{ratio:.2f}",
            f"<= {_AIM} x",
            ratio <= _AIM,
        )


def _wall_ms(session: Session, kind: str) -> float:
    times = []
    for _ in range(_TIMES + 1):
        start = time.perf_counter()
        execution_id = session.api.post(f"bench.{kind}_lines", count=_LINES)
        times.append((session.ends.wait(execution_id) - start) * 1000)
    # The first one may have had to start a warm parent.
    return percentile(times[1:], 50)
