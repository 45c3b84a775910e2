"""What every transport does, checked over the real broker and in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from st2common.errors import TransportError
from st2common.transport.port import SCHEMA_VERSION, Delivery, Message, Transport, WorkQueue
from tests.conditions import eventually

WORK = WorkQueue("st2.test.work", "st2.test", "work")
EVENTS = "st2.test.events"


@pytest.fixture(params=["memory", "amqp"])
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.getfixturevalue(f"{request.param}_transport")
    return chosen


class Collector:
    """A handler that keeps what it gets; of deliveries it acknowledges each unless told otherwise."""

    def __init__(self, ack: bool = True) -> None:
        self.messages: list[Message] = []
        self.deliveries: list[Delivery] = []
        self._ack = ack

    def event(self, message: Message) -> None:
        self.messages.append(message)

    def work(self, delivery: Delivery) -> None:
        self.messages.append(delivery.message)
        self.deliveries.append(delivery)
        if self._ack:
            delivery.ack()

    def numbers(self) -> list[int]:
        return [message.body["n"] for message in self.messages]


def test_work_reaches_a_consumer_as_it_was_sent(transport: Transport) -> None:
    collector = Collector()
    transport.consume(WORK, collector.work, prefetch=10)
    body = {"v": 1, "text": 'ünï\u2028 "quoted"\0', "nested": {"list": [1, 2.5, None, True]}}
    transport.publish("st2.test", "work", body)
    [message] = eventually(lambda: list(collector.messages))
    assert message == Message("st2.test", "work", body, redelivered=False)


def test_work_waits_for_its_first_consumer(transport: Transport) -> None:
    transport.declare(WORK)
    for n in range(20):
        transport.publish("st2.test", "work", {"n": n})
    collector = Collector()
    transport.consume(WORK, collector.work, prefetch=3)
    eventually(lambda: len(collector.messages) == 20)
    assert collector.numbers() == list(range(20))


def test_work_goes_to_one_consumer_only(transport: Transport) -> None:
    collectors = [Collector(), Collector()]
    for collector in collectors:
        transport.consume(WORK, collector.work, prefetch=2)
    for n in range(40):
        transport.publish("st2.test", "work", {"n": n})
    eventually(lambda: sum(len(each.messages) for each in collectors) == 40)
    assert sorted(n for each in collectors for n in each.numbers()) == list(range(40))
    assert all(each.messages for each in collectors)


def test_a_consumer_holds_no_more_than_its_prefetch(transport: Transport) -> None:
    collector = Collector(ack=False)
    transport.consume(WORK, collector.work, prefetch=2)
    for n in range(5):
        transport.publish("st2.test", "work", {"n": n})
    eventually(lambda: len(collector.messages) == 2)
    # A second consumer gets the rest at once: nothing beyond the prefetch was handed to the first one.
    other = Collector()
    transport.consume(WORK, other.work, prefetch=10)
    eventually(lambda: len(other.messages) == 3)
    assert collector.numbers() == [0, 1]
    assert sorted(other.numbers()) == [2, 3, 4]


def test_an_acknowledgement_makes_room_for_the_next(transport: Transport) -> None:
    collector = Collector(ack=False)
    transport.consume(WORK, collector.work, prefetch=1)
    for n in range(3):
        transport.publish("st2.test", "work", {"n": n})
    for n in range(3):
        eventually(lambda expected=n: len(collector.messages) == expected + 1)
        collector.deliveries[n].ack()
        collector.deliveries[n].ack()  # again: does nothing
        collector.deliveries[n].requeue()  # too late: does nothing
    assert collector.numbers() == [0, 1, 2]


def test_what_is_given_back_is_handed_out_again(transport: Transport) -> None:
    collector = Collector(ack=False)
    transport.consume(WORK, collector.work, prefetch=1)
    transport.publish("st2.test", "work", {"n": 7})
    eventually(lambda: len(collector.messages) == 1)
    collector.deliveries[0].requeue()
    eventually(lambda: len(collector.messages) == 2)
    assert [message.redelivered for message in collector.messages] == [False, True]
    assert collector.numbers() == [7, 7]


def test_a_stopped_consumer_gives_back_what_it_did_not_acknowledge(transport: Transport) -> None:
    first = Collector(ack=False)
    consumer = transport.consume(WORK, first.work, prefetch=3)
    for n in range(3):
        transport.publish("st2.test", "work", {"n": n})
    eventually(lambda: len(first.messages) == 3)
    first.deliveries[1].ack()
    consumer.stop()
    first.deliveries[0].ack()  # too late: does nothing
    second = Collector()
    transport.consume(WORK, second.work, prefetch=10)
    eventually(lambda: len(second.messages) == 2)
    assert second.numbers() == [0, 2]
    assert all(message.redelivered for message in second.messages)


def test_stopping_a_consumer_waits_for_its_handler(transport: Transport) -> None:
    entered, release, left = threading.Event(), threading.Event(), threading.Event()

    def handler(delivery: Delivery) -> None:
        entered.set()
        release.wait(10)
        delivery.ack()
        left.set()

    consumer = transport.consume(WORK, handler, prefetch=1)
    transport.publish("st2.test", "work", {"n": 1})
    assert entered.wait(10)
    stopper = threading.Thread(target=consumer.stop)
    stopper.start()
    stopper.join(0.2)
    assert stopper.is_alive()
    release.set()
    stopper.join(10)
    assert not stopper.is_alive()
    assert left.is_set()
    # Its acknowledgement was still sent: nobody gets the message again.
    transport.publish("st2.test", "work", {"n": 2})
    other = Collector()
    transport.consume(WORK, other.work, prefetch=10)
    eventually(lambda: other.messages)
    assert other.numbers() == [2]


@pytest.mark.filterwarnings("default")
def test_a_handler_that_fails_gets_the_message_again(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[bool] = []

    def handler(delivery: Delivery) -> None:
        seen.append(delivery.message.redelivered)
        if len(seen) == 1:
            raise RuntimeError("the database is away")
        delivery.ack()

    transport.consume(WORK, handler, prefetch=1)
    transport.publish("st2.test", "work", {"n": 1})
    eventually(lambda: len(seen) == 2)
    assert seen == [False, True]
    assert "the database is away" in caplog.text


def test_work_in_a_later_form_stays_for_a_later_release(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()
    consumer = transport.consume(WORK, collector.work, prefetch=10)
    transport.publish("st2.test", "work", {"v": SCHEMA_VERSION + 1, "n": 1})
    transport.publish("st2.test", "work", {"v": SCHEMA_VERSION, "n": 2})
    transport.publish("st2.test", "work", {"v": SCHEMA_VERSION - 1, "n": 3})
    eventually(lambda: sorted(collector.numbers()) == [2, 3])
    assert f"has the form {SCHEMA_VERSION + 1}" in caplog.text
    assert "upgrade this daemon" in caplog.text
    consumer.stop()
    # What this release could not read is still there for one that can.
    later = Collector()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("st2common.transport.handling.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        transport.consume(WORK, later.work, prefetch=10)
        eventually(lambda: later.numbers() == [1])


def test_an_event_in_a_later_form_makes_its_reader_look_anew(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    collector, missed = Collector(), threading.Event()
    transport.subscribe(collector.event, missed.set).bind(EVENTS, "#")
    transport.notify(EVENTS, "create", {"v": "next", "n": 1})
    transport.notify(EVENTS, "create", {"v": SCHEMA_VERSION, "n": 2})
    eventually(lambda: collector.numbers() == [2])
    assert missed.is_set()
    assert "has the form 'next'" in caplog.text


def test_work_that_no_queue_takes_is_refused(transport: Transport) -> None:
    transport.declare(WORK)
    with pytest.raises(TransportError, match="no queue takes 'elsewhere'"):
        transport.publish("st2.test", "elsewhere", {"n": 1})
    with pytest.raises(TransportError, match="no queue takes"):
        transport.publish("st2.nowhere", "work", {"n": 1})
    transport.publish("st2.test", "work", {"n": 1})


def test_a_routing_key_that_is_too_long_is_the_callers_error(transport: Transport) -> None:
    collector = Collector()
    subscription = transport.subscribe(collector.event, lambda: None)
    for call in (transport.publish, transport.notify):
        with pytest.raises(ValueError, match="at most 255 bytes"):
            call(EVENTS, "é" * 128, {"n": 1})
    with pytest.raises(ValueError, match="at most 255 bytes"):
        subscription.bind(EVENTS, "x" * 256)
    subscription.bind(EVENTS, "x" * 255)
    transport.notify(EVENTS, "x" * 255, {"n": 2})
    eventually(lambda: collector.numbers() == [2])


def test_events_arrive_in_the_order_in_which_they_were_sent(transport: Transport) -> None:
    collector = Collector()
    subscription = transport.subscribe(collector.event, lambda: None)
    subscription.bind(EVENTS, "#")
    for n in range(2000):
        transport.notify(EVENTS, f"key.{n}", {"n": n})
    eventually(lambda: len(collector.messages) == 2000)
    assert collector.numbers() == list(range(2000))
    assert collector.messages[5] == Message(EVENTS, "key.5", {"n": 5})


def test_every_subscription_gets_every_event(transport: Transport) -> None:
    collectors = [Collector() for _ in range(3)]
    for collector in collectors:
        transport.subscribe(collector.event, lambda: None).bind(EVENTS, "create")
    transport.notify(EVENTS, "create", {"n": 1})
    for collector in collectors:
        eventually(lambda each=collector: each.numbers() == [1])


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("create", {"create"}),
        ("*", {"create", "update"}),
        ("#", {"create", "update", "a.b", "a.b.c", "a.x.b.c", ""}),
        ("a.*", {"a.b"}),
        ("a.#", {"a.b", "a.b.c", "a.x.b.c"}),
        ("a.#.c", {"a.b.c", "a.x.b.c"}),
        ("#.b.*", {"a.b.c", "a.x.b.c"}),
        ("", {""}),
    ],
)
def test_patterns(transport: Transport, pattern: str, wanted: set[str]) -> None:
    collector, everything = Collector(), Collector()
    transport.subscribe(collector.event, lambda: None).bind(EVENTS, pattern)
    transport.subscribe(everything.event, lambda: None).bind(EVENTS, "#")
    for key in ["create", "update", "a.b", "a.b.c", "a.x.b.c", ""]:
        transport.notify(EVENTS, key, {"n": 0})
    eventually(lambda: len(everything.messages) == 6)
    eventually(lambda: len(collector.messages) >= len(wanted))
    assert {message.routing_key for message in collector.messages} == wanted


def test_bindings_change_while_events_flow(transport: Transport) -> None:
    """A binding is in force when bind() returns, and no more after unbind() has."""
    collector = Collector()
    subscription = transport.subscribe(collector.event, lambda: None)
    for n in range(10):
        subscription.bind(EVENTS, f"execution{n}")
        transport.notify(EVENTS, f"execution{n}", {"n": n})
        eventually(lambda expected=n: len(collector.messages) == expected + 1)
        subscription.unbind(EVENTS, f"execution{n}")
        transport.notify(EVENTS, f"execution{n}", {"n": -1})
    assert collector.numbers() == list(range(10))


def test_an_event_that_two_bindings_want_comes_once(transport: Transport) -> None:
    collector = Collector()
    subscription = transport.subscribe(collector.event, lambda: None)
    for pattern in ("#", "create", "*", "create"):
        subscription.bind(EVENTS, pattern)
    transport.notify(EVENTS, "create", {"n": 1})
    subscription.bind(EVENTS, "last")
    transport.notify(EVENTS, "last", {"n": 2})
    eventually(lambda: collector.numbers()[-1:] == [2])
    assert collector.numbers() == [1, 2]


def test_a_handler_may_bind_from_within(transport: Transport) -> None:
    collector = Collector()
    bound = threading.Event()

    def handler(message: Message) -> None:
        if message.routing_key == "first":
            subscription.bind(EVENTS, "second")
            bound.set()
        collector.event(message)

    subscription = transport.subscribe(handler, lambda: None)
    subscription.bind(EVENTS, "first")
    transport.notify(EVENTS, "first", {"n": 1})
    assert bound.wait(10)
    transport.notify(EVENTS, "second", {"n": 2})
    eventually(lambda: collector.numbers() == [1, 2])


def test_a_failing_event_handler_gets_the_next_event(transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()

    def handler(message: Message) -> None:
        if message.body["n"] == 1:
            raise RuntimeError("cannot handle this one")
        collector.event(message)

    transport.subscribe(handler, lambda: None).bind(EVENTS, "#")
    transport.notify(EVENTS, "create", {"n": 1})
    transport.notify(EVENTS, "create", {"n": 2})
    eventually(lambda: collector.numbers() == [2])
    assert "cannot handle this one" in caplog.text


def test_a_stopped_subscription_gets_nothing_more(transport: Transport) -> None:
    collector, other = Collector(), Collector()
    subscription = transport.subscribe(collector.event, lambda: None)
    subscription.bind(EVENTS, "#")
    transport.subscribe(other.event, lambda: None).bind(EVENTS, "#")
    subscription.stop()
    transport.notify(EVENTS, "create", {"n": 1})
    eventually(lambda: other.numbers() == [1])
    assert collector.messages == []
    assert not subscription.healthy()


def test_senders_in_many_threads(transport: Transport) -> None:
    collector, events = Collector(), Collector()
    transport.consume(WORK, collector.work, prefetch=50)
    transport.subscribe(events.event, lambda: None).bind(EVENTS, "#")

    def send(sender: int) -> None:
        for n in range(50):
            transport.publish("st2.test", "work", {"n": n, "sender": sender})
            transport.notify(EVENTS, str(sender), {"n": n, "sender": sender})

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for each in senders:
        each.start()
    for each in senders:
        each.join(30)
    eventually(lambda: len(collector.messages) == 400)
    eventually(lambda: len(events.messages) == 400)
    for sender in range(8):
        numbers = [message.body["n"] for message in events.messages if message.body["sender"] == sender]
        assert all(earlier < later for earlier, later in pairwise(numbers))


def test_a_slow_handler_is_told_that_it_missed_events(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("st2common.transport.handling.MAX_WAITING_EVENTS", 100)
    entered, release, missed = threading.Event(), threading.Event(), threading.Event()
    collector = Collector()

    def handler(message: Message) -> None:
        entered.set()
        release.wait(10)
        collector.event(message)

    transport.subscribe(handler, missed.set).bind(EVENTS, "#")
    transport.notify(EVENTS, "create", {"n": 0})
    assert entered.wait(10)
    witness = Collector()
    transport.subscribe(witness.event, lambda: None).bind(EVENTS, "last")
    for n in range(1, 1000):
        transport.notify(EVENTS, "create", {"n": n})
    transport.notify(EVENTS, "last", {"n": 1000})
    eventually(lambda: witness.messages)
    release.set()
    assert missed.wait(10)
    eventually(lambda: collector.numbers()[-1:] == [1000])
    assert collector.numbers() == sorted(collector.numbers())
    assert len(collector.messages) < 900


def test_health_and_the_end(transport: Transport) -> None:
    consumer = transport.consume(WORK, lambda delivery: delivery.ack(), prefetch=1)
    subscription = transport.subscribe(lambda message: None, lambda: None)
    parts: list[Callable[[], bool]] = [transport.healthy, consumer.healthy, subscription.healthy]
    for healthy in parts:
        eventually(healthy)
    transport.close()
    assert not any(healthy() for healthy in parts)
    transport.notify(EVENTS, "create", {"n": 1})
    with pytest.raises(TransportError):
        transport.publish("st2.test", "work", {"n": 1})
