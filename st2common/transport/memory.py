"""The broker of the standalone process: everything in memory, every consumer woken rather than polling.

Work survives a consumer that stops, not the process: what was accepted and never claimed is published again by the
sweeper, as after the loss of a real broker.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from st2common.errors import TransportError
from st2common.transport.handling import EventHandling, HeldMessage, WorkHandling
from st2common.transport.port import Body, Delivery, Message, WorkQueue
from st2common.transport.routing import check_key, matches


class _Queue:
    """The messages of a work queue and who takes them. The lock is the transport's."""

    def __init__(self) -> None:
        self.ready: deque[Message] = deque()
        self.consumers: deque[_MemoryConsumer] = deque()

    def dispatch(self) -> None:
        """Hand out what is ready, to consumers in turn, while one of them has room."""
        while self.ready:
            taker = next((each for each in self.consumers if each.has_room()), None)
            if taker is None:
                return
            self.consumers.rotate(-1 - self.consumers.index(taker))
            taker.take(self.ready.popleft())


class _MemoryConsumer:
    def __init__(
        self, lock: threading.RLock, queue: _Queue, name: str, handler: Callable[[Delivery], None], prefetch: int
    ) -> None:
        self._lock = lock
        self._queue = queue
        self._prefetch = prefetch
        self._unacknowledged: dict[int, Message] = {}
        self._last_tag = 0
        self._stopped = False
        self._handling = WorkHandling(f"consume-{name}", handler)
        with lock:
            queue.consumers.append(self)
            queue.dispatch()

    def has_room(self) -> bool:
        return len(self._unacknowledged) < self._prefetch

    def take(self, message: Message) -> None:
        self._last_tag += 1
        tag = self._last_tag
        self._unacknowledged[tag] = message
        self._handling.put(HeldMessage(message, lambda done: self._settle(tag, done)))

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self in self._queue.consumers:
                self._queue.consumers.remove(self)
        self._handling.stop()
        with self._lock:
            back = [replace(message, redelivered=True) for message in self._unacknowledged.values()]
            self._unacknowledged.clear()
            self._queue.ready.extendleft(reversed(back))
            self._queue.dispatch()

    def healthy(self) -> bool:
        return not self._stopped

    def _settle(self, tag: int, done: bool) -> None:
        with self._lock:
            message = self._unacknowledged.pop(tag, None)
            if message is not None and not done:
                self._queue.ready.appendleft(replace(message, redelivered=True))
            self._queue.dispatch()


class _MemorySubscription:
    def __init__(self, lock: threading.RLock, handling: EventHandling) -> None:
        self._lock = lock
        self._handling = handling
        # Exact keys are looked up; only patterns with wildcards are tried one by one.
        self._exact: set[tuple[str, str]] = set()
        self._wild: set[tuple[str, str]] = set()
        self._stopped = False

    def bind(self, exchange: str, pattern: str) -> None:
        with self._lock:
            self._bindings(pattern).add((exchange, check_key(pattern)))

    def unbind(self, exchange: str, pattern: str) -> None:
        with self._lock:
            self._bindings(pattern).discard((exchange, pattern))

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._exact.clear()
            self._wild.clear()
        self._handling.stop()

    def healthy(self) -> bool:
        return not self._stopped

    def offer(self, exchange: str, routing_key: str, text: str) -> bool:
        """Take a copy of the message when a binding wants it; whether one did."""
        wanted = (exchange, routing_key) in self._exact or any(
            bound == exchange and matches(pattern, routing_key) for bound, pattern in self._wild
        )
        if wanted:
            self._handling.put(Message(exchange, routing_key, json.loads(text)), len(text))
        return wanted

    def _bindings(self, pattern: str) -> set[tuple[str, str]]:
        return self._wild if "*" in pattern or "#" in pattern else self._exact


class MemoryTransport:
    """A :class:`~st2common.transport.port.Transport` within one process."""

    def __init__(self) -> None:
        # Reentrant, since a handler's verdict on one message hands out the next one.
        self._lock = threading.RLock()
        self._queues: dict[str, _Queue] = {}
        self._bindings: set[WorkQueue] = set()
        self._consumers: list[_MemoryConsumer] = []
        self._subscriptions: list[_MemorySubscription] = []
        self._closed = False

    def publish(self, exchange: str, routing_key: str, body: Body) -> None:
        if self._closed:
            raise TransportError("the transport is closed")
        if not self._route(exchange, routing_key, body):
            raise TransportError(f"no queue takes {routing_key!r} of exchange {exchange!r}")

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        self._route(exchange, routing_key, body)

    def consume(self, queue: WorkQueue, handler: Callable[[Delivery], None], prefetch: int) -> _MemoryConsumer:
        self.declare(queue)
        consumer = _MemoryConsumer(self._lock, self._queues[queue.name], queue.name, handler, prefetch)
        with self._lock:
            self._consumers = [*(each for each in self._consumers if each.healthy()), consumer]
        return consumer

    def subscribe(self, handler: Callable[[Message], None], on_reconnect: Callable[[], None]) -> _MemorySubscription:
        subscription = _MemorySubscription(self._lock, EventHandling("subscription", handler, on_reconnect))
        with self._lock:
            self._subscriptions = [*(each for each in self._subscriptions if each.healthy()), subscription]
        return subscription

    def declare(self, *queues: WorkQueue) -> None:
        with self._lock:
            for queue in queues:
                self._queues.setdefault(queue.name, _Queue())
                self._bindings.add(queue)

    def healthy(self) -> bool:
        return not self._closed

    def close(self, deadline: float = 5.0) -> None:
        with self._lock:
            self._closed = True
            consumers, subscriptions = self._consumers, self._subscriptions
        for consumer in consumers:
            consumer.stop()
        for subscription in subscriptions:
            subscription.stop()

    def _route(self, exchange: str, routing_key: str, body: Body) -> bool:
        """Deliver a copy to every queue and subscription that wants it; whether one did."""
        # Through JSON, so that what works here works over a real broker, and nobody shares a body with the sender.
        text = json.dumps(body)
        check_key(routing_key)
        with self._lock:
            queues = {
                bound.name
                for bound in self._bindings
                if bound.exchange == exchange and matches(bound.routing_key, routing_key)
            }
            for name in queues:
                self._queues[name].ready.append(Message(exchange, routing_key, json.loads(text)))
                self._queues[name].dispatch()
            taken = [each.offer(exchange, routing_key, text) for each in self._subscriptions]
        return bool(queues) or any(taken)
