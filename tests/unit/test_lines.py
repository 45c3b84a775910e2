"""Cutting loses nothing, keeps the order, and respects lines and characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from st2common.output.chunk import MAX_CHUNK_BYTES
from st2common.output.lines import LineCutter, whole_characters


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans())))
def test_pieces_add_up_to_what_was_fed(steps: list[tuple[bytes, bool]]) -> None:
    cutter, pieces = LineCutter(), []
    for number, (data, flush) in enumerate(steps):
        cutter.feed(data, number * 10_000)
        pieces += cutter.flush() if flush else cutter.take()
    pieces += cutter.flush(end=True)
    assert b"".join(data for data, _ in pieces) == b"".join(data for data, _ in steps)
    assert all(sum(run.length for run in runs) == len(data) > 0 for data, runs in pieces)
    times = [run.time_us for _, runs in pieces for run in runs]
    assert times == sorted(times)


@given(st.text())
def test_flushing_splits_no_character(text: str) -> None:
    cutter, out = LineCutter(), []
    for position, byte in enumerate(text.encode()):
        cutter.feed(bytes([byte]), position)
        out += [data.decode() for data, _ in cutter.flush()]
    assert "".join(out) == text


def test_a_line_has_the_time_of_its_newline() -> None:
    cutter = LineCutter()
    cutter.feed(b"first\nsec", 1_000_000)
    cutter.feed(b"ond\nthird", 2_000_000)
    cutter.feed(b" and rest", 3_000_000)
    [(data, runs)] = cutter.take()
    assert data == b"first\nsecond\n"
    assert [(run.length, run.time_us) for run in runs] == [(6, 1_000_000), (7, 2_000_000)]
    [(data, runs)] = cutter.flush()
    assert data == b"third and rest"
    assert [(run.length, run.time_us) for run in runs] == [(5, 2_000_000), (9, 3_000_000)]


def test_incomplete_lines_wait() -> None:
    cutter = LineCutter()
    cutter.feed(b"prompt> ", 0)
    assert cutter.take() == []
    assert len(cutter) == 8
    assert [data for data, _ in cutter.flush()] == [b"prompt> "]


def test_a_line_longer_than_a_chunk_is_cut_between_characters() -> None:
    cutter = LineCutter()
    line = ("é" * MAX_CHUNK_BYTES + "\n").encode()
    cutter.feed(b"x" + line, 0)
    pieces = [data for data, _ in cutter.take()]
    assert b"".join(pieces) == b"x" + line
    assert all(len(piece) <= MAX_CHUNK_BYTES for piece in pieces)
    assert "".join(piece.decode() for piece in pieces) == "x" + line.decode()


def test_bytes_that_are_no_characters_are_cut_anywhere() -> None:
    assert whole_characters(b"\x80" * 10, 10) == 10
    assert whole_characters(b"ab\xff", 3) == 2
    assert whole_characters("aü".encode(), 2) == 1
    assert whole_characters("aü".encode(), 3) == 3
