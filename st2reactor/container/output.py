"""From the two pipes of a sensor to its log."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import IO

from st2common.clock import now_us
from st2common.output.chunk import Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog, Position
from st2common.output.masking import Secrets
from st2common.output.writer import Arrival, Writer
from st2reactor.container.child import Child

LOG = logging.getLogger(__name__)

# Bytes of one read, and reads that wait for the log. While it does not take more, the sensor waits at its next print.
_READ = 64 * 1024
_WAITING = 16
# Seconds of silence after which an unfinished line is shown.
_PARTIAL_LINE_IDLE = 0.05

#: Bytes after which a log is closed and the next one begun: old logs can be removed while the sensor runs.
MAX_LOG = 10 * 1024 * 1024


class Output:
    """Moves what the child prints, in the thread of whoever calls :meth:`run`. Costs nothing as long as it is quiet."""

    def __init__(self, log: OutputLog, doorbell: Doorbell, run_id: str, secrets: list[str]) -> None:
        self._log = log
        self._doorbell = doorbell
        self._secrets = Secrets(secrets)
        self._arrived: queue.Queue[Arrival | Stream] = queue.Queue(_WAITING)
        self._begin(run_id)

    def run(self, child: Child, next_log: Callable[[], str]) -> None:
        """Until both pipes are closed. ``next_log`` ends the run whose log is full, and gives the id of the next.

        Raises:
            Fenced: another container has ended this log.
        """
        pipes = {Stream.STDOUT: child.stdout, Stream.STDERR: child.stderr}
        for stream, pipe in pipes.items():
            threading.Thread(target=self._read, args=(stream, pipe), daemon=True).start()
        open_pipes = set(pipes)
        while open_pipes:
            arrivals = self._take()
            for ended in [item for item in arrivals if isinstance(item, Stream)]:
                open_pipes.discard(ended)
            pieces = [item for item in arrivals if isinstance(item, Arrival)]
            if pieces:
                self._writer.write(pieces)
                self._written += sum(len(piece.data) for piece in pieces)
            elif open_pipes:
                self._writer.flush()
            if self._is_full():
                self.finish("continued", None)
                self._begin(next_log())

    def say(self, text: str) -> None:
        """A line of the container's own, on stderr."""
        self._writer.write([Arrival(Stream.STDERR, text.encode() + b"\n", now_us())])

    def finish(self, status: str, exit_code: int | None) -> None:
        self._writer.finish(status, exit_code)

    def _begin(self, run_id: str) -> None:
        self._writer = Writer(self._log, self._doorbell, run_id, 1, Position(), self._secrets)
        self._written = 0

    def _is_full(self) -> bool:
        # At the end of a line where there is one: nothing that is to be masked is cut there.
        return self._written >= MAX_LOG and (not self._writer.pending or self._written >= 2 * MAX_LOG)

    def _take(self) -> list[Arrival | Stream]:
        """What has arrived, all of it; nothing when an unfinished line has waited for long enough."""
        try:
            taken = [self._arrived.get(timeout=_PARTIAL_LINE_IDLE if self._writer.pending else None)]
        except queue.Empty:
            return []
        while not self._arrived.empty():
            taken.append(self._arrived.get())
        return taken

    def _read(self, stream: Stream, pipe: IO[bytes]) -> None:
        try:
            while data := pipe.read(_READ):
                self._arrived.put(Arrival(stream, data, now_us()))
        except OSError as error:
            LOG.warning("Reading what a sensor prints failed: %s", error)
        finally:
            self._arrived.put(stream)
            pipe.close()
