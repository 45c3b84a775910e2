"""Connections that are dead and do not say so: nobody hangs, nothing confirmed is lost, everybody comes back."""

from __future__ import annotations

import functools
import secrets
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.database import Database

from st2common.clock import now_us
from st2common.errors import TransportError
from st2common.models import connection
from st2common.output.chunk import Stream
from st2common.output.doorbell import Doorbell
from st2common.output.log import Position
from st2common.output.masking import Secrets
from st2common.output.mongo_log import MongoOutputLog
from st2common.output.writer import Arrival, Writer
from st2common.transport import amqp
from st2common.transport.amqp_session import Broker
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Delivery, WorkQueue
from tests.chaos.proxy import Proxy, Swallow
from tests.conditions import eventually
from tests.output_logs import contents, everything, new_execution

WORK = WorkQueue("st2.test.work", "st2.test", "work")
EVENTS = "st2.test.events"


@pytest.fixture
def broker(rabbitmq_url: str) -> Iterator[Proxy]:
    proxy = Proxy(urlsplit(rabbitmq_url).port or 5672)
    yield proxy
    proxy.close()


@pytest.fixture
def transport(broker: Proxy, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[amqp.AmqpTransport]:
    # Two heartbeats without a sign of life are a dead connection: 2 s here, not 30.
    monkeypatch.setattr(amqp, "Broker", functools.partial(Broker, heartbeat=1))
    url = urlsplit(rabbitmq_url)
    through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{broker.port}")).geturl()
    made = amqp.AmqpTransport(through, prefix=f"test{secrets.token_hex(6)}", confirm_timeout=1)
    yield made
    made.close()


def publish(transport: amqp.AmqpTransport, number: int) -> bool:
    """Whether it was confirmed."""
    try:
        transport.publish("st2.test", "work", {"n": number})
    except TransportError:
        return False
    return True


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(Swallow.SERVER, id="from broker"),
        pytest.param(Swallow.CLIENT, id="to broker", marks=pytest.mark.full),
        pytest.param(Swallow.BOTH, id="both", marks=pytest.mark.full),
    ],
)
def test_a_broker_whose_connections_are_half_open(broker: Proxy, transport: amqp.AmqpTransport, what: Swallow) -> None:
    """With ``from broker`` the broker has what was published, and its confirm never comes."""
    work: list[int] = []
    events: list[int] = []
    missed: list[bool] = []

    def on_work(delivery: Delivery) -> None:
        work.append(delivery.message.body["n"])
        delivery.ack()

    transport.declare(WORK)
    transport.consume(WORK, on_work, prefetch=10)
    subscription = transport.subscribe(lambda message: events.append(message.body["n"]), lambda: missed.append(True))
    subscription.bind(EVENTS, "#")
    assert publish(transport, 0)
    transport.notify(EVENTS, "create", {"n": 0})
    eventually(lambda: work == [0] and events == [0])

    broker.swallow(what)
    assert not publish(transport, 1)
    # The silence is noticed by everybody, and not by waiting for somebody to send.
    eventually(lambda: not transport.healthy() and not subscription.healthy(), timeout=30)
    assert not publish(transport, 2)
    broker.heal()
    eventually(lambda: publish(transport, 3), timeout=30)
    eventually(lambda: transport.healthy() and subscription.healthy() and missed, timeout=30)
    # What was confirmed comes; what was not may come, and may come twice.
    eventually(lambda: 3 in work, timeout=30)
    transport.notify(EVENTS, "create", {"n": 3})
    eventually(lambda: events[-1] == 3)


@pytest.fixture
def remote(database: Database[dict[str, Any]], database_uri: str) -> Iterator[tuple[Proxy, MongoOutputLog]]:
    """The log as a client has it that is cut off, a silent connection counting as dead after 1 s, not 30."""
    proxy = Proxy(urlsplit(database_uri).port or 27017)
    options = {"socketTimeoutMS": 1000, "serverSelectionTimeoutMS": 500, "connectTimeoutMS": 500}
    with pymongo.MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{proxy.port}/", **options) as client:
        log = MongoOutputLog(client.get_database(database.name, write_concern=connection.DURABLE))
        log.ensure_indexes()
        yield proxy, log
    proxy.close()


@pytest.mark.parametrize("what", [Swallow.BOTH, Swallow.SERVER], ids=["both", "answers"])
def test_a_database_whose_connections_are_half_open(
    remote: tuple[Proxy, MongoOutputLog], database: Database[dict[str, Any]], what: Swallow
) -> None:
    """With ``answers`` the database has stored what the writer hears nothing of, and stores it once."""
    proxy, log = remote
    transport = MemoryTransport()
    execution_id = new_execution()
    writer = Writer(log, Doorbell(transport), execution_id, 1, Position(), Secrets())
    writer.write([Arrival(Stream.STDOUT, b"one\n", now_us())])
    writer.flush()
    proxy.swallow(what)
    # Well after the writer has met the silence; it writes on meanwhile, for ever if it must.
    healing = threading.Timer(2.0, proxy.heal)
    healing.start()
    writer.write([Arrival(Stream.STDOUT, b"two\n", now_us())])
    writer.flush()
    healing.join()
    writer.write([Arrival(Stream.STDOUT, b"three\n", now_us())])
    end = writer.finish("succeeded", 0)
    ours = MongoOutputLog(database)
    assert contents(everything(ours, execution_id)) == b"one\ntwo\nthree\n"
    assert ours.end(execution_id) == end
    transport.close()
