from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.output.mongo_log import MongoOutputLog
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Message
from st2common.transport.topology import EXECUTION, EXECUTION_OUTPUT, EXECUTIONS_TO_RUN

SECOND = 1_000_000
DAY = 24 * 3600 * SECOND


@pytest.fixture
def executions(database: Database[dict[str, Any]]) -> Executions:
    verbs = Executions(database)
    verbs.ensure_indexes()
    return verbs


@pytest.fixture
def log(database: Database[dict[str, Any]]) -> MongoOutputLog:
    output = MongoOutputLog(database)
    output.ensure_indexes()
    return output


@pytest.fixture
def transport() -> Iterator[MemoryTransport]:
    bus = MemoryTransport()
    yield bus
    bus.close()


@pytest.fixture
def work(transport: MemoryTransport) -> list[str]:
    """Ids of the executions that a runner was told to run."""
    told: list[str] = []

    def take(delivery: Any) -> None:
        told.append(delivery.message.body["execution_id"])
        delivery.ack()

    transport.consume(EXECUTIONS_TO_RUN, take, prefetch=100)
    return told


@pytest.fixture
def events(transport: MemoryTransport) -> list[Message]:
    """Everything that was told about executions and their output."""
    heard: list[Message] = []
    subscription = transport.subscribe(heard.append, lambda: None)
    subscription.bind(EXECUTION, "#")
    subscription.bind(EXECUTION_OUTPUT, "#")
    return heard


@pytest.fixture
def stored(executions: Executions) -> Callable[..., str]:
    """Store an execution that began ``age`` microseconds ago; its id."""

    def store(status: str, age: int = 0, **fields: Any) -> str:
        began = now_us() - age
        document = {
            "_id": ObjectId(),
            "status": status,
            "start_timestamp": began,
            "action": {"ref": "core.local", "parameters": {}},
            "runner": {"name": "local-shell-cmd", "runner_parameters": {}},
            "liveaction": {"id": str(ObjectId()), "runner_info": {}},
            "parameters": {"cmd": "date"},
            "context": {"user": "stanley"},
            "log": [{"status": status, "timestamp": began}],
            "attempt": 0,
            **fields,
        }
        executions.insert(document)
        return str(document["_id"])

    return store
