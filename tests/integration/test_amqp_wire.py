"""What lands on the wire, seen by an independent second client (pika)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from st2common.transport.amqp import AmqpTransport
from st2common.transport.port import Delivery, Message, WorkQueue
from tests.conditions import eventually

WORK = WorkQueue("st2.test.work", "st2.test", "work")


@pytest.fixture
def channel(rabbitmq_url: str) -> Iterator[BlockingChannel]:
    parameters = pika.URLParameters(rabbitmq_url.removesuffix("//") + "/%2F")
    connection = pika.BlockingConnection(parameters)
    yield connection.channel()
    if connection.is_open:
        connection.close()


@pytest.fixture
def prefix(amqp_transport: AmqpTransport) -> str:
    """What the transport of this test puts in the place of "st2"."""
    return amqp_transport.prefix


def get(channel: BlockingChannel, queue: str) -> Any:
    """The next message of a queue: (method, properties, body)."""

    def answer() -> Any:
        found = channel.basic_get(queue, auto_ack=True)
        return found if found[0] is not None else None

    return eventually(answer)


def test_work_is_persistent_json_in_a_quorum_queue(
    amqp_transport: AmqpTransport, prefix: str, channel: BlockingChannel
) -> None:
    amqp_transport.declare(WORK)
    amqp_transport.publish("st2.test", "work", {"v": 1, "execution_id": "ü"})
    method, properties, body = get(channel, f"{prefix}.test.work")
    assert (method.exchange, method.routing_key) == (f"{prefix}.test", "work")
    assert properties.delivery_mode == 2
    assert (properties.content_type, properties.content_encoding) == ("application/json", "utf-8")
    assert json.loads(body) == {"v": 1, "execution_id": "ü"}
    # Declaring with the same arguments is allowed, with others it is not: so these are what the queue has.
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 200}
    channel.queue_declare(f"{prefix}.test.work", durable=True, arguments=arguments)
    channel.exchange_declare(f"{prefix}.test", exchange_type="topic", durable=True)
    with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED"):
        channel.queue_declare(f"{prefix}.test.work", durable=True, arguments={"x-queue-type": "quorum"})


def test_events_are_transient_json(amqp_transport: AmqpTransport, prefix: str, channel: BlockingChannel) -> None:
    channel.exchange_declare(f"{prefix}.execution", exchange_type="topic", durable=True)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, f"{prefix}.execution", "update")
    amqp_transport.notify("st2.execution", "update", {"v": 1})
    method, properties, body = get(channel, queue)
    assert (method.exchange, method.routing_key) == (f"{prefix}.execution", "update")
    assert properties.delivery_mode == 1
    assert properties.content_type == "application/json"
    assert body == b'{"v":1}'


def test_what_is_not_json_is_dropped_and_the_next_message_handled(
    amqp_transport: AmqpTransport, prefix: str, channel: BlockingChannel, caplog: pytest.LogCaptureFixture
) -> None:
    messages: list[Message] = []

    def handler(delivery: Delivery) -> None:
        messages.append(delivery.message)
        delivery.ack()

    amqp_transport.consume(WORK, handler, prefetch=1)
    for body in (b"\x80\x04pickle", b"", b"[1, 2]", b'{"n": 1}'):
        channel.basic_publish(f"{prefix}.test", "work", body)
    [message] = eventually(lambda: messages)
    assert message == Message("st2.test", "work", {"n": 1})
    assert caplog.text.count("is not a JSON object") == 3


def test_a_subscription_leaves_nothing_behind(amqp_transport: AmqpTransport, channel: BlockingChannel) -> None:
    subscription = amqp_transport.subscribe(lambda message: None, lambda: None)
    subscription.bind("st2.execution", "#")
    # Only its own connection may look at an exclusive queue.
    with pytest.raises(ChannelClosedByBroker, match="RESOURCE_LOCKED"):
        channel.queue_declare(subscription.queue_name, passive=True)
    subscription.stop()
    with pytest.raises(ChannelClosedByBroker, match="NOT_FOUND"):
        channel.connection.channel().queue_declare(subscription.queue_name, passive=True)


CONSUMER = """
import sys, threading
from st2common.transport.amqp import AmqpTransport
from st2common.transport.port import WorkQueue

def hold(delivery):
    print(delivery.message.body["n"], flush=True)

AmqpTransport(sys.argv[1], prefix=sys.argv[2]).consume(WorkQueue("st2.test.work", "st2.test", "work"), hold, prefetch=2)
threading.Event().wait()
"""


def test_what_a_killed_process_held_goes_to_another(
    amqp_transport: AmqpTransport, prefix: str, rabbitmq_url: str
) -> None:
    amqp_transport.declare(WORK)
    for n in range(2):
        amqp_transport.publish("st2.test", "work", {"n": n})
    command = [sys.executable, "-c", CONSUMER, rabbitmq_url, prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        assert [consumer.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
        consumer.send_signal(signal.SIGKILL)
    messages: list[Message] = []

    def handler(delivery: Delivery) -> None:
        messages.append(delivery.message)
        delivery.ack()

    amqp_transport.consume(WORK, handler, prefetch=10)
    eventually(lambda: len(messages) == 2)
    assert [(message.body["n"], message.redelivered) for message in messages] == [(0, True), (1, True)]


def test_under_gevent(rabbitmq_url: str, prefix: str) -> None:
    """The daemons run the same code on greenlets: publish, consume, subscribe, bind, all in one process."""
    script = Path(__file__).with_name("transport_under_gevent.py")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script), rabbitmq_url, prefix],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("work 200, events 200, late 1, ticks kept coming\n", "", 0)


def test_a_hundred_bindings_can_be_made_at_once(amqp_transport: AmqpTransport) -> None:
    """Many watchers share one connection, each making a binding from a thread of its own."""
    got: list[int] = []
    subscription = amqp_transport.subscribe(lambda message: got.append(message.body["n"]), lambda: None)

    def watch(n: int) -> None:
        subscription.bind("st2.execution.output", f"execution{n}")
        amqp_transport.notify("st2.execution.output", f"execution{n}", {"n": n})

    watchers = [threading.Thread(target=watch, args=(n,)) for n in range(100)]
    for each in watchers:
        each.start()
    for each in watchers:
        each.join(30)
    eventually(lambda: len(got) == 100)
    assert sorted(got) == list(range(100))
