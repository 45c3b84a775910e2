"""``python -m st2actionrunner.keeper <directory>``: returns when a keeper listens on ``<directory>/keeper.sock``."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from st2actionrunner.keeper.recovery import recover
from st2actionrunner.keeper.server import Keeper

# prctl(2): orphans among our descendants become our children.
_PR_SET_CHILD_SUBREAPER = 36

# Seconds that a former keeper may take to end.
_PATIENCE = 10.0


def main(directory: str) -> int:
    os.makedirs(directory + "/runs", mode=0o700, exist_ok=True)
    os.chmod(directory, 0o700)
    lock = os.open(directory + "/keeper.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _become_the_only_one(lock, directory):
        return 0
    ended = recover(directory + "/runs")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(directory + "/keeper.sock")
    with _short_path(directory) as path:
        listener.bind(path)
    listener.listen(8)
    if os.fork():
        return 0
    _detach(directory)
    Keeper(directory, listener, ended).serve()
    for name in ("keeper.sock", "keeper.pid"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")
    return 0


def _become_the_only_one(lock: int, directory: str) -> bool:
    """Take the lock; False when another keeper serves this directory.

    The lock outlives the socket's file: held while the file is missing, it belongs to a keeper that ends or begins.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if os.path.exists(directory + "/keeper.sock"):
                return False
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return True


@contextlib.contextmanager
def _short_path(directory: str) -> Iterator[str]:
    """The socket's path through a descriptor: the kernel allows 107 bytes, a state directory may be longer."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/keeper.sock"
    finally:
        os.close(fd)


def _detach(directory: str) -> None:
    """Leave everything of the runner behind, and give children the signals that a fresh process has."""
    os.setsid()
    os.chdir("/")
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    with open(os.devnull) as nothing, open(directory + "/keeper.log", "w") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    with open(directory + "/keeper.pid", "w") as file:
        file.write(f"{os.getpid()}\n")


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
