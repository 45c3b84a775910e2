"""What a row of the benchmark says, and the table of all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    name: str
    measured: str
    #: What the same machine did in the same run without the platform, and how the row compares with it.
    baseline: str = ""
    ratio: str = ""
    aim: str = ""
    #: None where no aim was set.
    met: bool | None = None


_HEAD = ("row", "measured", "baseline of this run", "ratio", "aim", "")


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown that is readable as it stands."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
    return (row.name, row.measured, row.baseline, row.ratio, row.aim, verdict)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def percentiles(values: Sequence[float], *percents: float) -> str:
    return " / ".join(f"{percentile(values, percent):.1f}" for percent in percents)
