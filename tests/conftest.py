"""Fixtures for every test: real servers for the whole run, a fresh database or transport for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database
from xdist.scheduler import LoadScopeScheduling

from st2common.models import connection
from st2common.transport.amqp import AmqpTransport
from st2common.transport.memory import MemoryTransport
from tests.servers import running_database, running_rabbitmq

# Directories whose tests share what is dear to start: in a parallel run all of one go to the same worker.
_TOGETHER = ("tests/official/", "tests/integration/rbac/", "tests/integration/stream/")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker whole files, so that what a module shares is started once."""

    def _split_scope(self, nodeid: str) -> str:
        together = next((directory for directory in _TOGETHER if nodeid.startswith(directory)), None)
        return together or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private RabbitMQ node. Everything that a test declares there stays: use names of your own."""
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker.url


@pytest.fixture(scope="session")
def database_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of MongoDB's protocol."""
    with running_database(tmp_path_factory.mktemp("database")) as server:
        yield server.uri


@pytest.fixture
def database(database_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """An empty database, connected for pymongo and mongoengine, and dropped afterwards."""
    fresh = connection.connect(database_uri, f"test_{secrets.token_hex(6)}")
    yield fresh
    fresh.client.drop_database(fresh.name)
    connection.disconnect()


@pytest.fixture
def memory_transport() -> Iterator[MemoryTransport]:
    transport = MemoryTransport()
    yield transport
    transport.close()


@pytest.fixture
def amqp_transport(rabbitmq_url: str) -> Iterator[AmqpTransport]:
    """A transport over the real broker, whose exchanges and queues are this test's alone."""
    transport = AmqpTransport(rabbitmq_url, prefix=f"test{secrets.token_hex(6)}")
    yield transport
    transport.close()
