"""The broker of an installation, for a command that asks it something and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import amqp
from kombu.utils.url import parse_url

from st2common.config.clients import tls_parameters
from st2common.transport.port import WorkQueue
from st2ctl.installation import Installation

# Seconds for a broker to answer.
_TIMEOUT = 5


@dataclass(frozen=True)
class QueueState:
    messages: int
    consumers: int


def connect(installation: Installation, url: str) -> amqp.Connection:
    """A connection that a ``with`` statement opens, and closes.

    Raises:
        ValueError, St2Error: the options contradict each other. Opening raises OSError or ``amqp.AMQPError`` when the
            broker does not answer, or refuses us.
    """
    parts = parse_url(url)
    return amqp.Connection(
        f"{parts['hostname']}:{parts['port'] or (5671 if url.startswith('amqps') else 5672)}",
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        virtual_host=parts["virtual_host"] or "/",
        ssl=_tls(installation, parts["hostname"]),
        connect_timeout=_TIMEOUT,
    )


def version(connection: amqp.Connection) -> str:
    return str(connection.server_properties["version"])


def look_at(connection: amqp.Connection, queue: WorkQueue) -> QueueState | None:
    """What the queue holds, without changing anything; None when there is none of that name."""
    # A channel of its own: the broker closes the one on which it is asked for what is not there.
    channel = connection.channel()
    try:
        found = channel.queue_declare(queue.name, passive=True)
    except amqp.NotFound:
        return None
    channel.close()
    return QueueState(found.message_count, found.consumer_count)


def _tls(installation: Installation, host: str) -> Any:
    parameters = tls_parameters(installation.config)
    if isinstance(parameters, dict) and "server_hostname" in parameters:
        return {**parameters, "server_hostname": host}
    return parameters
