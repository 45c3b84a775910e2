from __future__ import annotations

from collections.abc import Callable

import pytest

from st2common.models.executions import Executions
from st2common.transport.memory import MemoryTransport
from st2garbagecollector.sweeper import Sweeper
from tests.conditions import eventually
from tests.integration.garbagecollector.conftest import SECOND

Store = Callable[..., str]


@pytest.fixture
def sweeper(executions: Executions, transport: MemoryTransport) -> Sweeper:
    return Sweeper(executions, transport, patience=10)


def test_what_nobody_claimed_is_published_again(sweeper: Sweeper, stored: Store, work: list[str]) -> None:
    forgotten = stored("requested", age=11 * SECOND)
    stored("requested", age=9 * SECOND)
    stored("running", age=60 * SECOND)
    stored("canceled", age=60 * SECOND)
    assert sweeper.run() is False
    eventually(lambda: work)
    assert work == [forgotten]


def test_what_waits_in_a_long_queue_is_not_published_at_every_look(
    sweeper: Sweeper, stored: Store, work: list[str]
) -> None:
    waiting = stored("requested", age=60 * SECOND)
    for _ in range(3):
        sweeper.run()
    later = stored("requested", age=20 * SECOND)
    sweeper.run()
    eventually(lambda: later in work)
    assert work == [waiting, later]


def test_it_is_published_again_once_it_has_waited_as_long_again(
    sweeper: Sweeper, executions: Executions, stored: Store, work: list[str]
) -> None:
    waiting = stored("requested", age=60 * SECOND)
    sweeper.run()
    found = executions.get(waiting)
    assert found is not None
    assert found["republish_at"] == pytest.approx(found["start_timestamp"] + 120 * SECOND, abs=5 * SECOND)
    executions.republished(waiting, found["start_timestamp"])
    sweeper.run()
    eventually(lambda: work == [waiting, waiting])


def test_without_a_broker_it_stays_due(
    sweeper: Sweeper, transport: MemoryTransport, executions: Executions, stored: Store
) -> None:
    waiting = stored("requested", age=11 * SECOND)
    # No queue was declared: the broker refuses the message.
    assert sweeper.run() is False
    found = executions.get(waiting)
    assert found is not None
    assert "republish_at" not in found
