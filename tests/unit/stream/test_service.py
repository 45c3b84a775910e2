"""The stream service without its servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId
from oslo_config import cfg
from pymongo import MongoClient
from pymongo.database import Database

from st2common import config as configuration
from st2common.transport.memory import MemoryTransport
from st2stream import service


@pytest.fixture
def config() -> cfg.ConfigOpts:
    options = configuration.load([], "st2stream")
    options.set_override("enable", False, "auth")
    return options


@pytest.fixture
def away() -> Iterator[Database[dict[str, Any]]]:
    """A database that does not answer."""
    with MongoClient("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=20) as client:
        yield client["nothing"]


def test_a_daemon_tells_that_the_broker_is_away(
    config: cfg.ConfigOpts, away: Database[dict[str, Any]], memory_transport: MemoryTransport
) -> None:
    web = service.make(config, away, memory_transport)
    assert web.health() is None
    memory_transport.close()
    assert "broker is away" in (web.health() or "")
    web.close(1)


def test_answers_while_the_database_is_away(
    config: cfg.ConfigOpts, away: Database[dict[str, Any]], memory_transport: MemoryTransport
) -> None:
    web = service.make(config, away, memory_transport)
    client = web.application.test_client()
    for path in ("/v1/stream?events=*", f"/v1/executions/{ObjectId()}/output"):
        answer = client.get(path)
        assert (answer.status_code, answer.json) == (503, {"faultstring": "The database does not answer."})
    # Who wants no output needs no database.
    with client.get("/v1/stream") as answer:
        assert answer.status_code == 200
        assert next(iter(answer.response)) == b"\n"
    web.close(1)
