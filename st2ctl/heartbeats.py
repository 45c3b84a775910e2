"""What the daemons of this host say of themselves: their status files, and the table that people read."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from st2common.service import HEARTBEAT_INTERVAL
from st2ctl.processes import Process

TITLE = "##### st2 components status #####"

# A daemon whose last sign of life is older than this hangs, in seconds.
_STUCK_AFTER = 3 * HEARTBEAT_INTERVAL

# A process starts before its status file says so, give or take what two clocks differ by, in seconds.
_CLOCK_TOLERANCE = 2.0


@dataclass(frozen=True)
class Heartbeat:
    """One living process."""

    name: str
    process: Process
    started_at: float
    listen: str | None
    ready: bool
    problem: str | None
    #: Seconds since the file was written.
    age: float

    @property
    def stuck(self) -> bool:
        return self.age > _STUCK_AFTER

    @property
    def well(self) -> bool:
        return self.ready and not self.problem and not self.stuck

    def condition(self) -> str:
        if self.stuck:
            return f"stuck: no sign of life for {self.age:.0f} s"
        if not self.ready:
            return "starting"
        return self.problem or "healthy"


def read_all(state_path: Path) -> list[Heartbeat]:
    """The living processes, sorted by name and pid."""
    found = [_read(path) for path in (state_path / "services").glob("*.json")]
    return sorted((each for each in found if each is not None), key=lambda each: (each.name, each.process.pid))


def remove_dead(state_path: Path) -> None:
    """Remove what processes that were killed left."""
    for path in (state_path / "services").glob("*.json"):
        if _read(path) is None:
            path.unlink(missing_ok=True)


def table(beats: Sequence[Heartbeat], expected: Sequence[str]) -> list[str]:
    """The lines of the status: one for each process, and one for each expected component that has none."""
    rows = [(_first_column(beat), beat) for beat in beats]
    width = max((len(first) for first, _ in rows), default=0)
    lines = [
        f"{first:<{width}}  up {_duration(time.time() - beat.started_at):<8}  {beat.condition()}"
        + (f"  {beat.listen}" if beat.listen else "")
        for first, beat in rows
    ]
    running = {beat.name for beat in beats}
    return [TITLE, *sorted([*lines, *(f"{name} is not running." for name in expected if name not in running)])]


def _first_column(beat: Heartbeat) -> str:
    return f"{beat.name} PID: {beat.process.pid}"


def _read(path: Path) -> Heartbeat | None:
    try:
        age = time.time() - path.stat().st_mtime
        facts = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    process = Process.of(facts["pid"])
    if process is None or process.started_at() > facts["started_at"] + _CLOCK_TOLERANCE:
        return None
    return Heartbeat(
        name=facts["name"],
        process=process,
        started_at=facts["started_at"],
        listen=facts["listen"],
        ready=facts["ready"],
        problem=facts["health"] if facts["ready"] else None,
        age=age,
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"
