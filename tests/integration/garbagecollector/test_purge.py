from __future__ import annotations

from collections.abc import Callable

import pytest

from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.output.chunk import Chunk, End, Run, Stream
from st2common.output.mongo_log import MongoOutputLog
from st2garbagecollector import purge
from st2garbagecollector.purge import PurgeExecutions, PurgeOutput
from tests.integration.garbagecollector.conftest import DAY, SECOND

Store = Callable[..., str]


@pytest.fixture
def with_output(stored: Store, log: MongoOutputLog) -> Store:
    """Store an execution with output; its id."""

    def store(status: str, age: int, ended: int | None = None) -> str:
        fields = {} if ended is None else {"end_timestamp": now_us() - ended}
        execution_id = stored(status, age=age, **fields)
        for stream, seq in ((Stream.STDOUT, 1), (Stream.STDERR, 2)):
            log.append([Chunk(execution_id, stream, 1, seq, 0, b"x\n", (Run(2, now_us()),), 1)])
        if ended is not None:
            log.finish(End(execution_id, 3, 1, status, 0, now_us()))
        return execution_id

    return store


@pytest.mark.parametrize("status", ["succeeded", "failed", "timeout", "canceled", "abandoned"])
def test_old_executions_go_with_their_output(
    executions: Executions, log: MongoOutputLog, with_output: Store, status: str
) -> None:
    old = with_output(status, age=3 * DAY, ended=3 * DAY - SECOND)
    young = with_output(status, age=3 * DAY, ended=1 * DAY)
    assert PurgeExecutions(executions, log, keep_days=2, interval=1, rest=0).run() is False
    assert executions.get(old) is None
    assert (log.read(old, 0), log.end(old)) == ([], None)
    assert executions.get(young) is not None
    assert len(log.read(young, 0)) == 2


@pytest.mark.parametrize("status", ["requested", "running", "paused", "canceling"])
def test_an_unfinished_execution_is_never_removed(
    executions: Executions, log: MongoOutputLog, with_output: Store, status: str
) -> None:
    unfinished = with_output(status, age=400 * DAY)
    PurgeExecutions(executions, log, keep_days=1, interval=1, rest=0).run()
    PurgeOutput(executions, log, keep_days=1, interval=1, rest=0).run()
    assert executions.get(unfinished) is not None
    assert len(log.read(unfinished, 0)) == 2


def test_old_output_goes_and_its_execution_stays(
    executions: Executions, log: MongoOutputLog, with_output: Store
) -> None:
    old = with_output("succeeded", age=3 * DAY, ended=3 * DAY - SECOND)
    young = with_output("succeeded", age=3 * DAY, ended=1 * DAY)
    job = PurgeOutput(executions, log, keep_days=2, interval=1, rest=0)
    assert job.run() is False
    found = executions.get(old)
    assert found is not None
    assert found["output_purged"] is True
    assert log.read(old, 0) == []
    assert len(log.read(young, 0)) == 2
    assert executions.ended_before(now_us() - 2 * DAY, 10, with_output=True) == []


def test_work_comes_in_pieces(
    monkeypatch: pytest.MonkeyPatch, executions: Executions, log: MongoOutputLog, stored: Store
) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    for _ in range(3):
        stored("failed", age=3 * DAY, end_timestamp=now_us() - 3 * DAY + SECOND)
    job = PurgeExecutions(executions, log, keep_days=2, interval=1, rest=0)
    assert job.run() is True
    assert executions.collection.count_documents({}) == 1
    assert job.run() is False
    assert executions.collection.count_documents({}) == 0
