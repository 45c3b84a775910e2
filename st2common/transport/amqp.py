"""The broker of every deployment with more than one process: RabbitMQ.

Each transport holds two connections for sending (work that is confirmed to the caller, events that are not), each
consumer and subscription one of its own: RabbitMQ throttles publishers by connection, and a slow confirm of a
replicated queue must not hold up live output.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from st2common.errors import TransportError
from st2common.transport.amqp_consumer import AmqpConsumer, AmqpSubscription
from st2common.transport.amqp_publisher import Publisher
from st2common.transport.amqp_session import CONNECT_TIMEOUT, Broker
from st2common.transport.outbox import Outgoing
from st2common.transport.port import Body, Delivery, Message, WorkQueue
from st2common.transport.routing import check_key


class AmqpTransport:
    """A :class:`~st2common.transport.port.Transport` over RabbitMQ."""

    def __init__(
        self,
        urls: str | Sequence[str],
        prefix: str = "st2",
        confirm_timeout: float = 10.0,
        login_method: str | None = None,
        ssl: bool | dict[str, Any] = False,
    ) -> None:
        """Does not wait for the broker.

        ``urls`` of one broker, or of the members of a cluster, tried in turn. ``prefix`` takes the place of "st2" in
        the names of exchanges and queues, for installations that share a broker. ``confirm_timeout`` (seconds) is what
        :meth:`publish` waits at most.
        """
        self.prefix = prefix
        urls = [urls] if isinstance(urls, str) else urls
        self._brokers = [Broker(url, login_method, ssl, prefix) for url in urls]
        self._confirm_timeout = confirm_timeout
        self._closed = False
        self._lock = threading.Lock()
        self._parts: list[AmqpConsumer | AmqpSubscription] = []
        self._work = Publisher("publish", self._brokers)
        self._events = Publisher("notify", self._brokers)

    def publish(self, exchange: str, routing_key: str, body: Body) -> None:
        confirmed: Future[None] = Future()
        message = Outgoing(exchange, check_key(routing_key), _encode(body), confirmed)
        if not self._work.link.wait_connected(CONNECT_TIMEOUT):
            raise TransportError("there is no connection to the broker")
        self._work.send(message)
        try:
            confirmed.result(self._confirm_timeout)
        except TimeoutError:
            reason = f"the broker did not confirm the message within {self._confirm_timeout:g} s"
            message.fail(reason)
            raise TransportError(reason) from None

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        message = Outgoing(exchange, check_key(routing_key), _encode(body))
        if not self._closed:
            self._events.send(message)

    def consume(self, queue: WorkQueue, handler: Callable[[Delivery], None], prefetch: int) -> AmqpConsumer:
        consumer = AmqpConsumer(self._brokers, queue, handler, prefetch)
        self._keep(consumer)
        return consumer

    def subscribe(self, handler: Callable[[Message], None], on_reconnect: Callable[[], None]) -> AmqpSubscription:
        subscription = AmqpSubscription(self._brokers, handler, on_reconnect)
        self._keep(subscription)
        return subscription

    def declare(self, *queues: WorkQueue) -> None:
        self._work.declare(queues)

    def healthy(self) -> bool:
        return self._work.link.connected() and self._events.link.connected()

    def close(self, deadline: float = 5.0) -> None:
        self._closed = True
        self._events.outbox.wait_empty(deadline)
        with self._lock:
            parts = self._parts
            self._parts = []
        for part in parts:
            part.stop()
        self._events.link.stop()
        self._work.link.stop()

    def _keep(self, part: AmqpConsumer | AmqpSubscription) -> None:
        with self._lock:
            self._parts = [*(each for each in self._parts if not each.stopped), part]


def _encode(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
