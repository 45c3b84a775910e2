"""One run: a child, its output on the way to the spool, and its end."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable

from st2actionrunner.keeper import session
from st2actionrunner.keeper.complaint import complain
from st2actionrunner.keeper.loop import Loop
from st2actionrunner.spool import EXITED, STARTED, STDERR, STDERR_CUT, STDOUT, STDOUT_CUT, SpoolWriter

# Bytes read at once, so that a loud child does not starve the others.
READ_SIZE = 64 * 1024

# Bytes that the spool may be ahead of the log before a child has to wait.
SPOOL_LIMIT = 64 * 1024 * 1024

# Seconds between two looks at a session that has to end, between two KILLs, and until we give up on processes that not
# even KILL ends.
_LOOK_INTERVAL = 0.05
_KILL_INTERVAL = 0.5
_KILL_PATIENCE = 10.0

# Seconds between two tries to write to a full disk.
_DISK_INTERVAL = 1.0

_CUT = {STDOUT: STDOUT_CUT, STDERR: STDERR_CUT}


class Run:
    """``on_change`` is called after the spool has grown and after the end."""

    def __init__(
        self, name: str, directory: str, loop: Loop, on_change: Callable[[Run], None], max_output: int | None = None
    ) -> None:
        """``max_output``: bytes of both streams together; the rest is read and not kept."""
        self.name = name
        self.pid: int | None = None
        #: Offsets in the spool: what the runner knows of, and what its log has.
        self.seen = 0
        self.durable = 0
        #: Nobody wants to know its end.
        self.forgotten = False
        #: An event is on its way to the runner and not acknowledged.
        self.announced = False
        self._loop = loop
        self._on_change = on_change
        self._spool = SpoolWriter(directory + "/spool")
        self._unwritten: list[tuple[int, bytes, int]] = []
        self._disk_full = False
        self._readers: dict[int, int] = {}
        self._max_output = max_output
        self._kept = 0
        #: Bytes that were not kept, of each stream that is cut.
        self._truncated: dict[int, int] = {}
        self._paused = False
        self._exit_code: int | None = None
        self._reaped = False
        self._concluded = False
        self._ending: signal.Signals | None = None
        # Monotonic times: of the next KILL, and of giving up.
        self._kill_at = 0.0
        self._give_up_at = 0.0
        self._grace = 0.0
        self._flags = {"timed_out": False, "killed": False}

    @property
    def size(self) -> int:
        return self._spool.size

    @property
    def exited(self) -> bool:
        """The exited frame stands in the spool."""
        return self._concluded and not self._unwritten

    def read_from(self, readers: dict[int, int], timeout: float | None, grace: float) -> None:
        """Begin to move output; the time limit begins as well."""
        self._readers = readers
        self._grace = grace
        for fd in readers:
            self._watch(fd)
        if timeout is not None:
            self._loop.alarm((self.name, "timeout"), timeout, self._time_is_over)

    def started(self, pid: int) -> None:
        self.pid = pid
        process = session.look_up(pid)
        facts = {"pid": pid, "start_ticks": process.start_ticks if process else None, "boot_id": session.boot_id()}
        # The start alone is nothing that the runner waits for.
        quiet = not self.size and not self.announced
        self.announced = self.announced or quiet
        self._write(STARTED, json.dumps(facts).encode())
        if quiet:
            self.announced, self.seen = False, self.size
        if self._ending is not None:
            self._begin_to_end(pid, self._ending)

    def failed(self, error: str) -> None:
        """There is no child and there will be none."""
        self._conclude(error)

    def reaped(self, status: int) -> None:
        """The kernel's wait status of the child has arrived."""
        self._reaped = True
        self._exit_code = os.waitstatus_to_exitcode(status)
        self._progress()

    def kill(self, number: signal.Signals) -> None:
        """End the run because somebody wants it: ``number`` now, KILL after the grace."""
        if self._concluded:
            return
        self._flags["killed"] = True
        if self._ending is None or number == signal.SIGKILL:
            self._end(number)

    def acknowledge(self, seen: int, durable: int) -> None:
        self.seen = max(self.seen, seen)
        self.durable = max(self.durable, durable)
        self.announced = False
        if self._paused and not self._must_wait():
            self._resume()

    def _watch(self, fd: int) -> None:
        self._loop.watch(fd, lambda: self._readable(fd))

    def _readable(self, fd: int) -> None:
        data = _read(fd)
        if data:
            self._take(self._readers[fd], data)
        else:
            self._close_reader(fd)
            self._progress()

    def _close_reader(self, fd: int) -> None:
        self._loop.unwatch(fd)
        del self._readers[fd]
        os.close(fd)

    def _take(self, stream: int, data: bytes) -> None:
        """Keep what is within the limit; count the rest, so that the child goes on, and say so once."""
        room = len(data) if self._max_output is None else min(self._max_output - self._kept, len(data))
        if room:
            self._kept += room
            self._write(stream, data[:room])
        if room < len(data):
            if stream not in self._truncated:
                mark = f"--- More than {self._max_output} bytes of output: what follows is not kept. ---\n"
                self._write(_CUT[stream], mark.encode())
            self._truncated[stream] = self._truncated.get(stream, 0) + len(data) - room

    def _write(self, kind: int, payload: bytes) -> None:
        self._unwritten.append((kind, payload, time.time_ns() // 1000))
        self._flush()

    def _flush(self) -> None:
        """Write what is waiting. A full disk makes the child wait, and us try again."""
        try:
            while self._unwritten:
                self._spool.append(*self._unwritten[0])
                del self._unwritten[0]
            self._disk_full = False
        except OSError as error:
            if not self._disk_full:
                complain(f"{self.name}: the spool cannot be written: {error}")
            self._disk_full = True
            self._loop.alarm((self.name, "disk"), _DISK_INTERVAL, self._flush_again)
        if self.exited:
            self._spool.close()
        elif self._must_wait():
            self._pause()
        self._on_change(self)

    def _flush_again(self) -> None:
        if not self._unwritten:
            return
        self._flush()
        if self._paused and not self._must_wait():
            self._resume()
        self._progress()

    def _must_wait(self) -> bool:
        return bool(self._unwritten) or self._spool.size - self.durable > SPOOL_LIMIT

    def _pause(self) -> None:
        self._paused = True
        for fd in self._readers:
            self._loop.unwatch(fd)

    def _resume(self) -> None:
        self._paused = False
        for fd in self._readers:
            self._watch(fd)

    def _time_is_over(self) -> None:
        if self._ending is None:
            self._flags["timed_out"] = True
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        self._ending = number
        if self.pid is not None:
            self._begin_to_end(self.pid, number)

    def _begin_to_end(self, leader: int, number: signal.Signals) -> None:
        session.send(leader, number)
        self._kill_at = time.monotonic() + (_KILL_INTERVAL if number == signal.SIGKILL else self._grace)
        self._give_up_at = self._kill_at + _KILL_PATIENCE
        self._loop.alarm((self.name, "look"), _LOOK_INTERVAL, self._look)

    def _look(self) -> None:
        """See whether a session that has to end is gone; use force when its time is over."""
        self._progress()
        if self._concluded or self.pid is None:
            return
        now = time.monotonic()
        if now > self._give_up_at and not self._unwritten:
            left = ", ".join(str(process.pid) for process in session.members(self.pid))
            self._drain()
            self._conclude(f"These processes could not be ended: {left}")
            return
        if now >= self._kill_at:
            self._kill_at = now + _KILL_INTERVAL
            session.send(self.pid, signal.SIGKILL)
        self._loop.alarm((self.name, "look"), _LOOK_INTERVAL, self._look)

    def _progress(self) -> None:
        """Conclude when nothing more can come."""
        if self._concluded or not self._reaped or self._unwritten or self.pid is None:
            return
        if self._ending is not None:
            if session.members(self.pid):
                return
            self._drain()
        elif self._readers:
            return
        self._conclude(None)

    def _drain(self) -> None:
        """Take what a dead session left in its pipes; who has left the session may hold them open for ever."""
        for fd, kind in list(self._readers.items()):
            os.set_blocking(fd, False)
            while data := _read(fd):
                self._take(kind, data)
            self._close_reader(fd)

    def _conclude(self, error: str | None) -> None:
        if self._concluded:
            return
        code = self._exit_code
        ended_by_signal = code is not None and code < 0
        record = {
            "exit_code": None if ended_by_signal else code,
            "signal": -code if code is not None and ended_by_signal else None,
            **self._flags,
            "error": error,
            "truncated_bytes": sum(self._truncated.values()),
        }
        for fd in list(self._readers):
            self._close_reader(fd)
        for key in ("timeout", "look"):
            self._loop.cancel((self.name, key))
        self._concluded = True
        self._write(EXITED, json.dumps(record).encode())


def _read(fd: int) -> bytes:
    """The next bytes; nothing at the end of a pipe, of a terminal whose users are gone, or where none wait."""
    try:
        return os.read(fd, READ_SIZE)
    except BlockingIOError:
        return b""
    except OSError as error:
        if error.errno != errno.EIO:  # how a terminal tells its end
            complain(f"descriptor {fd} cannot be read: {error}")
        return b""
