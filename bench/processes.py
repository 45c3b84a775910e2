"""What processes cost, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
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

    def rss_mb(self) -> float:
        return self._kilobytes("status", "VmRSS:") / 1024

    def peak_rss_mb(self) -> float:
        return self._kilobytes("status", "VmHWM:") / 1024

    def forget_peak(self) -> None:
        """Have :meth:`peak_rss_mb` tell the peak from now on."""
        (self._path / "clear_refs").write_text("5")

    @property
    def _path(self) -> Path:
        return Path(f"/proc/{self.pid}")

    def _kilobytes(self, file: str, key: str) -> int:
        for line in (self._path / file).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
        raise LookupError(f"{key} in {self._path / file}")


class CpuMeter:
    """CPU seconds of each component from now on."""

    def __init__(self, components: Mapping[str, Sequence[Process]]) -> None:
        self._components = components
        self._before = self._total()

    def seconds(self) -> dict[str, float]:
        return {name: total - self._before[name] for name, total in self._total().items()}

    def _total(self) -> dict[str, float]:
        return {name: sum(each.cpu_seconds() for each in found) for name, found in self._components.items()}


class PeakMemory:
    """How far each component's memory rises above where it stood."""

    def __init__(self, daemons: Mapping[str, Sequence[Process]]) -> None:
        self._daemons = daemons
        for process in self._all():
            process.forget_peak()
        self._before = {process.pid: process.peak_rss_mb() for process in self._all()}

    def growth_mb(self) -> dict[str, float]:
        return {
            name: max(process.peak_rss_mb() - self._before[process.pid] for process in processes)
            for name, processes in self._daemons.items()
        }

    def _all(self) -> list[Process]:
        return [process for processes in self._daemons.values() for process in processes]
