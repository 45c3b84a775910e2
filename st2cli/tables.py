"""Documents as text: tables that fit the terminal, aligned columns in a pipe, indented blocks for results."""

from __future__ import annotations

import json
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from st2cli.lines import overwritten
from st2cli.terminal import neutralise, without_colours

_STATUS_COLOURS = {
    "succeeded": "32",
    "failed": "31",
    "timeout": "31",
    "abandoned": "31",
    "running": "33",
    "canceling": "35",
    "canceled": "35",
    "requested": "36",
    "scheduled": "36",
    "delayed": "36",
    "pausing": "36",
    "paused": "36",
    "resuming": "36",
    "pending": "36",
}
# A column is never narrower than this, even if the table is then wider than the terminal.
_NARROWEST = 8


def lookup(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is nothing. Keys may contain dots themselves."""
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    inner = document.get(head)
    return lookup(inner, rest) if dot and isinstance(inner, Mapping) else None


def cell(value: Any) -> str:
    """A value in one table cell; harmless to a terminal."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return without_colours(neutralise(text))


def status_text(document: Mapping[str, Any]) -> str:
    """``succeeded (1.2s elapsed)``."""
    status = str(document.get("status", ""))
    elapsed = document.get("elapsed_seconds")
    if elapsed is None:
        elapsed = _seconds_between(document.get("start_timestamp"), document.get("end_timestamp"))
    return status if elapsed is None else f"{status} ({_duration(elapsed)} elapsed)"


def coloured_status(text: str) -> str:
    """Colours a cell whose first word is a status."""
    code = _STATUS_COLOURS.get(text.split(" ", 1)[0])
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, one row a line, nothing cut: for pipes."""
    lines = [[text.replace("\n", " ") for text in row] for row in [columns, *rows]]
    widths = [max(display_width(row[i]) for row in lines) for i in range(len(columns))]
    return "".join(
        "  ".join(_pad(text, width) for text, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in lines
    )


def boxed(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, colour: bool) -> str:
    """A table that fits ``width`` columns of a terminal; long cells are wrapped."""
    widths = _fit(columns, rows, width)
    rule = "+" + "+".join("-" * (w + 2) for w in widths) + "+\n"
    out = [rule, *_row_lines(columns, widths, _bold if colour else None), rule]
    for row in rows:
        out += _row_lines(row, widths, (lambda parts: _colour_cells(columns, parts)) if colour else None)
    return "".join([*out, rule])


def _row_lines(
    row: Sequence[str], widths: Sequence[int], style: Callable[[list[str]], list[str]] | None
) -> Iterator[str]:
    wrapped = [_wrap(text, width) for text, width in zip(row, widths, strict=True)]
    for number in range(max(len(lines) for lines in wrapped)):
        parts = [
            _pad(lines[number] if number < len(lines) else "", width)
            for lines, width in zip(wrapped, widths, strict=True)
        ]
        yield "| " + " | ".join(style(parts) if style else parts) + " |\n"


def _bold(parts: list[str]) -> list[str]:
    return [f"\x1b[1m{part}\x1b[0m" for part in parts]


def block(value: Any, indent: int = 0) -> str:
    """A value of any depth in indented lines that read like YAML."""
    margin = "  " * indent
    if isinstance(value, Mapping) and value:
        return "".join(margin + cell(str(key)) + ":" + _nested(inner, indent) for key, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(margin + "-" + _nested(inner, indent) for inner in value)
    return margin + _scalar(value) + "\n"


def display_width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _nested(value: Any, indent: int) -> str:
    if isinstance(value, (Mapping, list)) and value:
        return "\n" + block(value, indent + 1)
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        margin = "  " * (indent + 1)
        return " |\n" + "".join(f"{margin}{_shown(line)}\n" for line in value.rstrip("\n").split("\n"))
    return " " + _scalar(value) + "\n"


def _shown(line: str) -> str:
    return neutralise(overwritten(line))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _shown(value.rstrip("\n")) if value else "''"
    return json.dumps(value, ensure_ascii=False)


def _colour_cells(columns: Sequence[str], parts: Sequence[str]) -> list[str]:
    return [coloured_status(part) if name == "status" else part for name, part in zip(columns, parts, strict=True)]


def _fit(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Column widths: as wide as their content; if that is too much, first without breaking words, then with."""
    widths = [
        max([display_width(name), *(display_width(line) for row in rows for line in row[i].split("\n"))])
        for i, name in enumerate(columns)
    ]
    longest_words = [
        max([_NARROWEST, *(display_width(word) for row in rows for word in row[i].split())])
        for i in range(len(columns))
    ]
    # An id that is broken cannot be copied.
    narrowest = [longest if name == "id" else _NARROWEST for name, longest in zip(columns, longest_words, strict=True)]
    borders = 3 * len(widths) + 1
    _narrow(widths, longest_words, width - borders)
    _narrow(widths, narrowest, width - borders)
    return widths


def _narrow(widths: list[int], narrowest: Sequence[int], available: int) -> None:
    """Takes from the widest column first, until all fit or none can be made narrower."""
    while sum(widths) > available:
        position = max(range(len(widths)), key=lambda i: (widths[i] > narrowest[i], widths[i]))
        if widths[position] <= narrowest[position]:
            return
        widths[position] -= 1


def _wrap(text: str, width: int) -> list[str]:
    # textwrap counts characters; half the width is a safe bound where some of them are wide.
    limit = width if display_width(text) == len(text) else max(1, width // 2)
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, limit, replace_whitespace=False) or [""]
    return lines


def _pad(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _seconds_between(start: object, end: object) -> float | None:
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    from datetime import datetime

    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):  # times in another form are shown as they are, without a difference
        return None


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m {rest}s" if hours else f"{minutes}m {rest}s"
