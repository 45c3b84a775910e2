"""Chunks as server-sent events."""

from __future__ import annotations

import base64
import itertools
import json

import pytest

from st2common.output.chunk import Chunk, Run, Stream
from st2stream import sse
from st2stream.feeds import Subject, encode
from tests.output_logs import NOW

SUBJECT = Subject("0" * 24, "core.local", "local-shell-cmd")


def chunk(*arrivals: bytes, seq: int = 17) -> Chunk:
    """A chunk of what arrived one after the other."""
    runs = tuple(Run(len(data), NOW + number) for number, data in enumerate(arrivals))
    return Chunk(SUBJECT.execution_id, Stream.STDOUT, 1, seq, 0, b"".join(arrivals), runs, 1)


def documents(*arrivals: bytes) -> list[tuple[str, str]]:
    """Pairs of cursor and text."""
    found = sse.output_documents(chunk(*arrivals), SUBJECT.action_ref, SUBJECT.runner_ref)
    return [(cursor, document["data"]) for cursor, document in found]


def test_what_arrived_at_one_time_is_one_event() -> None:
    assert documents(b"one\n") == [("17", "one\n")]
    assert documents(b"one\n", b"two\n", b"three\n") == [("17.1", "one\n"), ("17.2", "two\n"), ("17", "three\n")]


@pytest.mark.parametrize("text", ["a\u00e4\u20ac\U0001f600b", "\u00e4", "\U0001f600" * 3])
def test_characters_survive_however_they_arrived(text: str) -> None:
    data = text.encode()
    for first, second in itertools.combinations(range(len(data) + 1), 2):
        arrivals = [part for part in (data[:first], data[first:second], data[second:]) if part]
        found = documents(*arrivals)
        assert "".join(part for _, part in found) == text
        assert found[-1][0] == "17"
        assert [cursor for cursor, _ in found[:-1]] == [f"17.{number}" for number in range(1, len(found))]


@pytest.mark.parametrize("data", [b"\xff", b"a\xc3", b"\xe2\x82\n", b"\x80\x80"])
def test_bytes_that_are_no_text_are_there_as_well(data: bytes) -> None:
    [(_, document)] = sse.output_documents(chunk(data), "core.local", "local-shell-cmd")
    assert base64.b64decode(document["data_base64"]) == data
    assert document["data"] == data.decode("utf-8", "replace")


@pytest.mark.parametrize("text", ["a\r\nb\rc", "\n\n", "\u2028\u2029\x85", "\0\x1b[0m", 'event: x\ndata: "y"\n\n'])
def test_an_event_is_one_line_of_data(text: str) -> None:
    event = sse.event("name", {"data": text})
    head, data, *end = event.decode().split("\n")
    assert (head, end) == ("event: name", ["", ""])
    assert "\r" not in data
    assert json.loads(data.removeprefix("data: ")) == {"data": text}


def test_a_chunk_is_encoded_with_and_without_cursors() -> None:
    encoded = encode(chunk(b"one\n", b"two\n", b"three\n"), 16, SUBJECT)
    events = encoded.events.split(b"\n\n")
    assert [event.partition(b"\n")[0] for event in events[:3]] == [b"id: 17.1", b"id: 17.2", b"id: 17"]
    assert encoded.behind(0) == encoded.events
    assert encoded.behind(2) == events[2] + b"\n\n"
    assert encoded.behind(3) == encoded.behind(99) == b""
    assert encoded.without_ids() == b"".join(event.partition(b"\n")[2] + b"\n\n" for event in events[:3])
