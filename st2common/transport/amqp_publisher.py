"""Sends an outbox to RabbitMQ, in order, many messages in flight, each confirmed by the broker."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

from st2common import metrics
from st2common.transport.amqp_link import Link
from st2common.transport.amqp_session import PERSISTENT, TRANSIENT, Broker, Session
from st2common.transport.outbox import Outbox, Outgoing
from st2common.transport.port import WorkQueue

LOG = logging.getLogger(__name__)

# Bytes of a message that finds room in the socket's buffer when all before it is confirmed: its sender need not wait
# for the link's thread.
_AT_ONCE = 32 * 1024


class Publisher:
    """Sends once, durably and only to a queue what its sender waits for; all else again until it is confirmed."""

    def __init__(self, name: str, brokers: Sequence[Broker]) -> None:
        self.outbox = Outbox()
        self._queues: list[WorkQueue] = []
        self._dropped_before = 0
        # Of the current connection; touched by whoever uses it.
        self._last_tag = 0
        self._blocked = False
        # Whether the link has been told already that something waits.
        self._told = False
        metrics.OUTBOX.labels(name).set_function(self.outbox.count)
        self.link = Link(name, brokers, self._on_connect, self._on_disconnect)

    def send(self, message: Outgoing) -> None:
        """Put a message into the outbox; it goes out as soon as there is a connection."""
        fits = len(message.payload) <= _AT_ONCE and not self.outbox.count()
        self.outbox.put(message)
        if not (fits and self.link.run_now(functools.partial(self._send_at_once, message.exchange))):
            self._tell()

    def declare(self, queues: Sequence[WorkQueue]) -> None:
        """Create queues now, or when the broker is back, and again after every reconnect."""
        new = [queue for queue in queues if queue not in self._queues]
        self._queues = [*self._queues, *new]
        self.link.call(lambda session: _declare(session, new))

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            if self.link.submit(self._send_waiting) is None:
                self._told = False

    def _on_connect(self, session: Session) -> None:
        self._last_tag = 0
        self._blocked = False
        session.on_blocked(self._on_blocked)
        session.start_confirms(self._on_settled, self._on_returned)
        _declare(session, self._queues)
        if self.outbox.dropped > self._dropped_before:
            LOG.warning("%d events were dropped while the broker was away", self.outbox.dropped - self._dropped_before)
            self._dropped_before = self.outbox.dropped
        self._send_waiting(session)

    def _on_disconnect(self, reason: str) -> None:
        self._told = False
        self.outbox.connection_lost(reason)

    def _on_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        self._tell()

    def _on_settled(self, tag: int, multiple: bool, accepted: bool) -> None:
        self.outbox.settle(tag, multiple, accepted)
        # There is room in the window again. Not sent from here: this may be a callback from within a publish.
        if self.outbox.waiting():
            self._tell()

    def _on_returned(self, tag: int, reason: str) -> None:
        message = self.outbox.sent(tag)
        if message is not None:
            message.returned = f"no queue takes {message.routing_key!r} of exchange {message.exchange!r}: {reason}"

    def _send_at_once(self, exchange: str, session: Session) -> bool:
        # To declare it first is to wait for the broker: not for whoever sends.
        if not session.has_declared(exchange):
            return False
        self._send_waiting(session)
        return True

    def _send_waiting(self, session: Session) -> None:
        # Before the outbox is looked at: what is put in from now on is told anew.
        self._told = False
        while not self._blocked and (message := self.outbox.take(self._last_tag + 1)) is not None:
            self._last_tag += 1
            session.declare_exchange(message.exchange)
            waits = message.confirmed is not None
            session.publish(
                message.exchange,
                message.routing_key,
                message.payload,
                tag=self._last_tag,
                delivery_mode=PERSISTENT if waits else TRANSIENT,
                mandatory=waits,
            )


def _declare(session: Session, queues: Sequence[WorkQueue]) -> None:
    for queue in queues:
        session.declare_work_queue(queue)
