"""One connection to a real broker, used by its own thread and by those who send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from st2common.transport.amqp_link import Link
from st2common.transport.amqp_session import Broker, Session
from tests.conditions import eventually


class Connected:
    """A link, and what it said."""

    def __init__(self, url: str) -> None:
        self.sessions: list[Session] = []
        self.losses: list[str] = []
        self.link = Link("test", [Broker(url)], self.sessions.append, self.losses.append)
        assert self.link.wait_connected(10)

    def run_soon(self, command: Callable[[Session], bool]) -> None:
        """``run_now``, as soon as the thread waits."""
        eventually(lambda: self.link.run_now(command))


@pytest.fixture
def connected(rabbitmq_url: str) -> Iterator[Connected]:
    connected = Connected(rabbitmq_url)
    yield connected
    connected.link.stop()


def test_whoever_sends_uses_an_idle_connection_alone(connected: Connected) -> None:
    users: list[threading.Thread] = []

    def use(_session: Session) -> bool:
        users.append(threading.current_thread())
        return True

    connected.run_soon(use)
    assert users == [threading.current_thread()]

    outcomes: list[bool] = []

    def while_in_use(_session: Session) -> bool:
        outcomes.append(connected.link.run_now(use))
        return True

    connected.run_soon(while_in_use)
    assert connected.link.call(while_in_use)
    assert outcomes == [False, False]
    assert len(users) == 1
    assert not connected.losses


def fail(_session: Session) -> bool:
    raise OSError("no more")


def end(_session: Session) -> bool:
    raise SystemExit


def test_a_connection_on_which_sending_fails_is_replaced(connected: Connected) -> None:
    connected.run_soon(fail)
    eventually(lambda: len(connected.sessions) == 2)
    assert "no more" in connected.losses[0]
    connected.run_soon(lambda _session: True)


def test_a_sender_that_is_ended_amid_a_frame_takes_the_connection_with_it(connected: Connected) -> None:
    with pytest.raises(SystemExit):
        connected.run_soon(end)
    eventually(lambda: len(connected.sessions) == 2)
    assert "SystemExit" in connected.losses[0]


def test_nothing_is_run_without_a_connection(connected: Connected) -> None:
    connected.link.stop()
    assert not connected.link.run_now(fail)
