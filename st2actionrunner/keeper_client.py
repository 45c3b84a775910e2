"""The runner's side of the conversation with its keeper (see ``st2actionrunner.keeper.server``)."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from st2actionrunner.launch import TERM_GRACE, Launch

LOG = logging.getLogger(__name__)

# Seconds until a keeper has to answer, start included.
_PATIENCE = 20.0

# Bytes; the keeper takes no longer line.
_MAX_REQUEST = 16 * 1024 * 1024

_PACKAGE_ROOT = Path(__file__).resolve().parent.parent


class KeeperError(Exception):
    """The keeper cannot be started, does not answer, or cannot do what is asked."""


class KeeperAway(KeeperError):
    """There is no keeper at the moment."""


class KeeperRun(NamedTuple):
    run: str
    #: None while it starts, and for runs whose keeper was lost.
    pid: int | None
    exited: bool


class KeeperClient:
    """Talks to the keeper of ``directory``, and starts it when there is none.

    ``on_event(run, exited)``: the spool of the run has grown, or is complete. ``on_lost()``: the keeper has died;
    ``start_or_attach`` starts another one, which ends the children of its predecessor. Both are called from the
    client's own thread.
    """

    def __init__(self, directory: Path, on_event: Callable[[str, bool], None], on_lost: Callable[[], None]) -> None:
        self._directory = directory
        self._on_event = on_event
        self._on_lost = on_lost
        self._socket: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._lists: queue.SimpleQueue[list[KeeperRun] | None] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._listing = threading.Lock()
        self._meeting = threading.Lock()
        #: It has answered us: from now on its death is told. Before, whoever attaches sees it.
        self._met = False

    def start_or_attach(self) -> None:
        """Connect; events of all runs follow, each run's first one telling that its spool is not empty.

        Raises:
            KeeperError: it neither answers nor starts.
        """
        self.close()
        deadline = time.monotonic() + _PATIENCE
        while not self._attach():
            if time.monotonic() > deadline:
                raise KeeperError(f"The keeper of {self._directory} does not answer.")
            self._start_keeper()

    def spawn(self, run: str, launch: Launch, max_output: int | None = None) -> None:
        """Start a child. Asking twice for the same run starts one. ``max_output``: bytes of both its streams together
        that are kept; None: all.

        How it went is in the spool (``<directory>/runs/<run>/spool``).

        Raises:
            KeeperAway: there is no keeper at the moment; nothing was started.
            KeeperError: the command is too large.
        """
        directory = self.run_directory(run)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if launch.stdin is not None:
            _write_private(directory / "stdin", launch.stdin)
        if launch.token is not None:
            _write_private(directory / "token", launch.token.encode())
        parent = launch.parent
        self._send(
            {
                "request": "spawn",
                "run": run,
                "argv": list(launch.argv),
                "cwd": launch.cwd,
                "timeout": launch.timeout,
                "pty": launch.pty,
                "env": dict(launch.env),
                "grace": TERM_GRACE,
                "max_output": max_output,
                "parent": {"python": parent.python, "path": parent.path, "watch": parent.watch} if parent else None,
            }
        )

    def kill(self, run: str, signal: str = "TERM") -> None:
        """End the run's processes: ``signal`` now, KILL after the grace."""
        self._tell({"request": "kill", "run": run, "signal": signal})

    def ack(self, run: str, seen: int, durable: int) -> None:
        """The spool is read up to ``seen`` and safe in the log up to ``durable``; allows the next event of growth."""
        self._tell({"request": "ack", "run": run, "seen": seen, "durable": durable})

    def forget(self, run: str) -> None:
        """Remove all that is kept of a run."""
        self._tell({"request": "forget", "run": run})
        shutil.rmtree(self.run_directory(run), ignore_errors=True)

    def runs(self) -> list[KeeperRun]:
        """All runs that are not forgotten.

        Raises:
            KeeperError: no answer.
        """
        with self._listing:
            self._send({"request": "list"})
            try:
                runs = self._lists.get(timeout=_PATIENCE)
            except queue.Empty:
                runs = None
        if runs is None:
            raise KeeperError("The keeper does not answer.")
        return runs

    def run_directory(self, run: str) -> Path:
        return self._directory / "runs" / run

    def run_directories(self) -> set[str]:
        """Names of all runs of which there is a directory, known to the keeper or not."""
        return {path.name for path in self._directory.glob("runs/*")}

    def healthy(self) -> bool:
        return self._socket is not None

    def close(self) -> None:
        """Leave the keeper and its children alone."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join()
            self._reader = None

    def _attach(self) -> bool:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short_path(self._directory) as path:
                connection.connect(path)
        except OSError:
            connection.close()
            return False
        self._socket, self._met = connection, False
        self._lists = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(connection,), name="keeper", daemon=True)
        self._reader.start()
        try:
            self.runs()  # a keeper that was about to end accepts, and hangs up
        except KeeperError:
            self.close()
            return False
        with self._meeting:
            self._met = self._socket is connection
        return self._met

    def _start_keeper(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without site (-S) and found through the working directory: a third less memory, and half the time.
        command = [sys.executable, "-S", "-E", "-m", "st2actionrunner.keeper", str(self._directory.absolute())]
        started = subprocess.run(
            command,
            cwd=_PACKAGE_ROOT,
            # Our options may be secrets, and none of a child's business.
            env={name: value for name, value in os.environ.items() if not name.startswith("ST2_")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode != 0:
            raise KeeperError(f"The keeper does not start: {started.stderr.strip()[-2000:]}")

    def _send(self, request: dict[str, Any]) -> None:
        connection = self._socket
        if connection is None:
            raise KeeperAway("There is no connection to the keeper.")
        line = json.dumps(request).encode() + b"\n"
        if len(line) > _MAX_REQUEST:
            raise KeeperError("The command and its environment are too large.")
        try:
            with self._sending:
                connection.sendall(line)
        except OSError as error:
            raise KeeperAway(f"The keeper is gone: {error}") from error

    def _tell(self, request: dict[str, Any]) -> None:
        """Send what means nothing to a keeper that is gone: its children are gone as well."""
        try:
            self._send(request)
        except KeeperError as error:
            LOG.debug("%s: %s", request["request"], error)

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                for line in lines:
                    self._dispatch(json.loads(line))
            except OSError as error:
                if self._socket is connection:  # else it was us who closed it
                    LOG.warning("The connection to the keeper broke: %s", error)
        self._lists.put(None)
        with self._meeting:
            gone = self._socket is connection
            if gone:
                self._socket = None
            lost = gone and self._met
        if lost:
            self._on_lost()

    def _dispatch(self, message: dict[str, Any]) -> None:
        kind = message["event"]
        if kind == "list":
            self._lists.put([KeeperRun(item["run"], item["pid"], item["exited"]) for item in message["runs"]])
            return
        if kind == "refused":
            LOG.error("The keeper refused a request (run %s): %s", message["run"], message["message"])
            return
        self._on_event(message["run"], kind == "exited")


def kept_token(directory: Path) -> str | None:
    """The token of the child whose run has this directory; None where there is none, or it was not started yet."""
    try:
        return (directory / "token").read_text()
    except FileNotFoundError:
        return None


def _write_private(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


@contextlib.contextmanager
def _short_path(directory: Path) -> Iterator[str]:
    """The socket's path through a descriptor: the kernel allows 107 bytes, a state directory may be longer."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/keeper.sock"
    finally:
        os.close(fd)
