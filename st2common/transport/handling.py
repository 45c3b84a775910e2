"""Calling the handlers of consumers and subscriptions, the same way for every transport.

A handler runs in a thread of its own, never in the one that reads the broker's connection: a handler that waits for
the database must not keep that connection's heartbeats waiting.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from st2common import metrics
from st2common.transport.port import SCHEMA_VERSION, Delivery, Message

LOG = logging.getLogger(__name__)

T = TypeVar("T")

# Events that wait for a slow handler, per subscription: what is beyond is dropped and the handler told to look anew.
MAX_WAITING_EVENTS = 10_000
MAX_WAITING_BYTES = 32 * 1024 * 1024

# Seconds before a delivery whose handler failed goes back: doubled from the first to the last while failures follow
# each other, so that an absent database does not become a busy loop.
FIRST_PAUSE = 0.1
LAST_PAUSE = 5.0

# Seconds that stopping waits for a handler that is at work.
STOP_TIMEOUT = 30.0


class Worker(Generic[T]):
    """A thread that handles items one after the other, in order."""

    def __init__(self, name: str, handle: Callable[[T], None]) -> None:
        self._handle = handle
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def clear(self) -> int:
        """Forget what waits; the number of items."""
        with self._changed:
            count = len(self._items)
            self._items.clear()
        return count

    def stop(self) -> None:
        """Handle no more items. Returns when the handler is idle, except to the handler itself."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_TIMEOUT)
            if self._thread.is_alive():
                LOG.error("The handler of %s is still at work after %g s", self._thread.name, STOP_TIMEOUT)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._items and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                item = self._items.popleft()
            self._handle(item)


class HeldMessage:
    """A :class:`~st2common.transport.port.Delivery`; the first verb called is passed to ``settle``, once."""

    def __init__(self, message: Message, settle: Callable[[bool], None]) -> None:
        """``settle(True)`` acknowledges, ``settle(False)`` gives the message back."""
        self.message = message
        self._settle: Callable[[bool], None] | None = settle
        self._lock = threading.Lock()

    def ack(self) -> None:
        self._once(True)

    def requeue(self) -> None:
        self._once(False)

    def _once(self, done: bool) -> None:
        with self._lock:
            settle, self._settle = self._settle, None
        if settle is not None:
            settle(done)


def _is_newer(message: Message) -> bool:
    """Whether a later release wrote this in a form that we do not know; said in the log."""
    version = message.body.get("v", SCHEMA_VERSION)
    if isinstance(version, int) and version <= SCHEMA_VERSION:
        return False
    LOG.error(
        "A message of %s (%s) has the form %r; this release reads forms up to %d: upgrade this daemon",
        message.exchange,
        message.routing_key,
        version,
        SCHEMA_VERSION,
    )
    return True


class WorkHandling:
    """Hands deliveries to the handler of a consumer. What it cannot handle, or not read, goes back to the queue."""

    def __init__(self, name: str, handler: Callable[[Delivery], None]) -> None:
        self._handler = handler
        self._pause = FIRST_PAUSE
        self._stopping = threading.Event()
        self._worker: Worker[HeldMessage] = Worker(name, self._handle)

    def put(self, delivery: HeldMessage) -> None:
        self._worker.put(delivery)

    def clear(self) -> None:
        """Forget deliveries that the handler has not seen: the broker hands them out again."""
        self._worker.clear()

    def stop(self) -> None:
        self._stopping.set()
        self._worker.stop()

    def _handle(self, delivery: HeldMessage) -> None:
        if _is_newer(delivery.message):
            self._give_back(delivery)
            return
        try:
            self._handler(delivery)
        except Exception:
            LOG.exception("The handler of %s failed: the message goes back", delivery.message.exchange)
            self._give_back(delivery)
        else:
            self._pause = FIRST_PAUSE

    def _give_back(self, delivery: HeldMessage) -> None:
        self._stopping.wait(self._pause)
        self._pause = min(2 * self._pause, LAST_PAUSE)
        delivery.requeue()


class EventHandling:
    """Hands events to the handler of a subscription, and tells it when some may be missing."""

    def __init__(self, name: str, handler: Callable[[Message], None], on_missed: Callable[[], None]) -> None:
        self._name = name
        self._handler = handler
        self._on_missed = on_missed
        self._lock = threading.Lock()
        self._waiting = 0
        self._waiting_bytes = 0
        # An event with its size in bytes; None stands for "events may be missing here".
        self._worker: Worker[tuple[Message, int] | None] = Worker(name, self._handle)

    def put(self, message: Message, size: int) -> None:
        with self._lock:
            full = self._waiting >= MAX_WAITING_EVENTS or self._waiting_bytes + size > MAX_WAITING_BYTES
            if full:
                dropped = self._worker.clear()
                metrics.DROPPED_HANDLER.inc(dropped)
                self._waiting = self._waiting_bytes = 0
                LOG.warning("The handler of %s is too slow: %d events dropped", self._name, dropped)
                self._worker.put(None)
            self._waiting += 1
            self._waiting_bytes += size
            self._worker.put((message, size))

    def missed(self) -> None:
        self._worker.put(None)

    def stop(self) -> None:
        self._worker.stop()

    def _handle(self, item: tuple[Message, int] | None) -> None:
        try:
            if item is None:
                self._on_missed()
                return
            message, size = item
            with self._lock:
                # Never below zero: an event taken just before the others were dropped is counted out already.
                self._waiting = max(0, self._waiting - 1)
                self._waiting_bytes = max(0, self._waiting_bytes - size)
            if _is_newer(message):
                self._on_missed()
            else:
                self._handler(message)
        except Exception:
            LOG.exception("The handler of %s failed", self._name)
