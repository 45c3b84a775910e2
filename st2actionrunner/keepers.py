"""The keepers of one runner: that of its own version, and those of earlier ones that still have runs.

An upgrade leaves the running keeper alone, because its children would die with it. So each version has a keeper of its
own, in a directory of its own: new runs go to ours, and a former one ends when its last run has ended.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from st2actionrunner import keeper, spool
from st2actionrunner.keeper_client import KeeperClient, KeeperRun
from st2actionrunner.launch import Launch
from st2common.runners import python_parent


@functools.cache
def version() -> str:
    """Names the code of the keeper: it differs where a keeper that is started now would differ."""
    sources = [*Path(keeper.__path__[0]).glob("*.py"), Path(spool.__file__), Path(python_parent.__file__)]
    contents = b"\0".join(source.read_bytes() for source in sorted(sources))
    return hashlib.sha256(contents).hexdigest()[:12]


class Keepers:
    """What :class:`KeeperClient` is for one keeper, for all in the directories ``<directory>/<version>``.

    ``on_lost``: one of them has died, and has to be told to ``start_or_attach``.
    """

    def __init__(
        self, directory: Path, on_event: Callable[[str, bool], None], on_lost: Callable[[KeeperClient], None]
    ) -> None:
        def client_of(path: Path) -> KeeperClient:
            client = KeeperClient(path, on_event, lambda: on_lost(client))
            return client

        self._current = client_of(directory / version())
        self._leaving = threading.Lock()
        self._former: list[KeeperClient] = []
        for path in directory.glob("*"):
            if path.name == version():
                continue
            former = client_of(path)
            if former.run_directories():
                self._former.append(former)
            else:
                # Its keeper, if there still is one, has nothing to do and ends.
                shutil.rmtree(path, ignore_errors=True)

    def start_or_attach(self) -> None:
        """Connect to all.

        Where a former keeper is gone, one of our version takes its place and ends what is left of its children.

        Raises:
            KeeperError: one neither answers nor starts.
        """
        for client in self._all():
            client.start_or_attach()

    def spawn(self, run: str, launch: Launch, max_output: int | None = None) -> None:
        self._of(run).spawn(run, launch, max_output)

    def kill(self, run: str, signal: str = "TERM") -> None:
        self._of(run).kill(run, signal)

    def ack(self, run: str, seen: int, durable: int) -> None:
        self._of(run).ack(run, seen, durable)

    def forget(self, run: str) -> None:
        client = self._of(run)
        client.forget(run)
        with self._leaving:
            leave = client in self._former and not client.run_directories()
            if leave:
                self._former.remove(client)
        if leave:
            client.close()  # without a runner and without runs it ends

    def runs(self) -> list[KeeperRun]:
        return [run for client in self._all() for run in client.runs()]

    def run_directory(self, run: str) -> Path:
        return self._of(run).run_directory(run)

    def run_directories(self) -> set[str]:
        return {name for client in self._all() for name in client.run_directories()}

    def healthy(self) -> bool:
        return all(client.healthy() for client in self._all())

    def close(self) -> None:
        for client in self._all():
            client.close()

    def _all(self) -> list[KeeperClient]:
        return [self._current, *self._former]

    def _of(self, run: str) -> KeeperClient:
        """A former keeper is asked for nothing new, so a run without a directory is for ours."""
        return next((client for client in list(self._former) if client.run_directory(run).exists()), self._current)
