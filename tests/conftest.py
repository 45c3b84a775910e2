"""Fixtures for every test: real servers for the whole run, a fresh database or transport for each test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pymongo.database import Database
from xdist.scheduler import LoadScopeScheduling

from st2common.models import connection
from st2common.transport.amqp import AmqpTransport
from st2common.transport.memory import MemoryTransport
from tests.servers import fast_directory, running_database, running_rabbitmq

# What the shell tells st2ctl and st2 is not meant for the platforms of the tests.
for _name in [name for name in os.environ if name.startswith("ST2_") or name in ("WORKERS", "COMPONENTS")]:
    if not _name.startswith("ST2_TEST_"):
        del os.environ[_name]

# How long an example takes says more about the machine than about what is tested.
settings.register_profile("st2", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("st2")

# Directories whose tests share what is dear to start: in a parallel run all of one go to the same worker.
_TOGETHER = ("tests/official/", "tests/integration/rbac/", "tests/integration/stream/")


# What takes longest in one piece begins first, so that the other workers are not done long before it.
_FIRST = (
    "tests/integration/garbagecollector/test_purge.py",
    "tests/chaos/test_simulated_dispatch.py",
    "tests/official/",
    "tests/acceptance/",
    "tests/chaos/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(_FIRST) if item.nodeid.startswith(start)), len(_FIRST))

    items.sort(key=place)


# Its own tests need what a pack's tests have: test_sample_pack.py runs them.
collect_ignore = ["sample_pack"]


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker whole files, so that what a module shares is started once."""

    def _split_scope(self, nodeid: str) -> str:
        together = next((directory for directory in _TOGETHER if nodeid.startswith(directory)), None)
        return together or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """A private RabbitMQ node. Everything that a test declares there stays: use names of your own."""
    with fast_directory() as directory, running_rabbitmq(directory) as broker:
        yield broker.url


@pytest.fixture(scope="session")
def database_uri() -> Iterator[str]:
    """A server of MongoDB's protocol."""
    with fast_directory() as directory, running_database(directory) as server:
        yield server.uri


@pytest.fixture
def database(database_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """An empty database, connected for pymongo and mongoengine, and dropped afterwards."""
    fresh = connection.connect(database_uri, f"test_{secrets.token_hex(6)}")
    try:
        yield fresh
        fresh.client.drop_database(fresh.name)
    finally:
        # The next test has its own, also when the server did not answer in this one.
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
