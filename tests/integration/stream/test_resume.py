"""A connection that is cut anywhere: what the client has shown and what it gets after it comes back are everything,
once."""

from __future__ import annotations

import functools
import http.client
import socket
from collections.abc import Callable

import pytest

from st2cli.sse import Event, EventParser
from tests.integration.stream.action import Action
from tests.integration.stream.service import DEADLINE, StreamProcess


@pytest.fixture
def ended(action: Callable[..., Action]) -> str:
    """An execution with a chunk of two events; few bytes, since each is a place to cut."""
    printed = action().run()
    printed.print("a\n", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\n")
    printed.end()
    return printed.id


def receive(service: StreamProcess, execution_id: str, cursor: str, most: int) -> bytes:
    """The first ``most`` bytes of an answer's body; then the connection is cut."""
    request = f"GET /v1/executions/{execution_id}/output HTTP/1.0\r\nLast-Event-ID: {cursor}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as connection:
        connection.sendall(request.encode())
        # The older protocol has no framing: the body is what comes up to the end of the connection.
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            assert answer.status == 200
            return answer.read(most)


def events(body: bytes, cursor: str = "") -> list[Event]:
    return EventParser(cursor).feed(body)


def test_a_connection_that_is_cut_at_every_byte(service: StreamProcess, ended: str) -> None:
    whole = receive(service, ended, "", 1 << 20)
    expected = events(whole)
    assert [event.id for event in expected[:2]] == ["1.1", "1"]
    assert [event.name for event in expected[2:]] == ["st2.execution.output__end", "EOF"]

    @functools.cache
    def resumed(cursor: str) -> list[Event]:
        return events(receive(service, ended, cursor, 1 << 20), cursor)

    for most in range(len(whole)):
        shown = events(receive(service, ended, "", most))
        # The cursor is all that a client keeps; an end without EOF comes again, since it has none.
        cursor = next((event.id for event in reversed(shown) if event.id), "")
        output = [event for event in shown if event.name == "st2.execution.output__create"]
        assert output + resumed(cursor) == expected


def test_several_arrivals_in_one_chunk(service: StreamProcess, action: Callable[..., Action]) -> None:
    running = action().run()
    running.print("one\n")
    running.print("two\n", "three\n", "four\n")
    with service.output(running.id, cursor="2.1") as watcher:
        assert [watcher.next().id for _ in range(2)] == ["2.2", "2"]
    with service.output(running.id, cursor="2.2") as watcher:
        event = watcher.next()
        assert (event.id, "four" in event.data) == ("2", True)
        running.print("five\n", "six\n")
        assert [watcher.next().id for _ in range(2)] == ["3.1", "3"]
    # In the feed, not in the database: the same.
    with service.output(running.id) as other, service.output(running.id, cursor="4.1") as watcher:
        assert [other.next().id for _ in range(6)] == ["1", "2.1", "2.2", "2", "3.1", "3"]
        running.print("seven\n", "eight\n")
        assert [other.next().id for _ in range(2)] == ["4.1", "4"]
        assert watcher.next().id == "4"
    running.end()
