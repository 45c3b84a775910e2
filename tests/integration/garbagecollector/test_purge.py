"""What ages is purged in pieces, with what belongs to it; nothing else is, and every collection is decided about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.output.chunk import Chunk, End, Run, Stream
from st2common.output.mongo_log import MongoOutputLog
from st2garbagecollector import kinds as table
from st2garbagecollector.kinds import KEPT, kinds
from st2garbagecollector.purge import Purge
from tests.integration.garbagecollector.conftest import DAY, SECOND

Store = Callable[..., str]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def purge(database: Database[dict[str, Any]]) -> Callable[..., bool]:
    """Do one piece of the purge of a kind."""

    def once(name: str, keep_days: int = 2) -> bool:
        return Purge(kinds(database)[name], keep_days, interval=1, rest=0).run()

    return once


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
    executions: Executions, log: MongoOutputLog, with_output: Store, purge: Callable[..., bool], status: str
) -> None:
    old = with_output(status, age=3 * DAY, ended=3 * DAY - SECOND)
    young = with_output(status, age=3 * DAY, ended=1 * DAY)
    assert purge("executions") is False
    assert executions.get(old) is None
    assert (log.read(old, 0), log.end(old)) == ([], None)
    assert executions.get(young) is not None
    assert len(log.read(young, 0)) == 2


@pytest.mark.parametrize("status", ["requested", "running", "paused", "canceling"])
def test_an_unfinished_execution_is_never_removed(
    executions: Executions, log: MongoOutputLog, with_output: Store, purge: Callable[..., bool], status: str
) -> None:
    unfinished = with_output(status, age=400 * DAY)
    assert (purge("executions", 1), purge("output", 1)) == (False, False)
    assert executions.get(unfinished) is not None
    assert len(log.read(unfinished, 0)) == 2


def test_old_output_goes_and_its_execution_stays(
    executions: Executions,
    log: MongoOutputLog,
    with_output: Store,
    purge: Callable[..., bool],
    database: Database[dict[str, Any]],
) -> None:
    old = with_output("succeeded", age=3 * DAY, ended=3 * DAY - SECOND)
    young = with_output("succeeded", age=3 * DAY, ended=1 * DAY)
    assert purge("output") is False
    found = executions.get(old)
    assert found is not None
    assert found["output_purged"] is True
    assert log.read(old, 0) == []
    assert len(log.read(young, 0)) == 2
    output = kinds(database)["output"]
    assert output.count(output.before(now_us() - 2 * DAY)) == 0


def test_the_steps_of_a_workflow_stay_as_long_as_it_goes_on(
    database: Database[dict[str, Any]],
    executions: Executions,
    log: MongoOutputLog,
    stored: Store,
    with_output: Store,
    purge: Callable[..., bool],
) -> None:
    """Also those of a workflow that it has started, and of the one that it goes on with."""

    def workflow(status: str, **fields: Any) -> str:
        return stored(status, age=4 * DAY, runner={"name": "orquesta"}, **fields)

    def step(parent: str) -> str:
        execution_id = with_output("succeeded", age=3 * DAY, ended=3 * DAY - SECOND)
        executions.collection.update_one({"_id": ObjectId(execution_id)}, {"$set": {"parent": parent}})
        return execution_id

    long_ago = now_us() - 3 * DAY
    ended = workflow("succeeded", end_timestamp=long_ago)
    continued = workflow("failed", end_timestamp=long_ago)
    root = workflow("running")
    database["workflow_execution_d_b"].insert_one({"_id": ObjectId(root), "earlier": [continued]})
    below = workflow("succeeded", parent=root, end_timestamp=long_ago)
    kept = [step(parent) for parent in (root, below, continued)]
    gone = step(ended)
    assert (purge("output"), purge("executions")) == (False, False)
    left = {str(each["_id"]) for each in executions.collection.find({}, {"_id": 1})}
    assert left == {root, below, *kept}
    assert [len(log.read(each, 0)) for each in (*kept, gone)] == [2, 2, 2, 0]
    executions.collection.update_one(
        {"_id": ObjectId(root)}, {"$set": {"status": "succeeded", "end_timestamp": long_ago}}
    )
    assert purge("executions") is False
    assert executions.collection.count_documents({}) == 0


def test_work_comes_in_pieces(
    monkeypatch: pytest.MonkeyPatch, executions: Executions, stored: Store, purge: Callable[..., bool]
) -> None:
    monkeypatch.setattr(table, "BATCH", 2)
    for _ in range(3):
        stored("failed", age=3 * DAY, end_timestamp=now_us() - 3 * DAY + SECOND)
    assert purge("executions") is True
    assert executions.collection.count_documents({}) == 1
    assert purge("executions") is False
    assert executions.collection.count_documents({}) == 0


def test_a_long_log_goes_in_pieces_and_its_execution_last(
    monkeypatch: pytest.MonkeyPatch,
    executions: Executions,
    log: MongoOutputLog,
    with_output: Store,
    purge: Callable[..., bool],
) -> None:
    monkeypatch.setattr(table, "PIECE", 2)
    old = with_output("succeeded", age=3 * DAY, ended=3 * DAY - SECOND)
    # Three documents: two chunks and the end.
    assert purge("executions") is True
    assert executions.get(old) is not None
    # As if the collector had died here; another one goes on.
    assert purge("executions") is False
    assert executions.get(old) is None
    assert log.delete([old], 1) == 0


OLD, YOUNG = 3 * DAY, DAY


def aged(age: int) -> dict[str, dict[str, Any]]:
    """A document of each kind that stands alone."""
    then = now_us() - age
    when = datetime.fromtimestamp(then / 1_000_000, UTC)
    return {
        "trigger instances": {"status": "processed", "occurrence_time": then},
        "traces": {"start_timestamp": then},
        "tokens": {"expiry": when},
        "rule enforcements": {"enforced_at": then},
        "workflows": {"_id": ObjectId(f"{int(when.timestamp()):08x}{ObjectId()!s:.16}")},
    }


@pytest.mark.parametrize("name", aged(0))
def test_what_is_old_goes(database: Database[dict[str, Any]], purge: Callable[..., bool], name: str) -> None:
    collection = kinds(database)[name].collection
    collection.insert_one(aged(OLD)[name])
    young = collection.insert_one(aged(YOUNG)[name]).inserted_id
    assert purge(name) is False
    assert [document["_id"] for document in collection.find()] == [young]


def test_what_is_not_finished_stays(database: Database[dict[str, Any]], purge: Callable[..., bool]) -> None:
    unfinished = {"trigger instances": {"status": "pending"}, "workflows": {"look_at": now_us()}}
    for name, fields in unfinished.items():
        collection = kinds(database)[name].collection
        collection.insert_one({**aged(OLD)[name], **fields})
        assert purge(name) is False
        assert collection.count_documents({}) == 1


def test_every_collection_is_purged_or_said_to_be_kept(database: Database[dict[str, Any]]) -> None:
    sources = [path for package in ROOT.glob("st2*/") for path in package.rglob("*.py")]
    used = {name for path in sources for name in re.findall(r'"([a-z_]+_d_b)"', path.read_text())}
    assert len(used) > 20
    purged = {name for kind in kinds(database).values() for name in kind.collections}
    assert used - purged - KEPT.keys() == set(), "add them to st2garbagecollector/kinds.py"
    assert not purged & KEPT.keys()


def run_tool(tool: str, database_uri: str, database: Database[dict[str, Any]], *words: str) -> str:
    environment = {"ST2_DATABASE__HOST": database_uri, "ST2_DATABASE__DB_NAME": database.name, "PATH": ""}
    command = [str(Path(sys.executable).with_name(tool)), "--timestamp", "2026-01-02T03:04:05Z", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def test_the_tool_for_executions(
    database_uri: str, database: Database[dict[str, Any]], executions: Executions, stored: Store
) -> None:
    before = {"start_timestamp": at("2026-01-01T00:00:00Z"), "end_timestamp": at("2026-01-01T00:00:09Z")}
    other = {"action": {"ref": "core.remote"}}
    for _ in range(3):
        stored("abandoned", **before)
    stored("succeeded", **before, **other)
    kept = stored("succeeded")
    waiting = stored("delayed", start_timestamp=before["start_timestamp"])
    running = stored("running", start_timestamp=before["start_timestamp"], lease_until=now_us() + DAY)
    tool = "st2-purge-executions"
    only = ("--action-ref", "core.local")
    would = run_tool(tool, database_uri, database, "--dry-run")
    assert would == "Would purge 4 executions from before 2026-01-02T03:04:05Z\n"
    assert run_tool(tool, database_uri, database, *only).startswith("Purged 3 executions from before")
    assert run_tool(tool, database_uri, database, "--purge-incomplete").startswith("Purged 2 executions")
    assert executions.get(waiting) is None
    assert {str(left["_id"]) for left in executions.collection.find({}, {"_id": 1})} == {kept, running}


@pytest.mark.full
@pytest.mark.timeout(5400)
def test_a_long_log_takes_no_more_memory_than_a_short_one(
    database_uri: str, database: Database[dict[str, Any]], log: MongoOutputLog, stored: Store
) -> None:
    before = {"start_timestamp": at("2026-01-01T00:00:00Z"), "end_timestamp": at("2026-01-01T00:00:09Z")}
    peaks = []
    for chunks in (10_000, 1_000_000):
        execution_id = stored("succeeded", **before)
        run = (Run(2, before["end_timestamp"]),)
        for first in range(1, chunks, 1000):
            numbers = range(first, first + 1000)
            log.append([Chunk(execution_id, Stream.STDOUT, n, n, 2 * n - 2, b"x\n", run, 1) for n in numbers])
        tool = subprocess.Popen(
            [Path(sys.executable).with_name("st2-purge-executions"), "--timestamp", "2026-01-02T03:04:05Z"],
            env={"ST2_DATABASE__HOST": database_uri, "ST2_DATABASE__DB_NAME": database.name, "PATH": ""},
        )
        _, tool.returncode, usage = os.wait4(tool.pid, 0)
        assert tool.returncode == 0
        assert log.delete([execution_id], 1) == 0
        peaks.append(usage.ru_maxrss / 1024)
    print(f"Peak memory: {peaks[0]:.0f} MB for 10,000 chunks, {peaks[1]:.0f} MB for 1,000,000")
    assert peaks[1] < peaks[0] + 16
