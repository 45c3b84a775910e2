"""The documentation names what exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from st2common.config.options import list_opts

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_each_guarantee_names_tests_that_exist() -> None:
    rows = [line for line in (ROOT / "docs/guarantees.md").read_text().splitlines() if line.startswith("| G")]
    assert len(rows) == 14
    for row in rows:
        named = re.findall(r"`(tests/[^`]*)`", row)
        assert named, row
        for name in named:
            path, _, test = name.partition("::")
            assert f"def {test}(" in (ROOT / path).read_text(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "s": 1}
_LIMITS = [line for line in (ROOT / "docs/limits.md").read_text().splitlines() if re.match(r"\| .* \| .*`", line)]


def _limit(cell: str) -> float:
    """``16 MiB`` as bytes, ``64 bits`` as the largest signed number; none is 0."""
    number, _, unit = cell.partition(" ")
    if unit == "bits" or number == "none":
        return 2 ** (int(number) - 1) - 1 if unit else 0
    return float(number) * _UNITS.get(unit, 1)


@pytest.mark.parametrize("row", _LIMITS, ids=lambda row: row.split(" | ")[0])
def test_each_limit_is_what_the_table_says(row: str) -> None:
    _, cell, where, *_ = (part.strip() for part in row.strip("|").split("|"))
    option, constant = re.match(r"`\[(\w+)\] (\w+)`", where), re.match(r"`([\w.]+):(\w+)`", where)
    if option:
        [found] = [each for each in dict(list_opts())[option[1]] if each.name == option[2]]
        assert found.default == _limit(cell)
    else:
        assert constant, "neither an option nor a constant"
        assert getattr(importlib.import_module(constant[1]), constant[2]) == _limit(cell)


def test_the_table_of_limits_is_read() -> None:
    assert len(_LIMITS) > 50
