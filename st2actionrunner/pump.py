"""From a run's spool to its log."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from st2actionrunner import spool
from st2actionrunner.launch import Exit
from st2actionrunner.spool import Frame, SpoolDamaged, SpoolReader
from st2common.output.chunk import Stream
from st2common.output.writer import Arrival, Writer

LOG = logging.getLogger(__name__)

# Bytes read from the spool at once: with what the log can take in one batch, all the memory that a loud action needs.
_PASS_BYTES = 1024 * 1024

# Seconds of silence after which an unfinished line is shown: a prompt, a progress bar.
_PARTIAL_LINE_IDLE = 0.05

#: The stream of a frame, and whether it stands for the rest of the stream.
_STREAMS = {
    spool.STDOUT: (Stream.STDOUT, False),
    spool.STDERR: (Stream.STDERR, False),
    spool.STDOUT_CUT: (Stream.STDOUT, True),
    spool.STDERR_CUT: (Stream.STDERR, True),
}


class Pump:
    """Moves frames from one spool into one writer, in the caller's thread. A context manager: it holds a file open."""

    def __init__(
        self,
        path: Path,
        writer: Writer,
        stirred: threading.Event,
        acknowledge: Callable[[int, int], None],
        flush_interval: float,
    ) -> None:
        """``stirred``: set by others when the spool has grown, or when there is a reason to leave.

        ``acknowledge(seen, durable)``: spool offsets, for the keeper's back-pressure. ``flush_interval``: the least
        number of seconds between two writes.
        """
        self._spool = SpoolReader(path)
        self._writer = writer
        self._stirred = stirred
        self._acknowledge = acknowledge
        self._flush_interval = flush_interval

    def __enter__(self) -> Pump:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def run(self, leaving: Callable[[], bool]) -> Exit | None:
        """Write everything until the child's end, which is returned; None when ``leaving`` before.

        Raises:
            Fenced: another attempt owns the log.
        """
        while not leaving():
            self._stirred.clear()
            frames = self._spool.read(_PASS_BYTES)
            if not frames:
                self._wait(leaving)
                continue
            if ended := self._write(frames):
                return ended
            self._acknowledge(self._spool.offset, self._spool.offset)
            if self._flush_interval:
                time.sleep(self._flush_interval)
        return None

    def drain(self) -> Exit | None:
        """Write what the spool of a lost keeper holds; the child's end if it is there.

        Raises:
            Fenced: another attempt owns the log.
        """
        try:
            while frames := self._spool.read(_PASS_BYTES):
                if ended := self._write(frames):
                    return ended
        except SpoolDamaged as error:
            LOG.error("A spool ends before its end: %s", error)
        return None

    def _write(self, frames: list[Frame]) -> Exit | None:
        arrivals = [
            Arrival(stream, frame.payload, frame.time_us, cut)
            for frame in frames
            if frame.kind in _STREAMS
            for stream, cut in [_STREAMS[frame.kind]]
        ]
        last = frames[-1]
        if last.kind == spool.EXITED:
            self._writer.close(arrivals)
            return Exit(**json.loads(last.payload))
        self._writer.write(arrivals)
        return None

    def _wait(self, leaving: Callable[[], bool]) -> None:
        if leaving():  # it may have been said before the event was cleared
            return
        if self._writer.pending:
            if self._stirred.wait(_PARTIAL_LINE_IDLE):
                return
            self._writer.flush()
        self._stirred.wait()
