"""Tables that fit, and text that is harmless."""

from __future__ import annotations

import pytest

from st2cli import tables

_COLUMNS = ("id", "status", "description")
_ROWS = [
    ["59a7f826", "succeeded (0.2s elapsed)", "a long description that does not fit by far"],
    ["1", "failed", "日本"],
]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_table_is_as_wide_as_the_terminal_at_most(width: int) -> None:
    lines = tables.boxed(_COLUMNS, _ROWS, width, colour=False).splitlines()
    assert {tables.display_width(line) for line in lines} == {tables.display_width(lines[0])}
    assert tables.display_width(lines[0]) <= width


def test_nothing_is_lost_by_wrapping() -> None:
    text = tables.boxed(_COLUMNS, _ROWS, 40, colour=False)
    cells = "".join(line.split("|")[3].strip() for line in text.splitlines() if line.startswith("| "))
    assert "alongdescriptionthatdoesnotfitbyfar" in cells.replace(" ", "")


def test_ids_stay_whole_and_words_if_there_is_room() -> None:
    row = ["6b0455f3f49feb46d8a71086", "examples.progress", "root", "succeeded (197ms elapsed)", "2026-11-23 15:04:19Z"]
    columns = ("id", "action.ref", "context.user", "status", "start_timestamp")
    narrow = tables.boxed(columns, [row], 80, colour=False)
    assert row[0] in narrow
    assert {tables.display_width(line) for line in narrow.splitlines()} == {80}
    wider = tables.boxed(columns, [row], 90, colour=False)
    assert all(word in wider for cell in row for word in cell.split())


def test_statuses_have_colours() -> None:
    text = tables.boxed(("status",), [["failed"], ["succeeded"]], 40, colour=True)
    assert "\x1b[31mfailed" in text
    assert "\x1b[32msucceeded" in text


def test_a_pipe_gets_one_row_a_line() -> None:
    assert tables.plain(("a", "b"), [["1", "two\nlines"], ["10", ""]]) == "a   b\n1   two lines\n10\n"


def test_a_block_reads_like_yaml() -> None:
    value = {"id": "1", "result": {"stdout": "a\nb", "none": None, "list": [1, {"x": True}], "empty": {}, "text": ""}}
    assert tables.block(value) == (
        "id: 1\nresult:\n  stdout: |\n    a\n    b\n  none: null\n  list:\n    - 1\n    -\n      x: true\n"
        "  empty: {}\n  text: ''\n"
    )


def test_what_comes_from_the_server_cannot_command_the_terminal() -> None:
    assert tables.block({"bar": "10%\r100%\r\n"}) == "bar: 100%\n"
    assert "\x1b" not in tables.block({"a\x1b[2J": "\x1b]0;t\x07 \x1b[5n", "b": "x\n\x1b[2J"})
    assert tables.cell("\x1b[31mred\x1b]0;t\x07") == "red"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"status": "running"}, "running"),
        ({"status": "succeeded", "elapsed_seconds": 0.25}, "succeeded (250ms elapsed)"),
        (
            {
                "status": "failed",
                "start_timestamp": "2026-11-22T13:00:00.000000Z",
                "end_timestamp": "2026-11-22T15:02:03.000000Z",
            },
            "failed (2h 2m 3s elapsed)",
        ),
        ({"status": "failed", "start_timestamp": "soon", "end_timestamp": "later"}, "failed"),
    ],
)
def test_a_status_says_how_long_it_took(document: dict[str, object], text: str) -> None:
    assert tables.status_text(document) == text


def test_dotted_paths_find_nested_values() -> None:
    document = {"action": {"ref": "core.local"}, "result": {"host.example": {"stdout": 1}}}
    assert tables.lookup(document, "action.ref") == "core.local"
    assert tables.lookup(document, "action.nothing.at.all") is None
    assert tables.lookup(document["result"], "host.example") == {"stdout": 1}
