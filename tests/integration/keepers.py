"""A keeper of its own for a test, with what is needed to watch its runs."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from st2actionrunner.keeper_client import KeeperClient
from st2actionrunner.launch import Exit, Launch
from st2actionrunner.spool import EXITED, STARTED, STDERR, STDOUT, Frame, SpoolReader
from tests.conditions import eventually

# Far beyond what any test reads at once.
_ALL = 1024 * 1024 * 1024


class Bench:
    """A client of a keeper; ``lost`` is set when the keeper has died."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lost = threading.Event()
        self._events = threading.Condition()
        self._grown: dict[str, int] = {}
        self._exited: set[str] = set()
        self.client = KeeperClient(directory, self._on_event, self.lost.set)
        self.client.start_or_attach()

    def start(self, run: str, *argv: str, env: Mapping[str, str] | None = None, **options: Any) -> None:
        environment = {"PATH": os.environ["PATH"]} if env is None else env
        max_output = options.pop("max_output", None)
        self.client.spawn(run, Launch(argv=argv, env=environment, **options), max_output)

    def run(self, *argv: str, **options: Any) -> tuple[str, str, Exit]:
        """Start a child and wait for its end: stdout, stderr, exit."""
        name = f"run{len(self._exited)}.1"
        self.start(name, *argv, **options)
        return self.end_of(name)

    def end_of(self, run: str, timeout: float = 10.0) -> tuple[str, str, Exit]:
        self.wait_for_exit(run, timeout)
        return self.stdout(run), self.text(run, STDERR), self.exit(run)

    def wait_for_exit(self, run: str, timeout: float = 10.0) -> None:
        with self._events:
            if not self._events.wait_for(lambda: run in self._exited, timeout):
                raise AssertionError(f"{run} did not end; its spool: {self.frames(run)[-5:]!r}; log: {self.log()}")

    def wait_for_output(self, run: str, expected: str) -> None:
        eventually(lambda: expected in self.stdout(run))

    def frames(self, run: str) -> list[Frame]:
        reader = SpoolReader(self.client.run_directory(run) / "spool")
        try:
            return reader.read(_ALL)
        finally:
            reader.close()

    def text(self, run: str, kind: int) -> str:
        return b"".join(frame.payload for frame in self.frames(run) if frame.kind == kind).decode()

    def stdout(self, run: str) -> str:
        return self.text(run, STDOUT)

    def exit(self, run: str) -> Exit:
        last = self.frames(run)[-1]
        assert last.kind == EXITED
        return Exit(**json.loads(last.payload))

    def pid(self, run: str) -> int:
        """Of the child, once it is started."""
        frame = eventually(lambda: next((frame for frame in self.frames(run) if frame.kind == STARTED), None))
        return int(json.loads(frame.payload)["pid"])

    def growth_events(self, run: str) -> int:
        return self._grown.get(run, 0)

    def log(self) -> str:
        return (self.directory / "keeper.log").read_text()

    def keeper_pid(self) -> int:
        return int((self.directory / "keeper.pid").read_text())

    def end(self) -> None:
        """Have the keeper end its children and itself."""
        self.client.close()
        if (self.directory / "keeper.pid").exists():
            pid = self.keeper_pid()
            if alive(pid):
                os.kill(pid, signal.SIGTERM)
            eventually(lambda: not alive(pid))

    def _on_event(self, run: str, exited: bool) -> None:
        with self._events:
            if exited:
                self._exited.add(run)
            else:
                self._grown[run] = self._grown.get(run, 0) + 1
            self._events.notify_all()


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def pids_in(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def all_gone(pids: Sequence[int]) -> bool:
    return not any(alive(pid) for pid in pids)
