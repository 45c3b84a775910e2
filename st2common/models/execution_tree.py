"""The executions that a workflow has started, and those that these have started."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from pymongo.collection import Collection as Table

from st2common.models.connection import Document
from st2common.models.runner_types import WORKFLOWS

#: A tree of executions that is deeper than this is one that refers to itself.
MAX_DEPTH = 64


def children_of(
    table: Table[Document], parents: Collection[str], projection: Mapping[str, int] | None = None
) -> list[Document]:
    """The executions that these have started themselves, in the order of their start."""
    found = list(table.find({"parent": {"$in": [*parents]}}, {**projection, **_NEEDED} if projection else None))
    found.sort(key=lambda child: (child["start_timestamp"], child["_id"]))
    return found


def descendants(table: Table[Document], root: str, levels: int = MAX_DEPTH) -> list[Document]:
    """All executions below one, each followed by its own; of each ``children`` names those that are here."""
    below: dict[str, list[Document]] = defaultdict(list)
    level = [root]
    for _ in range(levels):
        found = children_of(table, level) if level else []
        for child in found:
            below[child["parent"]].append(child)
        level = [str(child["_id"]) for child in found]
    return _depth_first(below, root)


def name_children(table: Table[Document], executions: Collection[Document]) -> None:
    """Put the ids of their children into ``executions``."""
    by_id = {
        str(each["_id"]): each for each in executions if each.get("runner", _ANY).get("name", "") in _MAY_HAVE_CHILDREN
    }
    if not by_id:
        return
    for child in children_of(table, by_id.keys(), {"_id": 1}):
        by_id[child["parent"]].setdefault("children", []).append(str(child["_id"]))


_NEEDED = {"parent": 1, "start_timestamp": 1}
# Of an execution that was read without its runner nobody knows.
_ANY = {"name": ""}
_MAY_HAVE_CHILDREN = WORKFLOWS | {""}


def _depth_first(below: Mapping[str, list[Document]], parent: str) -> list[Document]:
    found: list[Any] = []
    waiting = list(reversed(below.get(parent, ())))
    while waiting:
        child = waiting.pop()
        own = below.get(str(child["_id"]), [])
        if own:
            child["children"] = [str(each["_id"]) for each in own]
        found.append(child)
        waiting.extend(reversed(own))
    return found
