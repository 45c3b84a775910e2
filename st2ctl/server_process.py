"""A server as a child process: started, waited for, found again by another process, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from st2common.errors import St2Error
from st2ctl import die_with_parent

# Seconds between two looks at a server that starts or stops.
_LOOK_INTERVAL = 0.05

# Seconds until a server that was asked to stop is killed.
STOP_TIMEOUT = 20.0


class ServerFailed(St2Error):
    """A server that this command needs did not start, or has ended."""


class ServerProcess:
    """One child process with a log and a pid file in ``directory``."""

    def __init__(self, name: str, directory: Path, supervised: bool) -> None:
        self.name = name
        self._directory = directory
        self._supervised = supervised
        self._child: subprocess.Popen[bytes] | None = None
        self._pid_file = directory / f"{name}.pid"
        self.log = directory / f"{name}.log"

    @property
    def pid(self) -> int | None:
        """The process id while the server runs, whoever started it; else None."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        return self._recorded_pid()

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        if self._supervised:
            script = [sys.executable, "-I", "-S", die_with_parent.__file__]
            command = [*script, str(os.getpid()), str(int(signal.SIGTERM)), *command]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                cwd=self._directory,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the supervisor, which stops us in order
            )
        self._pid_file.write_text(f"{self._child.pid} {_start_time(self._child.pid)}")

    def wait_until(self, answers: Callable[[], bool], timeout: float) -> None:
        """Wait until ``answers()``; ends the process and raises ServerFailed when it dies or takes too long."""
        deadline = time.monotonic() + timeout
        while not answers():
            if self.pid is None:
                raise ServerFailed(f"{self.name} ended while it started:\n{self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(f"{self.name} does not answer after {timeout:g} s:\n{self._last_words()}")
            time.sleep(_LOOK_INTERVAL)

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Terminate; kill what is left after ``timeout`` seconds. Nothing when it does not run."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self.pid is not None:
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            time.sleep(_LOOK_INTERVAL)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self.stop()

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _recorded_pid(self) -> int | None:
        try:
            pid, started = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        # The start time tells our process from a later one that was given the same number.
        return int(pid) if _start_time(int(pid)) == started else None

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _start_time(pid: int) -> str | None:
    """When a process started (in clock ticks since boot); None when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before the last parenthesis may hold anything; after it come state (field 3) ... start time (field 22).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]
