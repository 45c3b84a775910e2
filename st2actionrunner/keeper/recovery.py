"""What a former keeper left behind: spools without an end, and perhaps children without a parent."""

from __future__ import annotations

import json
import os
import signal

from st2actionrunner.keeper import session
from st2actionrunner.keeper.complaint import complain
from st2actionrunner.spool import EXITED, HEADER, STARTED, SpoolDamaged, SpoolReader


def recover(directory: str) -> list[str]:
    """End the children that a lost keeper could not; the names of the runs that had ended before.

    A spool without an exited frame stays so: nobody knows how that run ended.
    """
    names = []
    for entry in os.scandir(directory):
        spool = entry.path + "/spool"
        if os.path.exists(spool) and _has_ended(spool):
            names.append(entry.name)
    return names


def _has_ended(path: str) -> bool:
    kind, started = 0, b""
    reader = SpoolReader(path)
    try:
        while frames := reader.read(HEADER.size):  # one at a time: only the kinds matter
            kind = frames[-1].kind
            started = frames[-1].payload if kind == STARTED else started
    except SpoolDamaged as error:
        complain(f"{path}: damaged at {reader.offset}: {error}")
    finally:
        reader.close()
    if kind != EXITED and started:
        _end(json.loads(started))
    return kind == EXITED


def _end(started: dict[str, object]) -> None:
    """Its pipes lead nowhere, so a child that still lives can only be ended."""
    pid = started["pid"]
    if not isinstance(pid, int) or started["boot_id"] != session.boot_id():
        return
    leader = session.look_up(pid)
    if leader is None or leader.start_ticks == started["start_ticks"]:
        session.send(pid, signal.SIGKILL)
