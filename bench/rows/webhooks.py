"""Webhooks: from the POST to the command that a rule runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import baselines
from bench.client import DEADLINE
from bench.report import Row, percentile, percentiles
from bench.session import Session

_WARM, _MEASURED = 5, 50
_AIM_MS = 30.0
# Seconds between two looks whether the command has run. It says itself when that was.
_LOOK = 0.002


def rows(session: Session) -> Iterator[Row]:
    inserts = baselines.insert_ms(session.platform)
    with tempfile.TemporaryDirectory(prefix="st2-bench-hook-") as directory:
        Path(directory).chmod(0o777)
        _make_rule(session, directory)
        times = [_run(session, Path(directory) / str(number)) for number in range(_WARM + _MEASURED)][_WARM:]
    p50 = percentile(times, 50)
    yield Row(
        "webhook POST to the command of its rule running, p50 / p95",
        f"{percentiles(times, 50, 95)} ms",
        f"insert_one {percentile(inserts, 50):.1f} ms",
        aim=f"p50 <= {_AIM_MS:.0f} ms",
        met=p50 <= _AIM_MS,
    )


def _make_rule(session: Session, directory: str) -> None:
    rule = {
        "name": "hook",
        "pack": "bench",
        "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": "bench"}},
        "action": {
            "ref": "core.local",
            "parameters": {"cmd": f"date +%s%N > {directory}/{{{{ trigger.body.number }}}}"},
        },
    }
    session.api.call("POST", "/v1/rules", rule)


def _run(session: Session, told: Path) -> float:
    """Milliseconds from before the request to what the command says of the time."""
    start = time.time_ns()
    session.api.call("POST", "/v1/webhooks/bench", {"number": told.name})
    deadline = time.monotonic() + DEADLINE
    while not (told.exists() and (said := told.read_text()).endswith("\n")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the command of request {told.name} has not run")
        time.sleep(_LOOK)
    return (int(said) - start) / 1_000_000
