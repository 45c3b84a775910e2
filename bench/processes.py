"""What processes cost, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    pid: int

    @classmethod
    def family(cls, pid: int) -> list[Process]:
        """The process and its children (the workers of an HTTP daemon)."""
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [cls(pid), *(cls(int(child)) for child in path.read_text().split())]

    @classmethod
    def with_argument(cls, *arguments: str) -> list[Process]:
        """Processes whose command line holds all of ``arguments``, each as a part of one word."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                words = (directory / "cmdline").read_text()
            except OSError:
                continue
            if all(argument in words for argument in arguments) and int(directory.name) != os.getpid():
                found.append(cls(int(directory.name)))
        return found

    def cpu_seconds(self) -> float:
        """User and system time so far, in steps of 10 ms."""
        fields = (self._path / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def pss_mb(self) -> float:
        """Memory now, what is shared being shared out."""
        return self._kilobytes("smaps_rollup", "Pss:") / 1024

    def peak_rss_mb(self) -> float:
        return self._kilobytes("status", "VmHWM:") / 1024

    @property
    def _path(self) -> Path:
        return Path(f"/proc/{self.pid}")

    def _kilobytes(self, file: str, key: str) -> int:
        for line in (self._path / file).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
        raise LookupError(f"{key} in {self._path / file}")


def cpu_seconds(processes: list[Process]) -> float:
    return sum(process.cpu_seconds() for process in processes)
