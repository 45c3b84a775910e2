from __future__ import annotations

from concurrent.futures import Future

import pytest

from st2common.errors import TransportError
from st2common.transport.outbox import Outbox, Outgoing


def event(n: int, size: int = 1) -> Outgoing:
    return Outgoing("exchange", str(n), b"x" * size)


def work(n: int) -> tuple[Outgoing, Future[None]]:
    confirmed: Future[None] = Future()
    return Outgoing("exchange", str(n), b"x", confirmed), confirmed


def keys(outbox: Outbox, first_tag: int = 1) -> list[str]:
    """Take everything that the window lets through."""
    taken = []
    tag = first_tag
    while (message := outbox.take(tag)) is not None:
        taken.append(message.routing_key)
        tag += 1
    return taken


def test_order_and_window() -> None:
    outbox = Outbox(window=3)
    for n in range(5):
        outbox.put(event(n))
    assert keys(outbox) == ["0", "1", "2"]
    assert outbox.waiting()
    outbox.settle(2, multiple=True, accepted=True)
    assert keys(outbox, first_tag=4) == ["3", "4"]
    assert not outbox.wait_empty(0)
    outbox.settle(5, multiple=True, accepted=True)
    assert outbox.wait_empty(0)


def test_the_oldest_is_dropped_and_counted() -> None:
    outbox = Outbox(max_messages=3)
    for n in range(5):
        outbox.put(event(n))
    assert outbox.dropped == 2
    assert keys(outbox) == ["2", "3", "4"]


def test_the_bytes_are_bounded_as_well() -> None:
    outbox = Outbox(max_bytes=100)
    for n in range(5):
        outbox.put(event(n, size=40))
    assert outbox.dropped == 3
    assert keys(outbox) == ["3", "4"]
    outbox.put(event(9, size=80))
    assert keys(outbox, first_tag=9) == ["9"]


def test_what_was_not_confirmed_goes_first_after_a_reconnect() -> None:
    outbox = Outbox(window=2)
    for n in range(4):
        outbox.put(event(n))
    assert keys(outbox) == ["0", "1"]
    outbox.settle(1, multiple=False, accepted=True)
    outbox.connection_lost("gone")
    outbox.put(event(4))
    assert keys(outbox) == ["1", "2"]


def test_who_waits_is_told_that_the_connection_was_lost() -> None:
    outbox = Outbox(window=1)
    sent, sent_confirmed = work(0)
    waiting, waiting_confirmed = work(1)
    outbox.put(sent)
    outbox.put(waiting)
    assert keys(outbox) == ["0"]
    outbox.connection_lost("the broker is gone")
    for confirmed in (sent_confirmed, waiting_confirmed):
        with pytest.raises(TransportError, match="the broker is gone"):
            confirmed.result(0)
    assert keys(outbox) == []
    assert outbox.wait_empty(0)


def test_confirms_refusals_and_returns() -> None:
    outbox = Outbox()
    messages = [work(n) for n in range(3)]
    for message, _ in messages:
        outbox.put(message)
    keys(outbox)
    outbox.settle(1, multiple=False, accepted=True)
    assert messages[0][1].result(0) is None
    outbox.settle(2, multiple=False, accepted=False)
    with pytest.raises(TransportError, match="refused"):
        messages[1][1].result(0)
    returned = outbox.sent(3)
    assert returned is messages[2][0]
    returned.returned = "no queue takes it"
    outbox.settle(3, multiple=False, accepted=True)
    with pytest.raises(TransportError, match="no queue takes it"):
        messages[2][1].result(0)


def test_what_nobody_waits_for_any_more_is_not_sent() -> None:
    outbox = Outbox()
    message, confirmed = work(0)
    outbox.put(message)
    message.fail("no confirm in time")
    outbox.put(event(1))
    assert keys(outbox) == ["1"]
    # A late verdict on what was given up changes nothing.
    message.accept()
    assert isinstance(confirmed.exception(0), TransportError)


def test_a_message_that_breaks_every_connection_is_given_up() -> None:
    outbox = Outbox(window=1)
    outbox.put(event(0))
    outbox.put(event(1))
    for _ in range(5):
        assert keys(outbox) == ["0"]
        outbox.connection_lost("the broker closed the connection")
    assert outbox.dropped == 1
    assert keys(outbox) == ["1"]
