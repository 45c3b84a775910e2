"""Output as lines, as JSON and as bytes, in whatever pieces it comes."""

from __future__ import annotations

import io
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2cli import lines
from st2cli.lines import LineAssembler
from st2cli.views import JsonView, LineView, Origin, Output, RawView

_END = {"execution_id": "e1", "status": "succeeded"}


def output(data: bytes | str, kind: str = "stdout", timestamp: str = "t", seq: str = "1") -> Output:
    return Output(Origin(kind), timestamp, seq, data.encode() if isinstance(data, str) else data)


def shown(*outputs: Output, columns: int = 0, grep: str | None = None, colour: bool = False) -> str:
    sink = io.StringIO()
    view = LineView(sink, columns=columns, colour=colour, grep=re.compile(grep) if grep else None)
    for item in outputs:
        view.show(item)
    view.end(_END)
    return sink.getvalue().removesuffix("Execution e1 has completed (status=succeeded).\n")


def screen(text: str) -> list[str]:
    """What a terminal shows of ``text``: carriage return with erase is all that is used."""
    rows = [""]
    for part in re.split(r"(\n|\r\x1b\[K)", text):
        if part == "\n":
            rows.append("")
        elif part == "\r\x1b[K":
            rows[-1] = ""
        else:
            rows[-1] += part
    return rows[:-1] if rows[-1] == "" else rows


def test_one_event_may_hold_many_lines() -> None:
    assert shown(output("a\nb\n\nc\n")) == "[t][stdout] a\n[t][stdout] b\n[t][stdout] \n[t][stdout] c\n"


def test_a_line_in_pieces_is_one_line_with_the_time_of_its_beginning() -> None:
    pieces = [output("be", timestamp="t1"), output("gun\nnext", timestamp="t2"), output("\n", timestamp="t3")]
    assert shown(*pieces) == "[t1][stdout] begun\n[t2][stdout] next\n"


def test_streams_are_put_together_apart() -> None:
    assert shown(output("a"), output("x\n", "stderr"), output("b\n")) == "[t][stderr] x\n[t][stdout] ab\n"


def test_what_never_ends_with_a_newline_is_shown_at_the_end() -> None:
    assert shown(output("prompt> ")) == "[t][stdout] prompt> \n"


def test_carriage_returns_leave_what_a_terminal_would_show() -> None:
    assert shown(output("10%\r50%\r100%\r\nwindows\r\n")) == "[t][stdout] 100%\n[t][stdout] windows\n"


def test_a_character_cut_in_two_is_whole_and_bytes_that_are_no_text_are_marked() -> None:
    assert shown(output(b"gr\xc3"), output(b"\xbcn\n\xff\n")) == "[t][stdout] grün\n[t][stdout] \ufffd\n"


def test_escapes_are_neutralised_even_across_pieces() -> None:
    assert shown(output("\x1b]0;ti"), output("tle\x07ok\n")) == "[t][stdout] ok\n"


def test_grep_looks_at_lines_without_their_colours() -> None:
    assert shown(output("\x1b[31mer\x1b[0mror\nfine\n"), grep="^error$") == "[t][stdout] \x1b[31mer\x1b[0mror\n"


@given(st.lists(st.integers(0, 60), max_size=8))
def test_any_pieces_give_the_same_lines(cuts: list[int]) -> None:
    data = "one\ntwo \x1b[32mgreen\x1b[0m\n10%\r20%\r\n\nümläut \x1b]0;t\x07\nlast".encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [output(data[a:b]) for a, b in itertools.pairwise(edges)]
    assert shown(*pieces) == shown(output(data))
    assert screen(shown(*pieces, columns=60)) == screen(shown(output(data), columns=60))


def test_a_terminal_shows_a_begun_line_at_once_and_rewrites_it() -> None:
    sink = io.StringIO()
    view = LineView(sink, columns=40)
    view.show(output("password: "))
    assert screen(sink.getvalue()) == ["[t][stdout] password: "]
    view.show(output("warning\n", "stderr"))
    view.show(output("ok\n"))
    assert screen(sink.getvalue()) == ["[t][stderr] warning", "[t][stdout] password: ok"]


def test_a_begun_line_never_wraps() -> None:
    sink = io.StringIO()
    view = LineView(sink, columns=30)
    view.show(output("x" * 100))
    assert len(screen(sink.getvalue())[0]) == 29
    view.show(output("\n"))
    assert screen(sink.getvalue()) == ["[t][stdout] " + "x" * 100]


@pytest.mark.parametrize("columns", [10, 12, 20])
def test_on_a_narrow_terminal_a_begun_line_comes_before_its_prefix(columns: int) -> None:
    sink = io.StringIO()
    view = LineView(sink, columns=columns)
    view.show(output("Go on with all of it? "))
    assert screen(sink.getvalue()) == ["Go on with all of it? "[: columns - 1]]
    view.show(output("yes\n"))
    assert screen(sink.getvalue()) == ["[t][stdout] Go on with all of it? yes"]


def test_a_colour_goes_on_in_the_next_line_but_not_in_its_prefix() -> None:
    text = shown(output("\x1b[31mred\nstill\x1b[0m\nplain\n"), columns=40)
    assert text == ("[t][stdout] \x1b[31mred\x1b[0m\n[t][stdout] \x1b[31mstill\x1b[0m\x1b[0m\n[t][stdout] plain\n")


def test_a_progress_bar_does_not_grow_the_memory() -> None:
    assembler = LineAssembler(overwriting=True)
    for percent in range(1000):
        assembler.feed(f"\r{percent}".encode(), "t")
    assert assembler.begun(100) == b"999"


def test_a_line_beyond_the_limit_is_shown_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    assert shown(output("x" * 8), output("y" * 8), output("z\n")) == f"[t][stdout] {'x' * 8}{'y' * 8}\n[t][stdout] z\n"


def test_json_has_one_object_a_line_and_the_end() -> None:
    sink = io.StringIO()
    view = JsonView(sink)
    view.show(output("a\x1b]0;t\x07\r\nb", seq="4", timestamp="t1"))
    view.show(output("c\n", seq="5"))
    view.end({**_END, "exit_code": 0})
    records = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert records == [
        {"timestamp": "t1", "output_type": "stdout", "seq": "4", "line": "a\x1b]0;t\x07\r"},
        {"timestamp": "t1", "output_type": "stdout", "seq": "5", "line": "bc"},
        {"execution_id": "e1", "status": "succeeded", "exit_code": 0},
    ]


def test_raw_is_every_byte_and_no_more() -> None:
    sink = io.BytesIO()
    view = RawView(sink)
    view.show(output(b"\x1b[2J\xff\r"))
    view.show(output(b"end", "stderr"))
    view.end(_END)
    assert sink.getvalue() == b"\x1b[2J\xff\rend"
