"""One open connection to RabbitMQ with one channel. Used by one thread only: the link's (see ``amqp_link``).

Kombu and py-amqp are untyped: nothing of them leaves this module.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import amqp
import kombu
import kombu.exceptions

from st2common.transport.port import Message, WorkQueue

LOG = logging.getLogger(__name__)

#: What a broken connection or a refusing broker raises. OSError includes every socket error and timeout.
BROKER_ERRORS: tuple[type[Exception], ...] = (OSError, amqp.AMQPError, kombu.exceptions.KombuError)

# Seconds.
CONNECT_TIMEOUT = 5.0
# One request to the broker, or one write that the broker does not read.
REQUEST_TIMEOUT = 20.0
# The rest of a frame that has begun to arrive.
_FRAME_TIMEOUT = 0.1
_CLOSE_TIMEOUT = 2.0

# How often a message may be handed out before the broker drops it: a message that kills its consumer must not do so for
# ever. High, since every restart of a consumer hands out what it held; what is dropped the sweeper publishes again.
DELIVERY_LIMIT = 200

TRANSIENT, PERSISTENT = 1, 2


@dataclass(frozen=True)
class Broker:
    """Where and how to connect. ``ssl`` is False, True or a dict of kombu's TLS parameters."""

    url: str
    login_method: str | None = None
    ssl: bool | dict[str, Any] = False
    #: Stands in every exchange's and queue's name for the "st2" before the first dot.
    prefix: str = "st2"
    #: Seconds between heartbeats; a connection silent for two of them is dead.
    heartbeat: int = 15

    def open(self) -> Session:
        """Connect.

        Raises:
            OSError, amqp.AMQPError: the broker is away or refuses us.
        """
        socket_settings = {
            # py-amqp's default is one second: a broker that stops reading (memory alarm) would lose us at once.
            socket.TCP_USER_TIMEOUT: 2000 * self.heartbeat,
        }
        connection = kombu.Connection(
            self.url,
            # A copy: kombu writes the host of this address into it, and the members of a cluster share one.
            ssl=dict(self.ssl) if isinstance(self.ssl, dict) else self.ssl,
            login_method=self.login_method,
            heartbeat=self.heartbeat,
            connect_timeout=CONNECT_TIMEOUT,
            transport_options={"socket_settings": socket_settings},
        )
        raw = connection.transport.establish_connection()
        try:
            return Session(raw, self.heartbeat, self.prefix)
        except BaseException:
            raw.collect()
            raise

    def __str__(self) -> str:
        return str(kombu.Connection(self.url).as_uri())


@dataclass(frozen=True)
class Arrived:
    """A message from the broker. ``message`` is None for one that is not a JSON object: nobody can handle it."""

    delivery_tag: int
    size: int
    message: Message | None


class Session:
    def __init__(self, raw: Any, heartbeat: int, prefix: str) -> None:
        self._raw = raw
        self._heartbeat = heartbeat
        self._prefix = f"{prefix}."
        self._transport = raw.transport
        self._declared: set[str] = set()
        self._next_tick = 0.0
        self.socket: socket.socket = raw.sock
        # Every request and write gives up after this, also under gevent, where SO_RCVTIMEO means nothing.
        self.socket.settimeout(REQUEST_TIMEOUT)
        self._channel = raw.channel()

    @property
    def tick_interval(self) -> float:
        """Seconds between two calls of :meth:`tick`."""
        return self._heartbeat / 4

    def tick(self) -> None:
        """Send a heartbeat when one is due; raises when the broker has been silent for too long."""
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + self.tick_interval
            self._raw.heartbeat_tick(rate=2)

    def read(self) -> None:
        """Handle the frames that have arrived."""
        while True:
            try:
                # One frame. Never with a timeout of zero: py-amqp then spins until the rest of a partial frame comes.
                self._raw.blocking_read(timeout=_FRAME_TIMEOUT)
            except TimeoutError:
                return
            if not self.has_buffered():
                return

    def has_buffered(self) -> bool:
        """Whether frames are here that the socket does not show: py-amqp and TLS read ahead."""
        pending: Callable[[], int] = getattr(self.socket, "pending", lambda: 0)
        return bool(self._transport._read_buffer) or pending() > 0

    def close(self) -> None:
        """Take leave of the broker if it still listens."""
        with contextlib.suppress(*BROKER_ERRORS):
            if self._raw.connected:
                self.socket.settimeout(_CLOSE_TIMEOUT)
                self._raw.close()
        self._raw.collect()

    def has_declared(self, exchange: str) -> bool:
        return exchange in self._declared

    def declare_exchange(self, name: str) -> None:
        if name not in self._declared:
            self._channel.exchange_declare(self._wire(name), type="topic", durable=True, auto_delete=False)
            self._declared.add(name)

    def declare_work_queue(self, queue: WorkQueue) -> None:
        self.declare_exchange(queue.exchange)
        self._channel.queue_declare(
            self._wire(queue.name),
            durable=True,
            auto_delete=False,
            arguments={"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT},
        )
        self._channel.queue_bind(self._wire(queue.name), self._wire(queue.exchange), queue.routing_key)

    def declare_own_queue(self) -> str:
        """A queue that is ours alone and goes with the connection; its name."""
        # Quorum queues cannot be exclusive, and a virtual host may make them its default.
        arguments = {"x-queue-type": "classic"}
        return str(self._channel.queue_declare("", exclusive=True, auto_delete=True, arguments=arguments).queue)

    def bind(self, own_queue: str, exchange: str, pattern: str) -> None:
        self.declare_exchange(exchange)
        self._channel.queue_bind(own_queue, self._wire(exchange), pattern)

    def unbind(self, own_queue: str, exchange: str, pattern: str) -> None:
        self.declare_exchange(exchange)
        self._channel.queue_unbind(own_queue, self._wire(exchange), pattern)

    def consume_work(self, queue: WorkQueue, on_message: Callable[[Arrived], None], prefetch: int) -> None:
        """Have ``on_message`` called by :meth:`read`; each message is to be settled or discarded."""
        self._channel.basic_qos(prefetch_size=0, prefetch_count=prefetch, a_global=False)
        self._consume(self._wire(queue.name), on_message, no_ack=False)

    def consume_events(self, own_queue: str, on_message: Callable[[Arrived], None]) -> None:
        """Have ``on_message`` called by :meth:`read`."""
        self._consume(own_queue, on_message, no_ack=True)

    def settle(self, delivery_tag: int, done: bool) -> None:
        if done:
            self._channel.basic_ack(delivery_tag)
        else:
            self._channel.basic_reject(delivery_tag, requeue=True)

    def discard(self, delivery_tag: int) -> None:
        self._channel.basic_reject(delivery_tag, requeue=False)

    def start_confirms(self, settled: Callable[[int, bool, bool], None], returned: Callable[[int, str], None]) -> None:
        """Have ``settled(tag, multiple, accepted)`` and ``returned(tag, reason)`` called by :meth:`read`.

        A message that no queue takes is returned first and settled as accepted afterwards.
        """
        events = self._channel.events
        events["basic_ack"].add(lambda tag, multiple: settled(tag, multiple, True))
        events["basic_nack"].add(lambda tag, multiple: settled(tag, multiple, False))
        events["basic_return"].add(
            lambda error, _exchange, _key, raw: returned(int(raw.properties["message_id"]), error.reply_text)
        )
        self._channel.confirm_select()

    def on_blocked(self, blocked: Callable[[bool], None]) -> None:
        """Have ``blocked`` called when the broker takes no more messages (an alarm), and when it does again."""
        self._raw.on_blocked = lambda _reason: blocked(True)
        self._raw.on_unblocked = lambda: blocked(False)

    def publish(
        self, exchange: str, routing_key: str, payload: bytes, tag: int, delivery_mode: int, mandatory: bool
    ) -> None:
        message = amqp.Message(
            payload,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=delivery_mode,
            message_id=str(tag),
        )
        self._channel.basic_publish(message, self._wire(exchange), routing_key, mandatory=mandatory)

    def _consume(self, queue: str, on_message: Callable[[Arrived], None], no_ack: bool) -> None:
        self._channel.basic_consume(queue, no_ack=no_ack, callback=lambda raw: on_message(self._arrived(raw)))

    def _arrived(self, raw: Any) -> Arrived:
        info = raw.delivery_info
        exchange, routing_key = self._from_wire(info["exchange"]), info["routing_key"]
        message = None
        try:
            body = json.loads(raw.body)
        except ValueError:
            body = None
        if isinstance(body, dict):
            message = Message(exchange, routing_key, body, bool(info["redelivered"]))
        else:
            LOG.error("A message of %s (%s) is not a JSON object: dropped", exchange, routing_key)
        return Arrived(raw.delivery_tag, len(raw.body), message)

    def _wire(self, name: str) -> str:
        return self._prefix + name.removeprefix("st2.") if name.startswith("st2.") else name

    def _from_wire(self, name: str) -> str:
        return "st2." + name.removeprefix(self._prefix) if name.startswith(self._prefix) else name
