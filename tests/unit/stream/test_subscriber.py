"""What a client of the event stream asked for, and what waits for it."""

from __future__ import annotations

import threading

import pytest

from st2stream import subscriber
from st2stream.subscriber import Filter, StreamEvent, Subscriber
from tests.conditions import eventually

UPDATE = "st2.execution__update"


def event(status: str = "running", execution_id: str = "1", name: str = UPDATE) -> StreamEvent:
    data = {"id": execution_id, "status": status}
    return StreamEvent(name, data, execution_id=execution_id, action_ref="core.local")


ANNOUNCEMENT = StreamEvent("st2.announcement__general", {"payload": {"status": "succeeded"}})
LIVEACTION = StreamEvent("st2.liveaction__update", {"id": "2", "status": "succeeded"}, action_ref="core.local")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), ["execution__update", "announcement__general", "liveaction__update"]),
        (Filter(events=("*",)), ["execution__update", "announcement__general", "liveaction__update"]),
        (Filter(events=("st2.*__update",)), ["execution__update", "liveaction__update"]),
        (Filter(action_refs=frozenset({"core.local"})), ["execution__update", "liveaction__update"]),
        (Filter(action_refs=frozenset({"core.remote"})), []),
        (Filter(execution_ids=frozenset({"1"})), ["execution__update"]),
        (Filter(execution_ids=frozenset({"2"})), []),
    ],
)
def test_filters(wanted: Filter, names: list[str]) -> None:
    events = [event(), ANNOUNCEMENT, LIVEACTION]
    assert [each.name.removeprefix("st2.") for each in events if wanted.wants(each)] == names


def test_the_end_is_that_of_the_execution() -> None:
    wanted = Filter(end_event=UPDATE, end_execution_id="1")
    assert wanted.ends_with(event("succeeded"))
    assert wanted.ends_with(event("abandoned"))
    assert not wanted.ends_with(event("running"))
    assert not wanted.ends_with(event("succeeded", execution_id="2"))
    assert not wanted.ends_with(event("succeeded", name="st2.execution__create"))
    assert not Filter(end_event=UPDATE).ends_with(event("succeeded"))
    assert not Filter(end_execution_id="1").ends_with(event("succeeded"))


def test_nothing_comes_behind_the_end() -> None:
    client = Subscriber(Filter(end_event=UPDATE, end_execution_id="1"))
    client.put(event("succeeded"))
    client.put(event("succeeded", execution_id="2"))
    client.put_output(b"output")
    assert client.closed
    assert client.take(0) == event("succeeded").encoded
    assert client.take(10) == b""


@pytest.mark.parametrize("limit", ["MAX_WAITING", "MAX_WAITING_BYTES"])
def test_a_client_that_does_not_read_events_is_cut_off(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, limit, 3 if limit == "MAX_WAITING" else 3 * len(event().encoded))
    client = Subscriber(Filter())
    for _ in range(3):
        client.put(event())
    assert not client.closed
    client.put(event())
    assert client.closed
    assert client.take(0) == event().encoded * 4


def test_output_waits_for_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "MAX_OUTPUT_AHEAD", 10)
    client = Subscriber(Filter())
    put: list[int] = []

    def relay() -> None:
        for number in range(20):
            client.put_output(b"%06d" % number)
            put.append(number)

    thread = threading.Thread(target=relay)
    thread.start()
    eventually(lambda: len(put) == 2)
    taken = b""
    while len(taken) < 120:
        received = client.take(10)
        assert len(received) <= 12
        taken += received
    assert taken == b"".join(b"%06d" % number for number in range(20))
    thread.join(10)
    client.put_output(b"x" * 11)
    waiting = threading.Thread(target=client.put_output, args=(b"never sent",))
    waiting.start()
    client.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert client.take(0) == b"x" * 11
