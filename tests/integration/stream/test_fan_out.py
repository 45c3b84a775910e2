"""Many watchers of one execution: it is read once, and by nobody when nobody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from st2common.transport.amqp import AmqpTransport
from tests.conditions import eventually
from tests.integration.stream.action import Action
from tests.integration.stream.service import StreamProcess

WATCHERS = 40
CREATE, END, EOF = "execution.output__create", "execution.output__end", ("EOF", "''")

Accept = Callable[..., Action]


def chunk_reads(service: StreamProcess) -> int:
    reads = service.state()["reads"]
    return sum(count for name, count in reads.items() if "output" in name)


def test_one_reader_for_many_watchers(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    running.print("one\n")
    with contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(service.output(running.id)) for _ in range(WATCHERS)]
        for watcher in watchers:
            assert watcher.told(1) == [(CREATE, "one\n")]
        eventually(lambda: f"feed-{running.id}" in service.state()["feeds"])
        before = chunk_reads(service)
        for number in range(5):
            running.print(f"{number}\n")
            for watcher in watchers:
                assert watcher.told(1) == [(CREATE, f"{number}\n")]
        # What is read now and then for the case of a lost bell does not depend on how many watch.
        assert chunk_reads(service) - before < WATCHERS
        assert service.state()["feeds"].count(f"feed-{running.id}") == 1
        before = chunk_reads(service)
        # The feed still has all that is new to them.
        late = [stack.enter_context(service.output(running.id, cursor="1")) for _ in range(WATCHERS)]
        for watcher in late:
            assert watcher.told(5) == [(CREATE, f"{number}\n") for number in range(5)]
        assert chunk_reads(service) - before < WATCHERS
        running.end()
        for watcher in watchers + late:
            assert watcher.rest() == [(END, "succeeded"), EOF]


def test_a_feed_ends_when_nobody_watches(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    name = f"feed-{running.id}"
    with service.output(running.id), service.output(running.id):
        eventually(lambda: name in service.state()["feeds"])
        assert running.id in service.state()["bindings"]
    eventually(lambda: name not in service.state()["feeds"])
    assert running.id not in service.state()["bindings"]
    # Whoever comes then finds everything.
    running.print("one\n")
    with service.output(running.id) as watcher:
        assert watcher.told(1) == [(CREATE, "one\n")]
        running.print("two\n")
        assert watcher.told(1) == [(CREATE, "two\n")]
        running.end()
        assert watcher.rest() == [(END, "succeeded"), EOF]
    eventually(lambda: name not in service.state()["feeds"])


def test_a_feed_of_a_client_of_all_events_ends_too(service: StreamProcess, action: Accept) -> None:
    running = action().run()
    with service.events(events="*"):
        eventually(lambda: f"feed-{running.id}" in service.state()["feeds"])
    eventually(lambda: running.id not in service.state()["bindings"])


@pytest.fixture
def without_polling(
    database_uri: str,
    stream_database: Database[dict[str, Any]],
    rabbitmq_url: str,
    amqp_transport: AmqpTransport,
) -> Iterator[StreamProcess]:
    """On the real broker, and looking at the database by itself once an hour: only bells wake it."""
    words = [database_uri, stream_database.name, "1", "3600", rabbitmq_url, amqp_transport.prefix]
    process = StreamProcess(*words)
    yield process
    process.close()


def test_watchers_are_woken_by_the_broker(
    without_polling: StreamProcess, stream_database: Database[dict[str, Any]], amqp_transport: AmqpTransport
) -> None:
    with without_polling.events(events="*") as client:
        running = Action(stream_database, amqp_transport).run()
        with without_polling.output(running.id) as watcher:
            assert client.told(6)[-1] == ("execution__update", "running")
            for number in range(20):
                running.print(f"{number}\n")
                assert watcher.told(1) == client.told(1) == [(CREATE, f"{number}\n")]
            running.end()
            assert watcher.rest() == [(END, "succeeded"), EOF]
            assert client.told(2) == [("liveaction__update", "succeeded"), ("execution__update", "succeeded")]
