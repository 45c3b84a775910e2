"""The port to the message broker: what the platform needs of it, and nothing else.

Two implementations share one conformance suite: :mod:`st2common.transport.amqp` (RabbitMQ through kombu) and
:mod:`st2common.transport.memory` (one process). Bodies are JSON objects; each carries the schema version under ``v``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Body = dict[str, Any]

# Every message says which form of body it has. Readers know this form and the one before; no handler sees what is in a
# later one: it is for a later release.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class WorkQueue:
    """A durable, replicated queue of work: a message goes to one consumer and stays until it is acknowledged."""

    name: str
    exchange: str
    routing_key: str


@dataclass(frozen=True)
class Message:
    exchange: str
    routing_key: str
    body: Body
    #: True when the broker has handed this message out before.
    redelivered: bool = False


class Delivery(Protocol):
    """A message of a work queue, held until one of the two verbs is called; calling either again does nothing."""

    message: Message

    def ack(self) -> None:
        """The work is done or owned by somebody: forget the message."""

    def requeue(self) -> None:
        """Give the message back for another consumer."""


class Consumer(Protocol):
    """A consumer of a work queue. Reconnects by itself, for ever, with jitter."""

    def stop(self) -> None:
        """Take no more messages; those not acknowledged go back to the queue. Returns when the handler is idle."""

    def healthy(self) -> bool:
        """Whether the connection to the broker is alive now."""


class Subscription(Protocol):
    """A transient queue of events of this process alone; its bindings may change at any time, from any thread."""

    def bind(self, exchange: str, pattern: str) -> None:
        """Also receive what is published on ``exchange`` with a matching key (``*`` one word, ``#`` any number).

        Returns once the binding is in force, or, while the broker is away, once it is remembered for the reconnect.
        """

    def unbind(self, exchange: str, pattern: str) -> None: ...

    def stop(self) -> None: ...

    def healthy(self) -> bool: ...


class Transport(Protocol):
    def publish(self, exchange: str, routing_key: str, body: Body) -> None:
        """Queue a work message durably; returns once the broker has confirmed that it is routed and safe.

        Raises:
            TransportError: no confirm in time, no queue takes the key, or the broker is away. The message may
                still have arrived: callers and consumers are idempotent.
            ValueError: the routing key is longer than 255 bytes.
        """

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        """Publish a transient event, in order of the calls, without waiting for the broker.

        Kept in a bounded outbox and sent again while the broker is away; when the outbox is full the oldest is
        dropped and counted. Never raises for a broker that is away, never blocks for longer than a lock.

        Raises:
            ValueError: the routing key is longer than 255 bytes.
        """

    def consume(self, queue: WorkQueue, handler: Callable[[Delivery], None], prefetch: int) -> Consumer:
        """Hand at most ``prefetch`` unacknowledged deliveries to ``handler``, one after the other.

        The handler starts a thread for what takes time. An exception in it is logged and the delivery requeued.
        """

    def subscribe(self, handler: Callable[[Message], None], on_reconnect: Callable[[], None]) -> Subscription:
        """Call ``handler`` for each event of the bindings, one after the other, in order of arrival.

        ``on_reconnect`` is called after every reconnect: events may have been missed, so read the database again.
        """

    def declare(self, *queues: WorkQueue) -> None:
        """Create exchanges and work queues, so that publishing works before the first consumer is there."""

    def healthy(self) -> bool: ...

    def close(self, deadline: float = 5.0) -> None:
        """Send what is in the outbox (at most ``deadline`` seconds) and end every connection."""
