"""What waits to be sent to the broker, and what was sent and is not yet confirmed. No connection, no thread."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from st2common import metrics
from st2common.errors import TransportError

# What may wait for a broker that is away; beyond it the oldest is dropped.
MAX_MESSAGES = 10_000
MAX_BYTES = 64 * 1024 * 1024

# How often a message is sent before it is given up: one that breaks the connection must not hold up the others.
MAX_ATTEMPTS = 5

# Messages sent and not yet confirmed: enough to hide the broker's latency, few enough to send again after a reconnect.
WINDOW = 512


@dataclass(eq=False)
class Outgoing:
    exchange: str
    routing_key: str
    payload: bytes
    #: Set for a message whose sender waits for the confirm: it is sent at most once, and must reach a queue.
    confirmed: Future[None] | None = None
    attempts: int = 0
    #: Why the broker gave it back, if it did.
    returned: str | None = None

    def abandoned(self) -> bool:
        """Whether its sender has stopped waiting."""
        return self.confirmed is not None and self.confirmed.done()

    def accept(self) -> None:
        if self.confirmed is not None:
            with contextlib.suppress(InvalidStateError):  # the sender has just stopped waiting
                self.confirmed.set_result(None)

    def fail(self, reason: str) -> None:
        if self.confirmed is not None:
            with contextlib.suppress(InvalidStateError):
                self.confirmed.set_exception(TransportError(reason))


class Outbox:
    """Messages in the order in which they were put; bounded."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES, window: int = WINDOW) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._window = window
        self._lock = threading.Lock()
        self._emptied = threading.Condition(self._lock)
        self._waiting: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self._sent: dict[int, Outgoing] = {}
        #: Messages without a waiting sender that were given up: the outbox was full, or the broker refused them.
        self.dropped = 0

    def put(self, message: Outgoing) -> None:
        with self._lock:
            self._waiting.append(message)
            self._waiting_bytes += len(message.payload)
            self._drop_excess()

    def take(self, tag: int) -> Outgoing | None:
        """The next message, from now on counted as sent under ``tag``; None when none waits or the window is full."""
        with self._lock:
            while self._waiting and len(self._sent) < self._window:
                message = self._waiting.popleft()
                self._waiting_bytes -= len(message.payload)
                if not message.abandoned():
                    message.attempts += 1
                    self._sent[tag] = message
                    return message
            self._tell_if_empty()
            return None

    def sent(self, tag: int) -> Outgoing | None:
        return self._sent.get(tag)

    def settle(self, tag: int, multiple: bool, accepted: bool) -> None:
        """The broker's verdict on what was sent under ``tag``, and with ``multiple`` on all before it."""
        with self._lock:
            # Tags grow, so those that a multiple confirm means come first.
            tags = list(itertools.takewhile(lambda each: each <= tag, self._sent)) if multiple else [tag]
            settled = [message for each in tags if (message := self._sent.pop(each, None))]
            self._tell_if_empty()
        for message in settled:
            if accepted and message.returned is None:
                message.accept()
            else:
                message.fail(message.returned or "the broker refused the message")
                self._dropped(message.confirmed is None)

    def connection_lost(self, reason: str) -> None:
        """Fail what somebody waits for; what nobody waits for is sent again, in order, before anything else."""
        with self._lock:
            everything = [*self._sent.values(), *self._waiting]
            self._sent.clear()
            events = [each for each in everything if each.confirmed is None]
            self._waiting = deque(each for each in events if each.attempts < MAX_ATTEMPTS)
            self._dropped(len(events) - len(self._waiting))
            self._waiting_bytes = sum(len(each.payload) for each in self._waiting)
            self._drop_excess()
            self._tell_if_empty()
        for message in everything:
            message.fail(reason)

    def waiting(self) -> bool:
        return bool(self._waiting)

    def count(self) -> int:
        """How many wait to be sent or confirmed."""
        return len(self._waiting) + len(self._sent)

    def wait_empty(self, timeout: float) -> bool:
        """Wait until everything was sent and settled; whether it was within ``timeout`` seconds."""
        with self._lock:
            return self._emptied.wait_for(lambda: not self._waiting and not self._sent, timeout)

    def _dropped(self, count: int) -> None:
        self.dropped += count
        metrics.DROPPED_OUTBOX.inc(count)

    def _tell_if_empty(self) -> None:
        if not self._waiting and not self._sent:
            self._emptied.notify_all()

    def _drop_excess(self) -> None:
        while len(self._waiting) > self._max_messages or self._waiting_bytes > self._max_bytes:
            oldest = self._waiting.popleft()
            self._waiting_bytes -= len(oldest.payload)
            self._dropped(oldest.confirmed is None)
            oldest.fail("too many messages wait for the broker")
