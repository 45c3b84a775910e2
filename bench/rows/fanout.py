"""Many watchers of one action: a burst for 200, and 24 that join while the action runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.client import Gate
from bench.report import Row
from bench.session import Session

_WATCHERS = 200
_BURST_LINES = 10_000
_AIM_RATE = 200_000

_JOINERS = 24
_JOIN_LINES = 200
_JOIN_INTERVAL = 0.02


def rows(session: Session) -> Iterator[Row]:
    yield _burst(session, "shell")
    yield _burst(session, "python")
    yield _joining(session)


def _burst(session: Session, kind: str) -> Row:
    gate = Gate(session.platform)
    execution_id = session.api.post(f"bench.{kind}_lines", count=_BURST_LINES, gate=str(gate.path))
    with session.watching(execution_id, _WATCHERS) as watching:
        watching.wait_ready()
        start = time.time()
        gate.open()
        seen = watching.results()
    session.ends.wait(execution_id)
    delivered = sum(each.lines - 1 for each in seen)
    lost = _WATCHERS * _BURST_LINES - delivered
    rate = delivered / (max(each.last for each in seen) - start)
    return Row(
        f"{_WATCHERS} watchers, burst of {_BURST_LINES:,} lines, {kind}, delivered in sum",
        f"{rate:,.0f} lines/s, lost {lost}",
        aim=f">= {_AIM_RATE:,}, 0",
        met=rate >= _AIM_RATE and not lost,
    )


def _joining(session: Session) -> Row:
    gate = Gate(session.platform)
    execution_id = session.api.post("bench.ticks", count=_JOIN_LINES, interval=_JOIN_INTERVAL, gate=str(gate.path))
    gate.open()
    stagger = _JOIN_LINES * _JOIN_INTERVAL * 0.9 / _JOINERS
    with session.watching(execution_id, _JOINERS, "--stagger", str(stagger)) as watching:
        seen = watching.results()
    session.ends.wait(execution_id)
    missing = sum(each.lines != _JOIN_LINES + 1 for each in seen)
    return Row(
        f"{_JOINERS} watchers joining while the action runs: those that miss lines",
        str(missing),
        aim="0",
        met=not missing,
    )
