"""Policies enforced on a real database: never one too many, nobody waits for ever, a retry is made once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.content import policy_metadata
from st2common.datastore.lookup import KeyAccess
from st2common.models import actions, policies, runner_types
from st2common.models.executions import Executions
from st2common.models.policies import Policy
from st2common.models.policy_retries import PolicyRetries
from st2common.models.policy_slots import PolicySlots
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.admission import Admission
from st2common.services.cancellation import cancel_execution
from st2common.services.executions import release_delayed, request_execution
from st2common.services.retries import Retries
from st2common.transport.memory import MemoryTransport
from st2common.transport.topology import EXECUTIONS_TO_RUN
from tests.conditions import eventually
from tests.shell_action import ACTION, RUNNER

Documents = Database[dict[str, Any]]
Request = Callable[..., dict[str, Any]]


@pytest.fixture
def executions(database: Documents) -> Executions:
    executions = Executions(database)
    executions.ensure_indexes()
    MongoOutputLog(database).ensure_indexes()
    runner_types.save(runner_types.RunnerType.from_metadata(RUNNER))
    actions.save(actions.Action.from_metadata(ACTION))
    return executions


@pytest.fixture
def bus() -> Iterator[MemoryTransport]:
    transport = MemoryTransport()
    transport.declare(EXECUTIONS_TO_RUN)
    yield transport
    transport.close()


@pytest.fixture
def request_local(database: Documents, bus: MemoryTransport, executions: Executions) -> Request:
    def request(cmd: str = "x", **more: Any) -> dict[str, Any]:
        return request_execution(database, bus, action_ref="core.local", parameters={"cmd": cmd}, user="alice", **more)

    return request


def limit(kind: str = "concurrency", name: str = "few", **parameters: Any) -> None:
    metadata = {"pack": "mine", "name": name, "resource_ref": "core.local", "policy_type": f"action.{kind}"}
    policies.save(Policy.from_metadata(policy_metadata.complete({**metadata, "parameters": parameters})))


def end(executions: Executions, execution: dict[str, Any], status: Status = Status.SUCCEEDED) -> None:
    identity = str(execution["_id"])
    assert executions.claim(identity, "runner", now_us(), {})
    assert executions.change(identity, status)


def statuses(executions: Executions, *documents: dict[str, Any]) -> list[str]:
    return [str(executions.status(str(document["_id"]))) for document in documents]


def test_what_is_too_many_waits_its_turn(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit(threshold=2)
    admission = Admission(database, bus)
    first, second, third, fourth = (request_local() for _ in range(4))
    assert statuses(executions, first, second, third, fourth) == ["requested", "requested", "delayed", "delayed"]
    assert [entry["status"] for entry in first["log"]] == ["requested"]
    assert [entry["status"] for entry in third["log"]] == ["requested", "delayed"]
    assert admission.release_waiting() == 0
    end(executions, first)
    # Nobody overtakes those who wait.
    fifth = request_local()
    assert fifth["status"] == "delayed"
    assert admission.release_waiting() == 1
    assert statuses(executions, second, third, fourth, fifth) == ["requested", "requested", "delayed", "delayed"]
    cancel_execution(database, bus, execution_id=str(second["_id"]), user="bob")
    cancel_execution(database, bus, execution_id=str(fourth["_id"]), user="bob")
    assert admission.release_waiting() == 1
    released = executions.get(str(fifth["_id"]))
    assert released is not None
    assert [entry["status"] for entry in released["log"]] == ["requested", "delayed", "requested"]
    assert "waits_for" not in released


def test_never_one_too_many_however_many_ask_at_once(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit(threshold=3)
    accepted: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: accepted.append(request_local())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Admission(database, bus).release_waiting()
    waiting = {"requested": 3, "delayed": 13}
    for _ in range(2):
        now = statuses(executions, *accepted)
        assert {status: now.count(status) for status in waiting} == waiting
        for execution in accepted:
            if executions.status(str(execution["_id"])) is Status.REQUESTED:
                end(executions, execution)
        # Several collectors at once: each slot is given once.
        keepers = [threading.Thread(target=Admission(database, bus).release_waiting) for _ in range(4)]
        for keeper in keepers:
            keeper.start()
        for keeper in keepers:
            keeper.join()
        waiting["delayed"] -= 3


def test_what_is_too_many_is_canceled(database: Documents, executions: Executions, request_local: Request) -> None:
    limit(threshold=1, action="cancel")
    first, second = request_local(), request_local()
    assert statuses(executions, first, second) == ["requested", "canceled"]
    assert second["result"]["policy"] == "mine.few"
    log_end = MongoOutputLog(database).end(str(second["_id"]))
    assert log_end is not None
    assert log_end.status == "canceled"
    end(executions, first)
    assert request_local()["status"] == "requested"


def test_counting_by_the_values_of_parameters(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit("concurrency.attr", threshold=1, attributes=["cmd", "timeout"])
    limit("concurrency", "all", threshold=2)
    first, same, other, third = (request_local(cmd) for cmd in ("a", "a", "b", "c"))
    assert statuses(executions, first, same, other, third) == ["requested", "delayed", "requested", "delayed"]
    end(executions, other)
    Admission(database, bus).release_waiting()
    assert statuses(executions, first, same, third) == ["requested", "delayed", "requested"]
    end(executions, first)
    Admission(database, bus).release_waiting()
    assert statuses(executions, same) == ["requested"]


def test_policies_that_come_change_and_go(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    earlier = request_local()
    limit(threshold=1)
    # What began without the policy counts.
    first, second, third = request_local(), request_local(), request_local()
    assert statuses(executions, earlier, first) == ["requested", "delayed"]
    admission = Admission(database, bus)
    limit(threshold=2)
    assert admission.release_waiting() == 1
    assert statuses(executions, first, second) == ["requested", "delayed"]
    limit("concurrency.attr", threshold=1, attributes=["cmd"])
    assert admission.release_waiting() == 0
    policies.remove_pack("mine")
    assert admission.release_waiting() == 2
    assert statuses(executions, second, third) == ["requested", "requested"]


def test_a_threshold_of_none_stops_the_action(request_local: Request) -> None:
    limit(threshold=0)
    assert request_local()["status"] == "delayed"


def test_slots_that_nobody_uses_are_removed(
    database: Documents, executions: Executions, request_local: Request
) -> None:
    limit("concurrency.attr", threshold=1, attributes=["cmd"])
    kept, ended = request_local("a"), request_local("b")
    end(executions, ended)
    slots = PolicySlots(database)
    assert slots.tidy("") == ""
    assert [slot["holders"] for slot in slots.collection.find({})] == [[str(kept["_id"])]]


def test_a_delay_comes_before_the_policy(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit(threshold=1)
    later = request_local(delay=1)
    first = request_local()
    assert statuses(executions, first, later) == ["requested", "delayed"]
    assert eventually(lambda: release_delayed(database, bus)) == 1
    assert release_delayed(database, bus) == 0
    assert statuses(executions, later) == ["delayed"]
    end(executions, first)
    assert Admission(database, bus).release_waiting() == 1
    assert statuses(executions, later) == ["requested"]


def retries_of(database: Documents, bus: MemoryTransport) -> Retries:
    return Retries(database, bus, KeyAccess())


def newest(database: Documents) -> dict[str, Any]:
    [found] = database["action_execution_d_b"].find({}).sort("start_timestamp", -1).limit(1)
    return dict(found)


def test_a_failure_is_repeated_as_often_as_the_policy_says(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit("retry", retry_on="failure", max_retry_count=2)
    retries = retries_of(database, bus)
    first = execution = request_local("{{ 'once' }}")
    assert retries.retry_ended() == 0
    for count in (1, 2):
        end(executions, execution, Status.FAILED)
        assert retries.retry_ended() == 1
        retry = newest(database)
        assert retry["parameters"] == {"cmd": "once"}
        assert retry["context"]["policies"]["retry"] == {
            "applied_policy": "mine.few",
            "retry_count": count,
            "retried_liveaction_id": execution["liveaction"]["id"],
        }
        assert retry["context"]["user"] == "alice"
        assert retry["context"]["trace_context"] == {"id_": str(first["_id"])}
        assert retry["status"] == "requested"
        assert statuses(executions, execution) == ["failed"]
        execution = retry
    end(executions, execution, Status.FAILED)
    assert retries.retry_ended() == 0
    assert executions.collection.count_documents({}) == 3
    assert PolicyRetries(database).collection.find_one({}) is None


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.ABANDONED, Status.CANCELED])
def test_only_what_the_policy_names_is_repeated(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request, status: Status
) -> None:
    limit("retry", retry_on="timeout", max_retry_count=1)
    end(executions, request_local(), status)
    assert retries_of(database, bus).retry_ended() == 0
    assert executions.collection.count_documents({}) == 1


def test_children_of_workflows_are_not_repeated(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit("retry", retry_on="failure", max_retry_count=1)
    end(executions, request_local(context={"parent": {"execution_id": "x"}}), Status.FAILED)
    assert retries_of(database, bus).retry_ended() == 0


def test_a_retry_is_made_once_and_after_its_delay(
    database: Documents, bus: MemoryTransport, executions: Executions, request_local: Request
) -> None:
    limit("retry", retry_on="timeout", max_retry_count=1, delay=100)
    first = request_local()
    end(executions, first, Status.TIMEOUT)
    notes = PolicyRetries(database).collection
    note = notes.find_one({})
    assert note is not None
    assert retries_of(database, bus).retry_ended() == 1
    # As if the first had died before it forgot what it had done.
    notes.insert_one(note)
    assert retries_of(database, bus).retry_ended() == 0
    retry = newest(database)
    assert (retry["_id"], retry["status"], retry["delay"]) == (note["next"], "delayed", 100_000)
    assert executions.collection.count_documents({}) == 2


def test_a_note_of_what_was_never_stored_is_forgotten(database: Documents, bus: MemoryTransport) -> None:
    notes = PolicyRetries(database)
    notes.watch(ObjectId())
    retries_of(database, bus).retry_ended()
    assert notes.collection.count_documents({}) == 1
    notes.collection.update_one({}, {"$set": {"since": now_us() - 3_600_000_000}})
    retries_of(database, bus).retry_ended()
    assert notes.collection.count_documents({}) == 0
