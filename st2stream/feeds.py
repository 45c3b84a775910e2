"""Fan-out of output: an execution is read and encoded once, however many watch it.

A feed follows one log at its tail and keeps the newest encoded chunks in a bounded ring that all watchers share. A
watcher has no buffer of its own: one that falls behind the ring reads the database until it is in the ring again, and
slows nobody. A feed lives while somebody watches.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from st2common.output.bells import BellTower
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import OutputLog
from st2common.output.reader import Reader
from st2stream import sse

LOG = logging.getLogger(__name__)

# Chunks that a feed keeps: at most 256 * 64 KiB, about 16 MiB, for an execution that prints as fast as it can.
RING_CHUNKS = 256

# Seconds of silence after which a watcher is told that the connection still lives.
KEEP_ALIVE = 15.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The execution that is watched, and what its output documents say about it."""

    execution_id: str
    action_ref: str
    runner_ref: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A chunk as events."""

    #: The number that a watcher has before this one.
    after: int
    seq: int
    stream: Stream
    #: Pairs of cursor and event; the event without its ``id`` line.
    events: tuple[tuple[str, bytes], ...]


def encode(chunk: Chunk, after: int, subject: Subject) -> Encoded:
    documents = sse.output_documents(chunk, subject.action_ref, subject.runner_ref)
    events = tuple((cursor, sse.event(sse.OUTPUT_CREATE, document)) for cursor, document in documents)
    return Encoded(after, chunk.seq, chunk.stream, events)


class Feed:
    """One execution's tail."""

    def __init__(self, reader: Reader, subject: Subject) -> None:
        self._reader = reader
        self._subject = subject
        self._ring: deque[Encoded] = deque(maxlen=RING_CHUNKS)
        self._grown = threading.Condition()
        self._seq = reader.cursor
        self.end: End | None = None
        self.broken = False
        #: How many watch; kept by the hub. The feed ends when nobody does.
        self.watchers = 0

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"feed-{self._subject.execution_id}", daemon=True).start()

    def after(self, seq: int, timeout: float) -> list[Encoded] | None:
        """What follows ``seq``: ``[]`` when nothing has come within ``timeout`` seconds or the log has ended, None when
        it is no longer here and has to be read from the database."""
        deadline = time.monotonic() + timeout
        with self._grown:
            while self._seq <= seq and not self.end and not self.broken:
                left = deadline - time.monotonic()
                if left <= 0:
                    return []
                self._grown.wait(left)
            found = [encoded for encoded in self._ring if encoded.seq > seq]
        return None if found and found[0].after > seq else found

    def _run(self) -> None:
        try:
            # Nobody may come and go between two bells of a quiet action: hence the look at every item, None included.
            for item in self._reader.follow():
                if not self.watchers:
                    return
                if item is not None:
                    self._take(item)
        except Exception:
            LOG.exception("The feed of execution %s broke", self._subject.execution_id)
            with self._grown:
                self.broken = True
                self._grown.notify_all()

    def _take(self, item: Chunk | End) -> None:
        encoded = encode(item, self._seq, self._subject) if isinstance(item, Chunk) else None
        with self._grown:
            if isinstance(item, End):
                self.end = item
            elif encoded:
                self._ring.append(encoded)
                self._seq = encoded.seq
            self._grown.notify_all()


class FeedHub:
    """The feeds of this process."""

    def __init__(self, log: OutputLog, bells: BellTower, final_status: Callable[[str], str | None]) -> None:
        self._log = log
        self._bells = bells
        self._final_status = final_status
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()

    def watch(self, subject: Subject, after: int) -> Iterator[Encoded | End | None]:
        """Every chunk behind ``after``, then the end. None now and then when there is nothing: see KEEP_ALIVE."""
        while True:
            # History is each watcher's own to read; the feed begins where the first one has caught up.
            for item in self.stored(subject, after):
                yield item
                if isinstance(item, End):
                    return
                after = item.seq
            stopped = yield from self._live(subject, after)
            if isinstance(stopped, End):
                yield stopped
                return
            after = stopped

    def stored(self, subject: Subject, after: int) -> Iterator[Encoded | End]:
        """What is in the database now."""
        for item in self._reader(subject, after).snapshot():
            if isinstance(item, End):
                yield item
            else:
                yield encode(item, after, subject)
                after = item.seq

    def _live(self, subject: Subject, after: int) -> Generator[Encoded | None, None, End | int]:
        """The feed's chunks; returns the end, or the number from which to read the database again."""
        with self._feed(subject, after) as feed:
            while True:
                found = feed.after(after, KEEP_ALIVE)
                if found is None or feed.broken:
                    return after
                for encoded in found:
                    after = encoded.seq
                    yield encoded
                if feed.end and not found:
                    return feed.end
                if not found:
                    yield None

    @contextlib.contextmanager
    def _feed(self, subject: Subject, after: int) -> Iterator[Feed]:
        with self._lock:
            feed = self._feeds.get(subject.execution_id)
            if feed is None or feed.broken or feed.end:
                feed = self._feeds[subject.execution_id] = Feed(self._reader(subject, after), subject)
                feed.watchers = 1
                feed.start()
            else:
                feed.watchers += 1
        try:
            yield feed
        finally:
            with self._lock:
                feed.watchers -= 1
                if not feed.watchers and self._feeds.get(subject.execution_id) is feed:
                    del self._feeds[subject.execution_id]

    def _reader(self, subject: Subject, after: int) -> Reader:
        return Reader(self._log, self._bells, subject.execution_id, after=after, final_status=self._final_status)
