"""The bytes of one stream over HTTP: snapshots, tails, ranges, and live over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from st2common.output.chunk import Stream
from tests.printer import Printer

# Chunks that split lines and characters.
PIECES = [b"one\ntwo\nth", b"ree\n", b"\xff\x00\xc3", b"\xa4\n", b"five\nsix"]
ALL = b"".join(PIECES)


@pytest.fixture
def path(started: dict[str, Any], printer: Printer) -> str:
    for piece in PIECES:
        printer.print(piece)
        printer.print(b"error\n", Stream.STDERR)
    return f"/v1/executions/{started['id']}"


@pytest.fixture
def ended(path: str, printer: Printer) -> str:
    printer.end()
    return path


def test_an_ended_execution_is_followed_to_its_end(client: FlaskClient, ended: str) -> None:
    response = client.get(f"{ended}/stdout")
    assert response.data == ALL
    assert response.content_type == "text/plain; charset=UTF-8"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "X-St2-Stream-Output" not in response.headers
    assert client.get(f"{ended}/stderr").data == b"error\n" * len(PIECES)
    assert client.get("/v1/executions/last/stdout").data == ALL
    assert client.get("/actionexecutions/last/stdout").data == ALL


def test_a_running_execution_without_following(client: FlaskClient, path: str) -> None:
    response = client.get(f"{path}/stdout?follow=false")
    assert response.data == ALL
    assert response.headers["Content-Length"] == str(len(ALL))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, b""), (1, b"six"), (2, b"five\nsix"), (3, b"\xff\x00\xc3\xa4\nfive\nsix"), (6, ALL), (99, ALL)],
)
def test_tails(client: FlaskClient, ended: str, lines: int, expected: bytes) -> None:
    assert client.get(f"{ended}/stdout?tail={lines}").data == expected
    assert client.get(f"{ended}/stdout?tail={lines}&follow=no").data == expected


def test_every_tail_of_a_long_log(client: FlaskClient, started: dict[str, Any], printer: Printer) -> None:
    lines = [b"line %d\n" % number for number in range(200)]
    for line in lines:
        printer.print(line)
    printer.end()
    for count in (1, 63, 64, 65, 128, 199, 200):
        answer = client.get(f"/v1/executions/{started['id']}/stdout?tail={count}").data
        assert answer == b"".join(lines[-count:])


def test_a_tail_tells_where_a_reader_of_both_streams_begins(client: FlaskClient, path: str) -> None:
    # stdout and stderr took turns: the second chunk of stdout, ending before the tail, is number 3.
    response = client.head(f"{path}/stdout?follow=false&tail=3")
    assert response.headers["X-St2-Since-Seq"] == "2"
    assert response.headers["Content-Length"] == str(len(b"\xff\x00\xc3\xa4\nfive\nsix"))
    assert client.head(f"{path}/stdout?follow=false&tail=0").headers["X-St2-Since-Seq"] == "9"
    assert client.head(f"{path}/stdout?follow=false").headers["X-St2-Since-Seq"] == "0"


@pytest.mark.parametrize("query", ["tail=-1", "tail=x", "follow=perhaps"])
def test_bad_parameters(client: FlaskClient, path: str, query: str) -> None:
    assert client.get(f"{path}/stdout?{query}").status_code == 400


class TestRanges:
    def test_every_range(self, client: FlaskClient, ended: str) -> None:
        for start in range(len(ALL)):
            for stop in (start, len(ALL) - 1):
                response = client.get(f"{ended}/stdout", headers={"Range": f"bytes={start}-{stop}"})
                assert response.status_code == 206
                assert response.data == ALL[start : stop + 1]
                assert response.headers["Content-Range"] == f"bytes {start}-{stop}/{len(ALL)}"

    def test_open_ranges(self, client: FlaskClient, ended: str) -> None:
        assert client.get(f"{ended}/stdout", headers={"Range": "bytes=5-"}).data == ALL[5:]
        assert client.get(f"{ended}/stdout", headers={"Range": "bytes=-5"}).data == ALL[-5:]

    def test_the_whole_length_of_a_running_execution_is_not_known(self, client: FlaskClient, path: str) -> None:
        response = client.get(f"{path}/stdout", headers={"Range": "bytes=0-9999"})
        assert response.data == ALL
        assert response.headers["Content-Range"] == f"bytes 0-{len(ALL) - 1}/*"

    def test_a_range_behind_the_end(self, client: FlaskClient, ended: str) -> None:
        response = client.get(f"{ended}/stdout", headers={"Range": f"bytes={len(ALL)}-"})
        assert response.status_code == 416
        assert response.headers["Content-Range"] == f"bytes */{len(ALL)}"

    @pytest.mark.parametrize("header", ["lines=1-2", "bytes=x", "bytes=0-1,3-4"])
    def test_other_ranges_are_ignored(self, client: FlaskClient, ended: str, header: str) -> None:
        response = client.get(f"{ended}/stdout", headers={"Range": header})
        assert (response.status_code, response.data) == (200, ALL)


class TestSnapshot:
    def test_both_streams_in_the_order_of_reading(self, client: FlaskClient, path: str) -> None:
        response = client.get(f"{path}/output")
        assert response.data == b"".join(piece + b"error\n" for piece in PIECES)
        assert response.content_type == "text/plain; charset=UTF-8"

    @pytest.mark.parametrize(
        ("kind", "expected"), [("stdout", ALL), ("stderr", b"error\n" * len(PIECES)), ("all", None), ("bogus", b"")]
    )
    def test_one_stream(self, client: FlaskClient, path: str, kind: str, expected: bytes | None) -> None:
        whole = client.get(f"{path}/output").data
        answer = client.get(f"{path}/output?output_type={kind}")
        assert answer.status_code == 200
        assert answer.data == (whole if expected is None else expected)


def test_output_that_is_not_streamed_says_so(
    client: FlaskClient, started: dict[str, Any], print_of: Callable[..., Printer]
) -> None:
    printer = print_of(started["id"], stream_output=False)
    printer.print(b"all at once\n")
    printer.end()
    response = client.get(f"/v1/executions/{started['id']}/stdout")
    assert response.headers["X-St2-Stream-Output"] == "off"
    assert response.data == b"all at once\n"
