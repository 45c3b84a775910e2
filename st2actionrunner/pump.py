"""From a run's spool to its log, until the child has ended or somebody says stop."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from st2actionrunner import spool
from st2actionrunner.launch import Exit
from st2actionrunner.spool import Frame, SpoolReader
from st2common.output.chunk import Stream
from st2common.output.writer import Arrival, Writer

# Bytes read from the spool at once: with what the log can take in one batch, all the memory that a loud action needs.
_PASS_BYTES = 1024 * 1024

# Seconds of silence after which an unfinished line is shown: a prompt, a progress bar.
_PARTIAL_LINE_IDLE = 0.05

_STREAMS = {spool.STDOUT: Stream.STDOUT, spool.STDERR: Stream.STDERR}


class Pump:
    """Moves frames from one spool into one writer. One thread runs it; any thread may wake or stop it."""

    def __init__(
        self, path: Path, writer: Writer, acknowledge: Callable[[int, int], None], flush_interval: float
    ) -> None:
        """``acknowledge(seen, durable)``: spool offsets, for the keeper's back-pressure. ``flush_interval``: the least
        number of seconds between two writes."""
        self._spool = SpoolReader(path)
        self._writer = writer
        self._acknowledge = acknowledge
        self._flush_interval = flush_interval
        self._woken = threading.Event()
        self._stopped = False

    def wake(self) -> None:
        """The spool has grown."""
        self._woken.set()

    def stop(self) -> None:
        """Return from :meth:`run` after the write that is in flight."""
        self._stopped = True
        self._woken.set()

    def run(self) -> Exit | None:
        """Write everything until the child's end, which is returned; None when stopped before.

        Raises:
            Fenced: another attempt owns the log.
        """
        try:
            while not self._stopped:
                self._woken.clear()
                frames = self._spool.read(_PASS_BYTES)
                if not frames:
                    self._wait()
                    continue
                ended = self._write(frames)
                self._acknowledge(self._spool.offset, self._spool.offset)
                if ended:
                    return ended
                if self._flush_interval:
                    time.sleep(self._flush_interval)
            return None
        finally:
            self._spool.close()

    def drain(self) -> Exit | None:
        """Write what the spool holds now, without waiting for more; the child's end if it is there."""
        self._stopped = False
        try:
            while frames := self._spool.read(_PASS_BYTES):
                if ended := self._write(frames):
                    return ended
            return None
        finally:
            self._spool.close()

    def _write(self, frames: list[Frame]) -> Exit | None:
        arrivals = [
            Arrival(_STREAMS[frame.kind], frame.payload, frame.time_us) for frame in frames if frame.kind in _STREAMS
        ]
        last = frames[-1]
        if last.kind == spool.EXITED:
            self._writer.close(arrivals)
            return Exit(**json.loads(last.payload))
        self._writer.write(arrivals)
        return None

    def _wait(self) -> None:
        if self._writer.pending:
            if not self._woken.wait(_PARTIAL_LINE_IDLE):
                self._writer.flush()
                self._woken.wait()
        else:
            self._woken.wait()
