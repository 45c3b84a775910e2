from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId

from st2common.clock import now_us
from st2common.errors import Fenced
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.chunk import Chunk, End, Run, Stream, StreamTotal
from st2common.output.doorbell import parse
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.events import ExecutionEvents
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Message
from st2common.transport.topology import EXECUTION
from st2garbagecollector.rescuer import Rescuer
from tests.conditions import eventually
from tests.integration.garbagecollector.conftest import SECOND

Store = Callable[..., str]


@pytest.fixture
def rescuer(
    executions: Executions, log: MongoOutputLog, transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> Rescuer:
    monkeypatch.setattr(Rescuer, "patience", 0.0)
    return Rescuer(executions, log, transport, ExecutionEvents(transport), "collector-1")


REPEATABLE = {"ref": "examples.again", "tags": [{"name": "repeatable", "value": True}]}


def lost(stored: Store, status: str = "running", lease_ago: int = SECOND, **fields: Any) -> str:
    return stored(
        status,
        age=60 * SECOND,
        attempt=1,
        owner="runner-1",
        lease_until=now_us() - lease_ago,
        liveaction={"id": str(ObjectId()), "runner_info": {"hostname": "host-1", "pid": 77}},
        **fields,
    )


def line(execution_id: str, number: int, attempt: int = 1) -> Chunk:
    data = b"a line\n"
    return Chunk(
        execution_id=execution_id,
        stream=Stream.STDOUT,
        stream_seq=number,
        seq=number,
        offset=(number - 1) * len(data),
        data=data,
        runs=(Run(len(data), now_us()),),
        attempt=attempt,
        line=number - 1,
    )


def found(executions: Executions, execution_id: str) -> dict[str, Any]:
    document = executions.get(execution_id)
    assert document is not None
    return document


def test_a_lost_execution_is_abandoned_with_a_reason_and_a_log_that_ends(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store, events: list[Message]
) -> None:
    execution_id = lost(stored)
    log.append([line(execution_id, 1), line(execution_id, 2)])

    assert rescuer.run() is False

    after = found(executions, execution_id)
    assert (after["status"], after["attempt"]) == ("abandoned", 2)
    assert "host-1 (pid 77)" in after["result"]["error"]
    assert after["end_timestamp"] >= after["start_timestamp"]
    end = log.end(execution_id)
    assert end is not None
    assert (end.status, end.exit_code, end.attempt) == ("abandoned", None, 2)
    chunks = log.read(execution_id, 0)
    assert b"".join(chunk.data for chunk in chunks) == b"a line\na line\n"
    assert end.seq == chunks[-1].seq + 1
    assert (end.stdout.bytes, end.stdout.lines) == (14, 2)
    eventually(lambda: len(events) == 2)
    bell, update = sorted(events, key=lambda message: message.exchange == EXECUTION)
    assert parse(bell).end == end
    assert (update.routing_key, update.body["execution"]["status"]) == ("update.abandoned", "abandoned")


def test_what_may_be_repeated_is_run_again_and_its_log_says_so(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    execution_id = lost(stored, action=REPEATABLE)
    log.append([line(execution_id, 1)])
    rescuer.run()
    after = found(executions, execution_id)
    assert (after["status"], after["attempt"], after["repeats"]) == ("requested", 2, 1)
    assert [each["_id"] for each in executions.unclaimed(now_us(), 10)] == [after["_id"]]
    assert log.end(execution_id) is None
    *_, mark = log.read(execution_id, 0)
    assert (mark.stream, mark.attempt) == (Stream.STDERR, 2)
    assert mark.data.startswith(b"--- The runner on host-1 (pid 77) was lost. The action is run again: run 2 of")
    with pytest.raises(Fenced):
        log.append([line(execution_id, 2)])
    assert executions.change(execution_id, Status.FAILED, attempt=1) is None


def test_a_line_that_was_cut_off_is_ended_before_the_mark(rescuer: Rescuer, log: MongoOutputLog, stored: Store) -> None:
    execution_id = lost(stored, action=REPEATABLE)
    log.append([replace(line(execution_id, 1), data=b"a", unfinished=True)])
    rescuer.run()
    assert b"".join(chunk.data for chunk in log.read_stream(execution_id, Stream.STDOUT, 0)) == b"a\n"


@pytest.mark.parametrize("why", [{"repeats": 2}, {"status": "canceling"}])
def test_it_is_not_run_again_for_ever_nor_against_anybodys_will(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store, why: dict[str, Any]
) -> None:
    execution_id = lost(stored, action=REPEATABLE)
    executions.collection.update_one({"_id": ObjectId(execution_id)}, {"$set": why})
    rescuer.run()
    after = found(executions, execution_id)
    assert after["status"] == "abandoned"
    assert ("It was run 3 times." in after["result"]["error"]) is ("repeats" in why)
    assert log.end(execution_id) is not None


def test_what_has_ended_is_not_run_again(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    execution_id = lost(stored, action=REPEATABLE)
    log.finish(End(execution_id, 1, 1, "succeeded", 0, now_us()))
    rescuer.run()
    assert found(executions, execution_id)["status"] == "succeeded"


def test_whoever_is_alive_is_left_alone(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    alive = lost(stored, lease_ago=-60 * SECOND)
    rescuer.run()
    assert found(executions, alive)["status"] == "running"
    assert log.end(alive) is None


def test_a_runner_that_was_only_slow_is_fenced(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    execution_id = lost(stored)
    log.append([line(execution_id, 1)])
    rescuer.run()
    with pytest.raises(Fenced):
        log.append([line(execution_id, 2)])
    assert executions.change(execution_id, Status.SUCCEEDED, attempt=1) is None


def test_a_lease_renewed_in_the_last_moment_counts(executions: Executions, stored: Store) -> None:
    execution_id = lost(stored)
    (expired,) = executions.expired(now_us(), 10)
    executions.renew_leases("runner-1", [execution_id], now_us() + 60 * SECOND)
    assert executions.seize(expired, "collector-1", now_us() + SECOND) is None


def test_a_log_that_the_runner_ended_tells_how_the_execution_ended(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    execution_id = lost(stored)
    end = End(execution_id, 2, 1, "succeeded", 0, now_us(), stdout=StreamTotal(1, 7, 1))
    log.finish(end, [line(execution_id, 1)])
    rescuer.run()
    after = found(executions, execution_id)
    assert (after["status"], after["result"]["exit_code"]) == ("succeeded", 0)
    assert log.end(execution_id) == end


def test_a_cancel_that_came_after_the_end_of_the_log_came_too_late(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    execution_id = lost(stored, status="canceling")
    log.finish(End(execution_id, 1, 1, "succeeded", 0, now_us()))
    rescuer.run()
    assert found(executions, execution_id)["status"] == "succeeded"


@pytest.mark.parametrize("died_after", ["seize", "log"])
def test_a_rescue_that_was_interrupted_is_finished_by_the_next_one(
    rescuer: Rescuer, executions: Executions, log: MongoOutputLog, stored: Store, died_after: str
) -> None:
    execution_id = lost(stored)
    log.append([line(execution_id, 1)])
    (expired,) = executions.expired(now_us(), 10)
    seized = executions.seize(expired, "collector-0", now_us() - 1)
    assert seized is not None
    if died_after == "log":
        position = log.take_over(execution_id, 2)
        stdout, stderr = (
            StreamTotal(each.chunks, each.bytes, each.lines) for each in (position.stdout, position.stderr)
        )
        log.finish(End(execution_id, position.seq + 1, 2, "abandoned", None, now_us(), stdout, stderr))
    rescuer.run()
    assert found(executions, execution_id)["status"] == "abandoned"
    assert log.end(execution_id) is not None


def test_after_an_outage_runners_get_time_to_renew(
    executions: Executions, log: MongoOutputLog, transport: MemoryTransport, stored: Store
) -> None:
    """A whole platform that was stopped comes back: its leases have run out without anybody's fault."""
    execution_id = lost(stored)
    Rescuer(executions, log, transport, ExecutionEvents(transport), "collector-1").run()
    assert executions.status(execution_id) == Status.RUNNING
