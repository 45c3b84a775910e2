"""Whoever stands still between a claim and the look at what it gave: others may have gone on with it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.models.statuses import Status

_LEASE = 60_000_000


class _StandStill(monitoring.CommandListener):
    """Between the server's answer to the first update and whatever its client does next, ``meanwhile`` happens."""

    meanwhile: Callable[[], None] | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Nothing happens before an answer."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name == "update" and self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """No update fails here."""


@pytest.fixture
def others(database: Database[dict[str, Any]]) -> Executions:
    return Executions(database)


@pytest.fixture
def stand_still() -> _StandStill:
    return _StandStill()


@pytest.fixture
def executions(database: Database[dict[str, Any]], database_uri: str, stand_still: _StandStill) -> Iterator[Executions]:
    with MongoClient[dict[str, Any]](database_uri, event_listeners=[stand_still]) as client:
        yield Executions(client[database.name])


@pytest.fixture
def requested(others: Executions) -> str:
    identity = ObjectId()
    others.insert({"_id": identity, "status": "requested", "attempt": 0, "log": [], "start_timestamp": now_us()})
    return str(identity)


def lost(executions: Executions, execution_id: str) -> dict[str, Any]:
    """One whose lease has run out."""
    [found] = [each for each in executions.expired(now_us(), 100) if str(each["_id"]) == execution_id]
    return found


def test_a_runner_does_not_take_the_claim_of_another_for_its_own(
    executions: Executions, others: Executions, requested: str, stand_still: _StandStill
) -> None:
    second: list[dict[str, Any] | None] = []

    def given_to_another_runner() -> None:
        seized = others.seize(lost(others, requested), "collector", now_us() + _LEASE)
        assert seized is not None
        others.change(requested, Status.REQUESTED, attempt=seized["attempt"])
        second.append(others.claim(requested, "second", now_us() + _LEASE, {}))

    stand_still.meanwhile = given_to_another_runner
    assert executions.claim(requested, "first", now_us() - 1, {}) is None
    [held] = second
    assert held is not None
    assert (held["owner"], held["attempt"]) == ("second", 3)


def test_a_collector_does_not_take_what_another_has_seized(
    executions: Executions, others: Executions, requested: str, stand_still: _StandStill
) -> None:
    others.claim(requested, "runner", now_us() - 1, {})
    second: list[dict[str, Any] | None] = []
    stand_still.meanwhile = lambda: second.append(others.seize(lost(others, requested), "second", now_us() + _LEASE))
    assert executions.seize(lost(others, requested), "first", now_us() - 1) is None
    [held] = second
    assert held is not None
    assert (held["owner"], held["attempt"]) == ("second", 3)
