"""Reads a log to its end: every chunk once, in order, whoever restarts meanwhile.

Subscribe, then read the database in pages, then follow the doorbell. A bell's chunk is used only if it is the very next
one; anything else means "read the database again", and so does a second of silence. Only the end record ends a reader.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator

from st2common.clock import now_us
from st2common.output.bells import BellTower, Ear
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import PAGE_CHUNKS, LogUnavailable, OutputLog

LOG = logging.getLogger(__name__)

# Seconds of silence after which a reader looks at the database by itself: covers a broker that is away.
POLL_INTERVAL = 1.0


class Reader:
    """Follows both streams of an execution, or one.

    ``cursor`` is the number of the last chunk that was given out: ``seq`` for both streams, ``stream_seq`` for one.
    """

    def __init__(
        self,
        log: OutputLog,
        bells: BellTower,
        execution_id: str,
        stream: Stream | None = None,
        after: int = 0,
        final_status: Callable[[str], str | None] = lambda _execution_id: None,
    ) -> None:
        """``final_status`` gives the status of an execution that is over. An execution is over after its log; so one
        that is over and has no end record never ran, or its output was removed, and its reader is done."""
        self._final_status = final_status
        self._log = log
        self._bells = bells
        self._execution_id = execution_id
        self._stream = stream
        self.cursor = after

    def follow(self) -> Iterator[Chunk | End | None]:
        """Chunks, then the end record. None when there was nothing for a while: a chance to see whether anybody is
        still interested. Waits while the database is away."""
        with self._bells.listen(self._execution_id) as ear:
            while True:
                try:
                    over = self._final_status(self._execution_id)
                    yield from self._stored()
                    end = self._ended() or (self._without_record(over) if over else None)
                except LogUnavailable as error:
                    LOG.warning("Reading output of execution %s waits: %s", self._execution_id, error)
                    time.sleep(POLL_INTERVAL)
                    yield None
                    continue
                if not end:
                    end = yield from self._ringing(ear)
                if end:
                    yield end
                    return

    def snapshot(self) -> Iterator[Chunk | End]:
        """What is stored now, and the end record if there is one.

        Raises:
            LogUnavailable: the database does not answer.
        """
        yield from self._stored()
        if end := self._ended():
            yield end

    def _stored(self) -> Iterator[Chunk]:
        full = True
        while full:
            page = self._page()
            full = len(page) == PAGE_CHUNKS
            for chunk in page:
                self.cursor += 1
                if chunk.data:
                    yield chunk

    def _page(self) -> list[Chunk]:
        if self._stream is None:
            return self._log.read(self._execution_id, self.cursor)
        return self._log.read_stream(self._execution_id, self._stream, self.cursor)

    def _ended(self) -> End | None:
        end = self._log.end(self._execution_id)
        return end if end and self._complete(end) else None

    def _without_record(self, status: str) -> End:
        return End(self._execution_id, seq=self.cursor + 1, attempt=0, status=status, exit_code=None, time_us=now_us())

    def _complete(self, end: End) -> bool:
        last = end.seq - 1 if self._stream is None else end.total(self._stream).chunks
        return self.cursor >= last

    def _ringing(self, ear: Ear) -> Generator[Chunk | None, None, End | None]:
        """What the bells carry, for as long as each continues where the last one stopped; the end record if it came.

        Returns None when the database has to be read.
        """
        while True:
            bell = ear.wait(POLL_INTERVAL)
            if bell is None:
                yield None
                return None
            for chunk in bell.chunks:
                if self._stream in (None, chunk.stream):
                    number = chunk.seq if self._stream is None else chunk.stream_seq
                    if number == self.cursor + 1:
                        self.cursor = number
                        if chunk.data:
                            yield chunk
                    elif number > self.cursor:
                        return None
            if bell.end and self._complete(bell.end):
                return bell.end
            if bell.end or not bell.chunks:
                return None
