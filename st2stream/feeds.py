"""Fan-out of output: an execution is read and encoded once, however many watch it.

A feed follows one log at its tail and keeps the newest encoded chunks in a bounded ring that all watchers share. A
watcher has no buffer of its own: one that falls behind the ring reads the database until it is in the ring again, and
slows nobody. A feed lives while somebody watches.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from st2common import metrics
from st2common.clock import now_us
from st2common.output.bells import BellTower
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import LogUnavailable, OutputLog
from st2common.output.reader import POLL_INTERVAL, Reader
from st2stream import sse

LOG = logging.getLogger(__name__)

# What a feed keeps of an execution that prints as fast as it can, whichever is reached first.
RING_CHUNKS = 256
RING_BYTES = 8 * 1024 * 1024


class Behind(Exception):
    """What the watcher needs next is not in the ring: it has to be read from the database."""


class FeedBroken(Exception):
    """The feed met an error that is in the log; its watchers are cut off and come back."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The execution that is watched, and what its output documents say about it."""

    execution_id: str
    action_ref: str
    runner_ref: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A chunk as events, each of which begins with its cursor as ``id``."""

    #: The number that a watcher has before this one.
    after: int
    seq: int
    stream: Stream
    events: bytes
    #: Where each event begins.
    starts: tuple[int, ...]

    def behind(self, part: int) -> bytes:
        """Without the first ``part`` events."""
        return self.events[self.starts[part] :] if part < len(self.starts) else b""

    def without_ids(self) -> bytes:
        ends = (*self.starts[1:], len(self.events))
        return b"".join(
            self.events[self.events.index(b"\n", start) + 1 : end] for start, end in zip(self.starts, ends, strict=True)
        )


def encode(chunk: Chunk, after: int, subject: Subject) -> Encoded:
    documents = sse.output_documents(chunk, subject.action_ref, subject.runner_ref)
    events = [sse.event(sse.OUTPUT_CREATE, document, event_id=cursor) for cursor, document in documents]
    starts = (0, *itertools.accumulate(len(event) for event in events[:-1])) if events else ()
    return Encoded(after, chunk.seq, chunk.stream, b"".join(events), starts)


class Feed:
    """One execution's tail."""

    def __init__(self, reader: Reader, subject: Subject) -> None:
        self._reader = reader
        self._subject = subject
        #: The newest chunks, the oldest of them first, each under the number that a watcher has before it.
        self._ring: dict[int, Encoded] = {}
        self._ring_bytes = 0
        self._grown = threading.Condition()
        self._seq = reader.cursor
        self._end: End | None = None
        self._broken = False
        self._began_us = now_us()
        #: How many watch; kept by the hub. The feed ends when nobody does.
        self.watchers = 0

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"feed-{self._subject.execution_id}", daemon=True).start()

    @property
    def over(self) -> bool:
        return self._broken or self._end is not None

    def next(self, after: int, timeout: float) -> Encoded | End | None:
        """What follows chunk ``after``; None when nothing has come within ``timeout`` seconds.

        Raises:
            Behind: it is no longer here, or never was.
            FeedBroken: nothing more will come.
        """
        deadline = time.monotonic() + timeout
        with self._grown:
            while True:
                if found := self._ring.get(after):
                    return found
                if after < self._seq:
                    raise Behind
                if self._broken:
                    raise FeedBroken
                if self._end:
                    return self._end
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._grown.wait(left)

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
                self._broken = True
                self._grown.notify_all()

    def _take(self, item: Chunk | End) -> None:
        encoded = None
        if isinstance(item, Chunk):
            encoded = encode(item, self._seq, self._subject)
            self._observe(item)
        with self._grown:
            if isinstance(item, End):
                self._end = item
            elif encoded:
                self._ring[encoded.after] = encoded
                self._ring_bytes += len(encoded.events)
                self._seq = encoded.seq
                while len(self._ring) > RING_CHUNKS or (self._ring_bytes > RING_BYTES and len(self._ring) > 1):
                    self._ring_bytes -= len(self._ring.pop(next(iter(self._ring))).events)
            self._grown.notify_all()

    def _observe(self, chunk: Chunk) -> None:
        """How old a chunk is that is sent now. What was printed before the feed began says nothing about us."""
        if chunk.runs and (printed_us := chunk.runs[-1].time_us) >= self._began_us:
            metrics.WATCH_LAG.observe(max(0, now_us() - printed_us) / 1_000_000)


class FeedHub:
    """The feeds of this process."""

    def __init__(self, log: OutputLog, bells: BellTower, final_status: Callable[[str], str | None]) -> None:
        """``final_status``: see :class:`~st2common.output.reader.Reader`."""
        self._log = log
        self._bells = bells
        self._final_status = final_status
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()

    def watch(self, subject: Subject, after: int, patience: float) -> Iterator[Encoded | End | None]:
        """Every chunk behind ``after``, then the end. None after ``patience`` seconds without anything.

        Waits while the database is away.
        """
        while True:
            try:
                for item in self._watch(subject, after, patience):
                    if isinstance(item, Encoded):
                        after = item.seq
                    yield item
                return
            except LogUnavailable as error:
                LOG.warning("A watcher of execution %s waits: %s", subject.execution_id, error)
            time.sleep(POLL_INTERVAL)
            yield None

    def stored(self, subject: Subject, after: int) -> Iterator[Encoded | End | None]:
        """What is in the database now.

        Raises:
            LogUnavailable: the database does not answer.
        """
        return _encoded(self._reader(subject, after).snapshot(), subject, after)

    def _watch(self, subject: Subject, after: int, patience: float) -> Iterator[Encoded | End | None]:
        # Whoever comes while the feed still has everything needs no database.
        joins = subject.execution_id in self._feeds
        while True:
            if not joins:
                # History is each watcher's own to read; the feed begins where the first one has caught up.
                start = after
                for item in self.stored(subject, after):
                    yield item
                    if isinstance(item, End):
                        return
                    if item:
                        after = item.seq
                if 0 < after == start and not self._log.read(subject.execution_id, after - 1):
                    # A cursor that the log has not reached must not become the feed's, which others join.
                    yield from _encoded(self._reader(subject, after).follow(), subject, after)
                    return
            stopped = yield from self._live(subject, after, patience, joins)
            if stopped is None:
                return
            after, joins = stopped, False

    def _live(
        self, subject: Subject, after: int, patience: float, joins: bool
    ) -> Generator[Encoded | End | None, None, int | None]:
        """What comes through the feed; with ``joins`` only if there is one.

        Returns the number from which to read the database again, or None after the end.
        """
        with self._feed(subject, after, joins) as feed, contextlib.suppress(Behind):
            while feed:
                found = feed.next(after, patience)
                yield found
                if isinstance(found, End):
                    return None
                if found:
                    after = found.seq
        return after

    @contextlib.contextmanager
    def _feed(self, subject: Subject, after: int, joins: bool) -> Iterator[Feed | None]:
        with self._lock:
            feed = self._feeds.get(subject.execution_id)
            if feed is None or feed.over:
                feed = None if joins else Feed(self._reader(subject, after), subject)
            if feed:
                feed.watchers += 1
                if self._feeds.get(subject.execution_id) is not feed:
                    self._feeds[subject.execution_id] = feed
                    metrics.FEEDS.set(len(self._feeds))
                    feed.start()
        try:
            yield feed
        finally:
            if feed:
                self._leave(subject.execution_id, feed)

    def _leave(self, execution_id: str, feed: Feed) -> None:
        with self._lock:
            feed.watchers -= 1
            if not feed.watchers and self._feeds.get(execution_id) is feed:
                del self._feeds[execution_id]
                metrics.FEEDS.set(len(self._feeds))

    def _reader(self, subject: Subject, after: int) -> Reader:
        return Reader(self._log, self._bells, subject.execution_id, after=after, final_status=self._final_status)


def _encoded(items: Iterator[Chunk | End | None], subject: Subject, after: int) -> Iterator[Encoded | End | None]:
    for item in items:
        if isinstance(item, Chunk):
            yield encode(item, after, subject)
            after = item.seq
        else:
            yield item
