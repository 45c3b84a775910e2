"""One run of the benchmark: the platform, its clients, and what the rows share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.client import DEADLINE, Api, Ends
from bench.platform import Platform


@dataclass(frozen=True)
class Seen:
    """What one watcher saw. Times in seconds since the epoch."""

    lines: int
    first: float
    last: float
    #: The stream ended as it should.
    ended: bool
    latencies_ms: list[float]


class Watching:
    """Watchers in a process of their own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait_ready(self) -> None:
        """Until each has the action's first line."""
        assert self._process.stdout
        said = self._process.stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"the watchers said {said!r}")

    def results(self) -> list[Seen]:
        """What they saw, once all their streams have ended."""
        said, _ = self._process.communicate(timeout=DEADLINE)
        return [Seen(**each) for each in json.loads(said.splitlines()[-1])]


class Session:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.connect()

    def connect(self) -> None:
        """Again after :meth:`close`: what the row does breaks connections."""
        self.api = Api(self.platform)
        self.ends = Ends(self.platform)

    def close(self) -> None:
        self.ends.close()
        self.api.close()

    @contextmanager
    def watching(self, execution_id: str, count: int, *options: str) -> Iterator[Watching]:
        words = [sys.executable, "-m", "bench.watchers", str(self.platform.stream), execution_id, str(count), *options]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            yield Watching(process)
        finally:
            process.kill()
            process.communicate()
