"""Watching a workflow of very many steps over connections that break, and a stream service that dies."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platforms import Platform
from tests.flows import write_pack

pytestmark = pytest.mark.full

# More than the command tells the places of when it comes back.
_STEPS, _LINES = 250, 5


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("large") / "var")
    write_pack(platform.var / "packs")
    with platform.running():
        yield platform


class Cutter:
    """Passes connections on to a port. It breaks the first ones after so many bytes each, and holds the next one."""

    def __init__(self, target: int, limits: list[int]) -> None:
        """The last of ``limits`` is that of the connection that is held, until ``go_on``."""
        self._target = target
        self._limits = limits
        self._open: list[socket.socket] = []
        self.holds, self.go_on = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._open.append(server)
            thread = threading.Thread(target=self._serve, args=(server,))
            thread.start()
            try:
                yield server.getsockname()[1]
            finally:
                self.go_on.set()
                for each in self._open:
                    with contextlib.suppress(OSError):  # it has ended
                        each.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _serve(self, server: socket.socket) -> None:
        passing = []
        with contextlib.suppress(OSError):  # the server was shut down
            while True:
                client, _ = server.accept()
                passing.append(threading.Thread(target=self._pass, args=(client,)))
                passing[-1].start()
        for thread in passing:
            thread.join()

    def _pass(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as target:
            self._open.append(target)
            limit = self._limits.pop(0) if self._limits else None
            target.sendall(client.recv(65536))
            passed = 0
            while received := target.recv(1000):
                client.sendall(received)
                passed += len(received)
                if limit is None or passed < limit:
                    continue
                if self._limits:
                    return
                limit = None
                self.holds.set()
                self.go_on.wait()


def test_each_line_of_each_step_is_shown_once(platform: Platform, tmp_path: Path) -> None:
    started = platform.st2("run", "-a", "flows.many", f"count={_STEPS}", f"lines={_LINES}", "-j")
    execution_id = json.loads(started.stdout)["id"]
    # Who comes back is told all steps anew: each connection must get further than the one before.
    cutter = Cutter(platform.config.stream.port, [10_000, 20_000, 30_000, 40_000])
    with cutter.serving() as port:
        words = [platform.command("st2"), "execution", "tail", execution_id, "-j"]
        words += ["--stream-url", f"http://127.0.0.1:{port}/v1"]
        # Not into a pipe, which may be full while nobody reads.
        with (
            (tmp_path / "out").open("w+") as out,
            subprocess.Popen(words, stdout=out, env=platform.environment) as tail,
        ):
            assert cutter.holds.wait(60)
            stream = platform.process("st2stream")
            stream.send(signal.SIGKILL)
            assert stream.wait(10)
            cutter.go_on.set()
            platform.start()
            assert tail.wait(100) == 0
            out.seek(0)
            shown = out.read()
    records = [json.loads(line) for line in shown.splitlines()]
    assert records.pop()["status"] == "succeeded"
    steps: dict[str, list[Any]] = {}
    for record in records:
        steps.setdefault(record["path"], []).append(record.get("line") or record["event"])
    assert steps == {
        f"each[{number}]": ["started", *(f"{number}.{line}" for line in range(1, _LINES + 1)), "ended"]
        for number in range(_STEPS)
    }
    # The same afterwards, without any trouble; the newest execution that somebody asked for is no step.
    again = platform.st2("execution", "tail", "last", "-j")
    assert sorted(again.stdout.splitlines()[:-1]) == sorted(json.dumps(record) for record in records)
