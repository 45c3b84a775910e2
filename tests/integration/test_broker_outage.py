"""A broker that goes away, comes back, hangs or is late. On a node of its own, which these tests stop and start."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from st2common.errors import TransportError
from st2common.services.work_queue import queue_execution
from st2common.transport.amqp import AmqpTransport
from st2common.transport.port import Delivery, Message, WorkQueue
from st2common.transport.topology import EXECUTIONS_TO_RUN
from st2ctl.embedded import PrivateRabbitMQ
from tests.conditions import eventually
from tests.servers import running_rabbitmq

WORK = WorkQueue("st2.test.work", "st2.test", "work")
EVENTS = "st2.test.events"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    with running_rabbitmq(tmp_path_factory.mktemp("broker")) as own:
        yield own


@pytest.fixture
def transport(broker: PrivateRabbitMQ) -> Iterator[AmqpTransport]:
    transport = AmqpTransport(broker.url, prefix=f"test{time.monotonic_ns()}", confirm_timeout=5)
    yield transport
    transport.close()


def wait_until_on_disk(broker: PrivateRabbitMQ, queue: str) -> None:
    """RabbitMQ 3.10 writes the name of a new quorum queue down after half a second; a crash before that ruins it."""
    [names] = broker.log.parent.glob("mnesia/*/quorum/*/names.dets")
    eventually(lambda: queue.encode() in names.read_bytes())


def test_a_broker_that_crashes_and_comes_back(broker: PrivateRabbitMQ, transport: AmqpTransport) -> None:
    """Confirmed work is not lost, unsent events go out in order, bindings are renewed and readers told to look anew."""
    work: list[int] = []
    events: list[int] = []
    reconnected = threading.Event()

    def on_work(delivery: Delivery) -> None:
        work.append(delivery.message.body["n"])
        delivery.ack()

    subscription = transport.subscribe(lambda message: events.append(message.body["n"]), reconnected.set)
    subscription.bind(EVENTS, "kept")
    subscription.bind(EVENTS, "dropped")
    transport.declare(WORK)
    transport.publish("st2.test", "work", {"n": 0})
    transport.notify(EVENTS, "kept", {"n": 0})
    eventually(lambda: events == [0])
    assert not reconnected.is_set()
    wait_until_on_disk(broker, f"{transport.prefix}.test.work")

    broker.kill()
    eventually(lambda: not transport.healthy() and not subscription.healthy())
    began = time.monotonic()
    with pytest.raises(TransportError, match="no connection"):
        transport.publish("st2.test", "work", {"n": -1})
    for n in range(1, 1000):
        # Through a queue that survives the outage, so that it shows what was sent and in which order.
        transport.notify("st2.test", "work", {"n": n})
    subscription.bind(EVENTS, "added")
    subscription.unbind(EVENTS, "dropped")
    assert time.monotonic() - began < 2, "nobody waits for a broker that is known to be away"

    # A consumer that begins while the broker is away is there when it is back.
    late = threading.Thread(target=lambda: transport.consume(WORK, on_work, prefetch=100))
    late.start()
    broker.start()
    eventually(lambda: transport.healthy() and subscription.healthy(), timeout=30)
    assert reconnected.wait(10)
    transport.notify(EVENTS, "dropped", {"n": -1})
    for n in range(1, 11):
        transport.notify(EVENTS, "added" if n % 2 else "kept", {"n": n})
    eventually(lambda: events[-1] == 10)
    assert events == list(range(11))
    late.join(30)
    transport.publish("st2.test", "work", {"n": 1000})
    eventually(lambda: work[-1:] == [1000], timeout=30)
    assert work == list(range(1001))


def test_what_was_accepted_without_a_broker_is_handed_out_when_it_is_back(
    broker: PrivateRabbitMQ, transport: AmqpTransport
) -> None:
    """By the process that accepted it: no sweeper works here."""
    taken: list[str] = []

    def on_work(delivery: Delivery) -> None:
        taken.append(delivery.message.body["execution_id"])
        delivery.ack()

    consumer = transport.consume(EXECUTIONS_TO_RUN, on_work, prefetch=10)
    broker.stop()
    eventually(lambda: not transport.healthy())
    queue_execution(transport, {"_id": "accepted", "runner": {"name": "local-shell-cmd"}})
    broker.start()
    eventually(lambda: transport.healthy() and consumer.healthy(), timeout=30)
    eventually(lambda: taken == ["accepted"], timeout=30)


def test_a_broker_that_hangs_lets_nobody_wait_for_ever(broker: PrivateRabbitMQ) -> None:
    transport = AmqpTransport(broker.url, prefix="hang", confirm_timeout=0.5)
    transport.declare(WORK)
    transport.publish("st2.test", "work", {"n": 1})
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TransportError, match=r"did not confirm the message within 0\.5 s"):
            transport.publish("st2.test", "work", {"n": 2})
        began = time.monotonic()
        for n in range(1000):
            transport.notify(EVENTS, "create", {"n": n})
        assert time.monotonic() - began < 1
    finally:
        os.kill(broker.pid, signal.SIGCONT)

    def recovered() -> bool:
        try:
            transport.publish("st2.test", "work", {"n": 3})
        except TransportError:
            return False
        return True

    eventually(recovered)
    transport.close()


def test_a_broker_that_is_late(broker: PrivateRabbitMQ, transport: AmqpTransport) -> None:
    """A daemon may be started, and stopped, before its broker is there."""
    broker.stop()
    hasty = AmqpTransport(broker.url)
    hasty.consume(WORK, lambda delivery: delivery.ack(), prefetch=1)
    hasty.subscribe(lambda message: None, lambda: None).bind(EVENTS, "#")
    hasty.notify(EVENTS, "create", {"n": 1})
    began = time.monotonic()
    hasty.close(deadline=0.5)
    assert time.monotonic() - began < 5

    messages: list[Message] = []
    missed = threading.Event()
    transport.declare(WORK)
    subscription = transport.subscribe(messages.append, missed.set)
    subscription.bind(EVENTS, "#")
    assert not subscription.healthy()
    broker.start()
    eventually(lambda: transport.healthy() and subscription.healthy(), timeout=30)
    assert missed.wait(10), "events before the first connection may be missing"
    transport.notify(EVENTS, "create", {"n": 1})
    eventually(lambda: messages)
    transport.publish("st2.test", "work", {"n": 1})
