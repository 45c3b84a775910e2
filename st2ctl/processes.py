"""Processes by identity: a pid may be somebody else's by the time it is used, so its start time goes with it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """One process of this boot of the machine."""

    pid: int
    #: Clock ticks from boot to the start of the process.
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this pid now; None when there is none, or only a zombie."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name before the last parenthesis may hold anything; state is field 3, the start time field 22.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        return Process.of(self.pid) == self

    def started_at(self) -> float:
        """Seconds since the epoch."""
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.time() - since_boot + self.started / _CLOCK_TICKS

    def send(self, number: signal.Signals) -> bool:
        """Signal it, and nobody else; False when it is gone."""
        with self._descriptor() as descriptor:
            if descriptor is None:
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            return True

    def wait(self, timeout: float) -> bool:
        """Whether it has ended after at most ``timeout`` seconds."""
        with self._descriptor() as descriptor:
            if descriptor is None:
                return True
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(max(0.0, timeout) * 1000))

    @contextlib.contextmanager
    def _descriptor(self) -> Iterator[int | None]:
        """A pidfd of the process. It pins the process, so that what is checked here is what gets the signal."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield descriptor if self.alive() else None
        finally:
            os.close(descriptor)


class PidFile:
    """``<pid> <start time>`` of a process that a later command will ask about."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, pid: int) -> None:
        process = Process.of(pid)
        if process is None:
            return  # it has ended already, so there is nothing to find later
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(f"{process.pid} {process.started}\n")

    def read(self) -> Process | None:
        """The process, when it still lives."""
        try:
            pid, started = (int(word) for word in self.path.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        process = Process(pid, started)
        return process if process.alive() else None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


class DetachedChild:
    """A child that is meant to outlive us; while we live we can still see how it ended."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Start it out of reach of our terminal; what it prints is appended to ``log``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                cwd="/",
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = child.pid
        self._exit_code: int | None = None
        # Popen complains about a child that it has not waited for; from here on this is ours to do.
        child.returncode = 0

    def poll(self) -> int | None:
        """Its exit code (minus the signal's number for one that was killed); None while it runs."""
        if self._exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit_code = os.waitstatus_to_exitcode(status)
        return self._exit_code
