"""The processes of a run: all of its session, and all that descend from its first process."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int
    #: Clock ticks between boot and start: with the boot id this tells two processes of one number apart.
    start_ticks: int


def look_up(pid: int) -> Process | None:
    """The process as /proc shows it; None when there is none (any more)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The second field is the name in parentheses and may contain anything, parentheses too.
            fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Process(pid, fields[0].decode(), *(int(fields[index]) for index in (1, 2, 3, 19)))


@functools.cache
def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as source:
        return source.read().strip()


def members(leader: int) -> list[Process]:
    """The living processes of the session that ``leader`` began, and its descendants in other sessions."""
    processes = [process for name in os.listdir("/proc") if name.isdigit() and (process := look_up(int(name)))]
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    family = {process.pid for process in processes if process.session == leader} | {leader}
    unvisited = [leader]
    while unvisited:
        offspring = children.get(unvisited.pop(), [])
        family.update(offspring)
        unvisited.extend(offspring)
    return [process for process in processes if process.pid in family and process.state not in "ZX"]


def send(leader: int, number: int) -> None:
    """Signal every member once, and wake the stopped ones so that they notice."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)  # all at once: none of the group can fork away meanwhile
    refused: set[int] = set()
    for process in members(leader):
        try:
            os.kill(process.pid, 0 if process.group == leader else number)
            if process.state == "T":
                os.kill(process.pid, signal.SIGCONT)
        except ProcessLookupError:
            continue
        except PermissionError:
            refused.add(process.session)
    if refused:
        _send_as_root(refused, number)


def _send_as_root(sessions: set[int], number: int) -> None:
    """For a child that runs as another user through sudo. Not waited for: the keeper reaps it like any child."""
    name = signal.Signals(number).name.removeprefix("SIG")
    command = ["sudo", "-n", "pkill", f"-{name}", "-s", ",".join(map(str, sessions))]
    try:
        helper = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return
    helper.returncode = 0  # this object must never wait for it
