"""Lists of executions: the filters that clients know, their order, and a page of the matches.

Sorting with a limit reads a whole collection on some servers of MongoDB's protocol, an index notwithstanding. The
newest come first in nearly every list, so they are read through disjoint ranges of the start time that reach further
and further back, until the page is full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from st2common.clock import now_us, parse
from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.models.execution_view import projection

#: {filter of the API: stored field}
_FILTERS = {
    "action": "action.ref",
    "status": "status",
    "parent": "parent",
    "trigger": "trigger.name",
    "trigger_type": "trigger_type.name",
    "trigger_instance": "trigger_instance.id",
    "rule": "rule.name",
    "runner": "runner.name",
    "user": "context.user",
    "liveaction": "liveaction.id",
}
_SORTABLE = {**_FILTERS, "id": "_id", "timestamp": "start_timestamp", "start_timestamp": "start_timestamp"}
_TIME = "start_timestamp"
_PATH = re.compile(r"^[a-z_][\w-]*(\.[\w-]+)*$")

# At most this many values in a comma list: each is a branch of the query.
_MAX_VALUES = 100
# The first range reaches this far back (microseconds); each next one is this many times as long.
_FIRST_RANGE = 4_000_000
_GROWTH = 4
_RANGES = 12
# Beyond this offset the database skips: walking there would read every document before the page.
_MAX_WALKED_OFFSET = 2_000

Found = tuple[list[Document], int]


def find(
    collection: Collection[Document],
    params: Mapping[str, str],
    *,
    limit: int | None,
    offset: int = 0,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Found:
    """A page of stored executions (with what ``include`` and ``exclude`` need), and how many match in all.

    ``params``: the filters of the API (``action``, ``status`` ... ``timestamp``, ``timestamp_gt``, ``timestamp_lt``,
    ``id``, ``filter``) and ``sort``, ``sort_asc``, ``sort_desc``; others are ignored. ``limit`` None: everything.

    Raises:
        ValidationError: a time has the wrong form, or a filter names no path.
    """
    conditions = _conditions(params)
    order = _order(params)
    fields = projection(include, exclude)
    walk = order == [(_TIME, DESCENDING)] and limit is not None and offset <= _MAX_WALKED_OFFSET
    if walk and _TIME not in conditions and "_id" not in conditions:
        found = _newest(collection, conditions, fields, offset, limit or 0)
    else:
        cursor = collection.find(conditions, fields).sort(order).skip(offset)
        found = list(cursor.limit(limit) if limit is not None else cursor)
    return found, _total(collection, conditions)


def newest(collection: Collection[Document]) -> str | None:
    """The id of the execution that was started last."""
    found = _newest(collection, {}, {"_id": 1, _TIME: 1}, 0, 1)
    return str(found[0]["_id"]) if found else None


def _newest(
    collection: Collection[Document], conditions: Document, fields: Mapping[str, int] | None, offset: int, limit: int
) -> list[Document]:
    found: list[Document] = []
    for bounds in _ranges(now_us()):
        missing = offset + limit - len(found)
        cursor = collection.find({**conditions, _TIME: bounds}, fields).sort(_TIME, DESCENDING).limit(missing)
        found += cursor
        if len(found) >= offset + limit:
            break
    return found[offset:]


def _ranges(now: int) -> Iterator[Document]:
    """Conditions on the start time: the newest range first, the last without a lower end."""
    upper, length = None, _FIRST_RANGE
    for _ in range(_RANGES):
        lower = now - length
        yield {"$gte": lower} if upper is None else {"$gte": lower, "$lt": upper}
        upper, length = lower, length * _GROWTH
    yield {"$lt": upper}


def _total(collection: Collection[Document], conditions: Document) -> int:
    """How many match. The two lists that everybody opens (all; those without a parent) count without a scan."""
    if not conditions:
        return collection.estimated_document_count()
    if conditions == {"parent": None}:
        return max(0, collection.estimated_document_count() - collection.count_documents({"parent": {"$gt": ""}}))
    return collection.count_documents(conditions)


def _conditions(params: Mapping[str, str]) -> Document:
    conditions: Document = {}
    for name, field in _FILTERS.items():
        if params.get(name):
            conditions[field] = _value(params[name])
    if params.get("id"):
        conditions["_id"] = {"$in": _ids(params["id"])}
    if times := _times(params):
        conditions[_TIME] = times
    for item in (params.get("filter") or "").split():
        path, separator, value = item.partition(":")
        if not separator or not _PATH.match(path):
            raise ValidationError(f'Filter "{item}" is not of the form path:value')
        conditions[path] = _value(value)
    return conditions


def _value(text: str) -> Any:
    return None if text == "null" else text


def _ids(text: str) -> list[ObjectId]:
    ids = text.split(",")
    if len(ids) > _MAX_VALUES:
        raise ValidationError(f"A list of ids holds at most {_MAX_VALUES} of them")
    return [ObjectId(value) for value in ids if ObjectId.is_valid(value)]


def _times(params: Mapping[str, str]) -> Document:
    times: Document = {}
    if timestamp := params.get("timestamp"):
        first, separator, second = timestamp.partition("..")
        if separator:
            low, high = sorted((_time(first), _time(second)))
            times.update({"$gte": low, "$lte": high})
        else:
            times["$eq"] = _time(first)
    if params.get("timestamp_gt"):
        times["$gt"] = _time(params["timestamp_gt"])
    if params.get("timestamp_lt"):
        times["$lt"] = _time(params["timestamp_lt"])
    return times


def _time(text: str) -> int:
    try:
        # A plus sign in a query string arrives as a space.
        return parse(re.sub(r" (00(:?00)?)$", r"+\1", text))
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _order(params: Mapping[str, str]) -> list[tuple[str, int]]:
    if wanted := params.get("sort"):
        order = []
        for key in wanted.split(","):
            field = _SORTABLE.get(key.lstrip("+-"))
            if field:
                order.append((field, DESCENDING if key.startswith("-") else ASCENDING))
        if order:
            return order
    if params.get("sort_desc") or params.get("timestamp_lt"):
        return [(_TIME, DESCENDING)]
    if params.get("sort_asc") or params.get("timestamp_gt") or _ascending_range(params.get("timestamp")):
        return [(_TIME, ASCENDING)]
    return [(_TIME, DESCENDING)]


def _ascending_range(timestamp: str | None) -> bool:
    first, separator, second = (timestamp or "").partition("..")
    return bool(separator) and _time(first) < _time(second)
