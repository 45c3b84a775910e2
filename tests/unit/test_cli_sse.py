"""The event parser: however the bytes are cut, the events are the same."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2cli import sse
from st2cli.sse import Event, EventParser, EventTooLarge

_STREAM = (
    "\ufeff: hello\n\nid: 1\nevent: a\ndata: grüße\n\n"
    'data: one\r\ndata: two\r\n\r\nid: 2\r\revent\ndata:x\rdata\n\ndata: {"k": " "}\n'
    "id: 3\n\n: ping\n\ndata: unfinished\n"
).encode()
_EVENTS = [
    Event("a", "grüße", "1"),
    Event("message", "one\ntwo", "1"),
    Event("message", "x\n", "2"),
    Event("message", '{"k": " "}', "3"),
]


def parse(pieces: list[bytes]) -> list[Event]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def test_every_split_in_two_gives_the_same_events() -> None:
    for position in range(len(_STREAM) + 1):
        assert parse([_STREAM[:position], _STREAM[position:]]) == _EVENTS, position


def test_bytes_one_by_one_give_the_same_events() -> None:
    assert parse([bytes([byte]) for byte in _STREAM]) == _EVENTS


_fragments = st.lists(
    st.sampled_from([b"data: a", b"data", b"event: e", b"id: 7", b"id: \0", b":", b"\n", b"\r", b"\r\n", "ä".encode()]),
    max_size=30,
).map(b"".join)


@given(st.one_of(_fragments, st.binary(max_size=60)), st.lists(st.integers(0, 200), max_size=6))
def test_any_split_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert parse(pieces) == parse([stream])


def test_the_last_event_id_is_that_of_the_last_complete_event() -> None:
    parser = EventParser("5")
    assert parser.last_event_id == "5"
    parser.feed(b"id: 6\ndata: half")
    assert parser.last_event_id == "5"
    assert parser.feed(b"\n\n") == [Event("message", "half", "6")]
    assert parser.last_event_id == "6"


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    parser = EventParser()
    parser.feed(b"data: " + b"x" * 900)
    with pytest.raises(EventTooLarge):
        parser.feed(b"x" * 200)
