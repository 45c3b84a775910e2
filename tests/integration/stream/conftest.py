"""One stream service for all tests here: each has executions of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from st2common.models.executions import Executions
from st2common.output.mongo_log import MongoOutputLog
from tests.integration.stream.action import Action
from tests.integration.stream.service import StreamProcess


@pytest.fixture(scope="session")
def stream_database(database_uri: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient(database_uri) as client:
        database = client[f"test_{secrets.token_hex(6)}"]
        Executions(database).ensure_indexes()
        MongoOutputLog(database).ensure_indexes()
        yield database
        client.drop_database(database.name)


@pytest.fixture(scope="session")
def service(database_uri: str, stream_database: Database[dict[str, Any]]) -> Iterator[StreamProcess]:
    """With a heartbeat of one second."""
    process = StreamProcess(database_uri, stream_database.name, "1", "1")
    yield process
    process.close()


@pytest.fixture
def action(stream_database: Database[dict[str, Any]], service: StreamProcess) -> Callable[..., Action]:
    """Accepts an execution."""
    return lambda **options: Action(stream_database, service, **options)
