"""Starting one child: its standard streams, its session, its terminal."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Mapping
from typing import Any, NamedTuple

from st2actionrunner.spool import STDERR, STDOUT

# Bytes a child can print before it has to wait for us. Beyond a per-user sum the kernel refuses it to others than root.
_PIPE_SIZE = 1024 * 1024

# Rows and columns of the terminal of a child that asked for one.
_TERMINAL_SIZE = (24, 80)


class Order(NamedTuple):
    """What to start, as the runner asked for it."""

    run: str
    argv: list[str]
    env: dict[str, str]
    cwd: str | None
    #: Seconds until the run is ended, and between TERM and KILL then.
    timeout: float | None
    grace: float
    pty: bool
    #: ``{"python", "path", "watch"}`` of a warm parent that should start it.
    parent: dict[str, Any] | None
    #: Bytes of output that are kept; None: all.
    max_output: int | None

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> Order:
        """
        Raises:
            KeyError, TypeError, ValueError: the request is not complete or makes no sense.
        """
        name, timeout, argv = request["run"], request["timeout"], [str(argument) for argument in request["argv"]]
        if os.path.basename(name) != name or name in ("", ".", "..") or not argv:
            raise ValueError(f'"{name}" cannot be started')
        timeout = None if timeout is None else float(timeout)
        parent, grace, pty = request["parent"], float(request["grace"]), bool(request["pty"])
        # A runner of an earlier version does not say it.
        max_output = None if request.get("max_output") is None else int(request["max_output"])
        return cls(name, argv, dict(request["env"]), request["cwd"], timeout, grace, pty, parent, max_output)


class Streams(NamedTuple):
    """The descriptors of a child to be; the child's ends are closed here once it has them."""

    stdin: int
    stdout: int
    stderr: int
    #: What we read: descriptor -> kind of frame.
    readers: dict[int, int]

    def close_child_ends(self) -> None:
        for fd in {self.stdin, self.stdout, self.stderr}:
            os.close(fd)


def open_streams(directory: str, pty: bool) -> Streams:
    """Pipes or a terminal for the output; the ``stdin`` file, removed (it may hold secrets), or nothing to read.

    Raises:
        OSError: no descriptors are left.
    """
    opened: list[int] = []
    try:
        opened.append(_open_stdin(directory + "/stdin"))
        if pty:
            opened += os.openpty()
            _prepare_terminal(opened[2])
            return Streams(opened[0], opened[2], opened[2], {opened[1]: STDOUT})
        opened += _pipe()
        opened += _pipe()
    except OSError:
        for fd in opened:
            os.close(fd)
        raise
    stdin, stdout_reader, stdout, stderr_reader, stderr = opened
    return Streams(stdin, stdout, stderr, {stdout_reader: STDOUT, stderr_reader: STDERR})


def start(order: Order, streams: Streams) -> int:
    """The pid of a new child that leads its own session.

    Raises:
        OSError, ValueError: it cannot be started; ``explain`` says why.
    """
    argv, env = command(order), order.env
    if order.parent is not None and order.parent.get("path"):
        env = {"PYTHONPATH": os.pathsep.join(order.parent["path"]), **env}
    child = subprocess.Popen(
        argv,
        env=env,
        cwd=order.cwd,
        stdin=streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
        start_new_session=True,
        # Safe: one thread. It costs a fork instead of a vfork (1 ms), so only terminals pay for it.
        preexec_fn=_own_terminal if order.pty else None,
    )
    child.returncode = 0  # the keeper reaps; this object must never wait for a pid that may be another's by then
    return child.pid


def command(order: Order) -> list[str]:
    """``argv``; one that begins with ``-m`` is for the python of the parent, here without that parent."""
    if order.parent is not None and order.argv[0] == "-m":
        # -P: the working directory is no place to import from.
        return [order.parent["python"], "-P", "-u", *order.argv]
    return order.argv


def explain(error: OSError | ValueError, order: Order) -> str:
    """Why a child could not be started, in one sentence."""
    program = command(order)[0]
    if not isinstance(error, OSError):
        return f'"{program}" could not be started: {error}'
    if order.cwd is not None and error.filename == order.cwd:
        return f'The working directory "{order.cwd}" could not be entered: {error.strerror}'
    reason = error.strerror or str(error)
    if error.errno == errno.ENOENT and os.path.exists(program):
        reason = "the interpreter that its first line names does not exist"
    return f'"{program}" could not be started: {reason}'


def _open_stdin(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.unlink(path)
    return fd


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):  # a smaller one does as well
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return reader, writer


def _prepare_terminal(fd: int) -> None:
    """Bytes pass as they are: no echo, no carriage returns before newlines."""
    attributes = termios.tcgetattr(fd)
    attributes[1] &= ~(termios.OPOST | termios.ONLCR)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *_TERMINAL_SIZE, 0, 0))


def _own_terminal() -> None:
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)
