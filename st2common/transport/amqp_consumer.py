"""Consumers of work queues, and subscriptions to events, each with a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from st2common.transport.amqp_link import Link
from st2common.transport.amqp_session import CONNECT_TIMEOUT, Arrived, Broker, Session
from st2common.transport.handling import EventHandling, HeldMessage, WorkHandling
from st2common.transport.port import Delivery, Message, WorkQueue
from st2common.transport.routing import check_key


class AmqpConsumer:
    def __init__(
        self, brokers: Sequence[Broker], queue: WorkQueue, handler: Callable[[Delivery], None], prefetch: int
    ) -> None:
        self.stopped = False
        self._queue = queue
        self._prefetch = prefetch
        self._handling = WorkHandling(f"consume-{queue.name}", handler)
        self._link = Link(f"consume-{queue.name}", brokers, self._on_connect)
        self._link.wait_connected(CONNECT_TIMEOUT)

    def stop(self) -> None:
        self.stopped = True
        self._handling.stop()
        self._link.stop()  # last, since it sends the acknowledgements first

    def healthy(self) -> bool:
        return self._link.connected()

    def _on_connect(self, session: Session) -> None:
        # What the last connection brought is handed out again on this one.
        self._handling.clear()
        session.declare_work_queue(self._queue)
        session.consume_work(self._queue, lambda arrived: self._on_message(session, arrived), self._prefetch)

    def _on_message(self, session: Session, arrived: Arrived) -> None:
        def settle(done: bool) -> None:
            # After a reconnect this does nothing: the broker took the message back when the connection died.
            self._link.submit(lambda current: current.settle(arrived.delivery_tag, done), session)

        if arrived.message is None:
            session.discard(arrived.delivery_tag)
        else:
            self._handling.put(HeldMessage(arrived.message, settle))


class AmqpSubscription:
    def __init__(
        self, brokers: Sequence[Broker], handler: Callable[[Message], None], on_reconnect: Callable[[], None]
    ) -> None:
        self.stopped = False
        self._lock = threading.Lock()
        self._bindings: set[tuple[str, str]] = set()
        self.queue_name = ""
        # Events may have been missed when the first connection comes only after the caller was told to go on.
        self._given_out = False
        self._handling = EventHandling("subscription", handler, on_reconnect)
        self._link = Link("subscription", brokers, self._on_connect)
        self._link.wait_connected(CONNECT_TIMEOUT)
        self._given_out = True

    def bind(self, exchange: str, pattern: str) -> None:
        with self._lock:
            self._bindings.add((exchange, check_key(pattern)))
        self._link.call(lambda session: session.bind(self.queue_name, exchange, pattern))

    def unbind(self, exchange: str, pattern: str) -> None:
        with self._lock:
            self._bindings.discard((exchange, pattern))
        self._link.call(lambda session: session.unbind(self.queue_name, exchange, pattern))

    def stop(self) -> None:
        self.stopped = True
        self._link.stop()
        self._handling.stop()

    def healthy(self) -> bool:
        return self._link.connected()

    def _on_connect(self, session: Session) -> None:
        self.queue_name = session.declare_own_queue()
        with self._lock:
            bindings = list(self._bindings)
        for exchange, pattern in bindings:
            session.bind(self.queue_name, exchange, pattern)
        session.consume_events(self.queue_name, self._on_message)
        if self._given_out:
            self._handling.missed()

    def _on_message(self, arrived: Arrived) -> None:
        if arrived.message is not None:
            self._handling.put(arrived.message, arrived.size)
