"""Which runner of this host a process is. One that restarts takes the same place, and with it the running children."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

# More runner processes on one host than this are a mistake.
_MAX_SLOTS = 256


class Slot:
    """The first free place among the runners of this host, held by a lock that dies with the process."""

    def __init__(self, state_path: Path) -> None:
        root = state_path / "runner"
        for number in range(1, _MAX_SLOTS + 1):
            directory = root / str(number)
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self._lock = lock
            self.directory = directory
            #: Names this runner in the database and on the broker, the same after a restart.
            self.owner = f"{socket.gethostname()}/{number}"
            return
        raise RuntimeError(f"There are {_MAX_SLOTS} action runners on this host already.")

    def release(self) -> None:
        os.close(self._lock)
