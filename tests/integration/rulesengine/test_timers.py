"""Timers that fire: once, with engines that come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from st2common.clock import now_us
from st2common.content import trigger_type_metadata
from st2common.content.loader import load_list
from st2common.content.registrar import TRIGGER_TYPES
from st2common.errors import ValidationError
from st2common.models import triggers
from st2common.models.trigger_types import CRON_TIMER, DATE_TIMER, INTERVAL_TIMER
from st2common.services.triggers import create_trigger, delete_trigger, save_trigger_type, update_trigger
from st2common.transport.memory import MemoryTransport
from st2common.transport.topology import TRIGGER_INSTANCES
from st2rulesengine.timers import TimerEngine
from tests.conditions import eventually

Documents = Database[dict[str, Any]]
SECOND = 1_000_000
EVERY_SECOND = {"type": INTERVAL_TIMER, "parameters": {"unit": "seconds", "delta": 1}}


@pytest.fixture
def engine(database: Documents, memory_transport: MemoryTransport) -> Iterator[Callable[[], TimerEngine]]:
    memory_transport.declare(TRIGGER_INSTANCES)
    for metadata in load_list(TRIGGER_TYPES):
        save_trigger_type(None, trigger_type_metadata.complete({"pack": "core", **metadata}))
    started = []

    def start() -> TimerEngine:
        made = TimerEngine(database, memory_transport)
        made.start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.stop(5)


def fired(database: Documents, trigger: dict[str, Any]) -> list[dict[str, Any]]:
    return list(database["trigger_instance_d_b"].find({"trigger": trigger["ref"]}))


def state(database: Documents, trigger: dict[str, Any]) -> dict[str, Any]:
    return database["timer_d_b"].find_one({"_id": trigger["id"]}) or {}


def test_two_engines_fire_once(
    engine: Callable[[], TimerEngine], database: Documents, memory_transport: MemoryTransport
) -> None:
    engine(), engine()
    timer = create_trigger(memory_transport, EVERY_SECOND)
    eventually(lambda: len(fired(database, timer)) >= 2)
    first, second = fired(database, timer)[:2]
    assert datetime.fromisoformat(first["payload"]["executed_at"]).tzinfo == UTC
    assert first["payload"]["schedule"] is None
    assert first["trace_context"] == {"trace_tag": f"core.st2.IntervalTimer-{timer['name']}"}
    assert second["occurrence_time"] - first["occurrence_time"] > SECOND // 2
    delete_trigger(memory_transport, timer["ref"])
    eventually(lambda: not state(database, timer))


def test_an_event_that_was_stored_is_not_stored_again(engine: Callable[[], TimerEngine], database: Documents) -> None:
    """As when an engine dies between the event and its note of it."""
    timer = create_trigger(None, EVERY_SECOND)
    first = engine()
    eventually(lambda: fired(database, timer))
    first.stop(5)
    before = fired(database, timer)
    known = state(database, timer)
    database["timer_d_b"].update_one({"_id": timer["id"]}, {"$set": {"next_at": known["last_fired_at"]}})
    engine()
    eventually(lambda: state(database, timer)["next_at"] > known["last_fired_at"])
    stored = fired(database, timer)
    assert stored[: len(before)] == before
    assert len({instance["_id"] for instance in stored}) == len(stored)


def missed(database: Documents, engine: Callable[[], TimerEngine], timer: dict[str, Any], seconds: int) -> None:
    """No engine runs while the timer is due, until ``seconds`` later."""
    first = engine()
    eventually(lambda: state(database, timer))
    first.stop(5)
    database["timer_d_b"].update_one({"_id": timer["id"]}, {"$set": {"next_at": now_us() - seconds * SECOND}})
    engine()
    eventually(lambda: (state(database, timer)["next_at"] or 2 * now_us()) > now_us())


def test_what_was_missed_a_moment_ago_is_made_up_once(engine: Callable[[], TimerEngine], database: Documents) -> None:
    timer = create_trigger(None, {"type": INTERVAL_TIMER, "parameters": {"unit": "hours", "delta": 1}})
    missed(database, engine, timer, 30)
    assert len(fired(database, timer)) == 1


def test_what_was_missed_long_ago_is_skipped(engine: Callable[[], TimerEngine], database: Documents) -> None:
    timer = create_trigger(None, {"type": CRON_TIMER, "parameters": {"month": 1, "day": 1, "timezone": "UTC"}})
    missed(database, engine, timer, 3600)
    assert fired(database, timer) == []
    assert state(database, timer)["error"] is None


def test_a_date_is_made_up_however_late(engine: Callable[[], TimerEngine], database: Documents) -> None:
    date = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    timer = create_trigger(None, {"type": DATE_TIMER, "parameters": {"date": date}})
    missed(database, engine, timer, 7 * 24 * 3600)
    assert len(fired(database, timer)) == 1
    known = state(database, timer)
    # Its date lies ahead: that it is due then stands.
    assert known["next_at"] is not None


def test_a_date_that_has_passed_never_fires_and_says_so(engine: Callable[[], TimerEngine], database: Documents) -> None:
    timer = create_trigger(None, {"type": DATE_TIMER, "parameters": {"date": "2020-01-01T00:00:00Z"}})
    engine()
    eventually(lambda: state(database, timer).get("error"))
    assert state(database, timer)["error"] == "It is never due: its time has passed."
    assert fired(database, timer) == []


def test_other_parameters_begin_anew(
    engine: Callable[[], TimerEngine], database: Documents, memory_transport: MemoryTransport
) -> None:
    timer = create_trigger(None, {"type": INTERVAL_TIMER, "parameters": {"unit": "weeks", "delta": 1}})
    engine()
    eventually(lambda: state(database, timer))
    update_trigger(memory_transport, timer["ref"], {"parameters": {"unit": "seconds", "delta": 1}})
    eventually(lambda: fired(database, timer))


def test_nonsense_is_refused_and_what_is_stored_all_the_same_is_told(
    engine: Callable[[], TimerEngine], database: Documents
) -> None:
    with pytest.raises(ValidationError, match="minute: '99'"):
        create_trigger(None, {"type": CRON_TIMER, "parameters": {"minute": "99"}})
    broken = create_trigger(None, {"type": CRON_TIMER, "parameters": {"minute": "5"}})
    database["trigger_d_b"].update_one({"ref": broken["ref"]}, {"$set": {"parameters": {"minute": "99"}}})
    fine = create_trigger(None, EVERY_SECOND)
    running = engine()
    eventually(lambda: fired(database, fine))
    assert "minute: '99'" in state(database, broken)["error"]
    assert running.problem is None
    assert triggers.get(broken["ref"]) is not None
