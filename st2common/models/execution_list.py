"""Lists of executions: which filters clients may use, in which order, and reading one page of the matches."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from st2common.clock import now_us, parse
from st2common.errors import NotFound, ValidationError
from st2common.models.connection import Document
from st2common.models.execution_view import FIELDS
from st2common.models.executions import liveaction_id, object_id

T = TypeVar("T")

#: Filter -> stored field.
FILTERS = {
    "action": "action.ref",
    "status": "status",
    "parent": "parent",
    "trigger": "trigger.name",
    "trigger_type": "trigger_type.name",
    "trigger_instance": "trigger_instance.id",
    "rule": "rule.name",
    "runner": "runner.name",
    "user": "context.user",
}
_TIMES = ("timestamp", "timestamp_gt", "timestamp_lt")
#: The names of all query parameters that :func:`of_filters` reads.
PARAMETERS = (*FILTERS, *_TIMES, "id", "liveaction", "filter", "sort", "sort_asc", "sort_desc")

# Of executions that are not steps of a workflow.
_NO_STEPS: Document = {"parent": None}

_SORTABLE = {**FILTERS, "id": "_id", "start_timestamp": "start_timestamp", "end_timestamp": "end_timestamp"}
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

# Newest first is what nearly every list is, and a database that sorts before it cuts reads all that match. So the
# newest are looked for in the last second, minute, hour and day (microseconds), and where the same page ended the last
# time, before everything is.
_WINDOWS = (1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000)
_page_ends: dict[Hashable, int] = {}

# Such a database also reads all that it counts. Where there are many, those that were there a minute ago (microseconds)
# are not counted again: what was purged meanwhile still counts.
_MANY = 5000
_COUNTED_FOR = 60_000_000
_counts: dict[Hashable, tuple[int, int]] = {}

# Entries of each; beyond that, what is remembered is dropped as a whole.
_MAX_REMEMBERED = 1000


@dataclass(frozen=True)
class Selection:
    """Which executions, in which order."""

    conditions: Document = field(default_factory=dict)
    sort: tuple[tuple[str, int], ...] = (("start_timestamp", DESCENDING), ("_id", DESCENDING))

    @property
    def newest_first(self) -> bool:
        return self.sort[0] == ("start_timestamp", DESCENDING) and "start_timestamp" not in self.conditions


def of_filters(filters: Mapping[str, str]) -> Selection:
    """The selection that a client's query parameters (see :data:`PARAMETERS`) ask for.

    The value ``null`` means that the field is absent.

    Raises:
        ValidationError: a time or a path is not valid.
    """
    conditions: Document = {}
    for name, stored in FILTERS.items():
        if value := filters.get(name):
            conditions[stored] = None if value == "null" else value
    if run := filters.get("liveaction"):
        conditions["_id"] = ObjectId(liveaction_id(run)) if ObjectId.is_valid(run) else None
    if ids := filters.get("id"):
        conditions["_id"] = {"$in": [ObjectId(text) for text in ids.split(",") if ObjectId.is_valid(text)]}
    conditions.update(_by_path(filters.get("filter") or ""))
    direction = DESCENDING
    if filters.get("sort_asc") or (filters.get("timestamp_gt") and not filters.get("sort_desc")):
        direction = ASCENDING
    times, backwards = _times(filters)
    if times:
        conditions["start_timestamp"] = times
    if backwards is not None:
        direction = DESCENDING if backwards else ASCENDING
    return Selection(conditions, _order(filters.get("sort") or "", direction))


def find(
    collection: Collection[Document],
    selection: Selection,
    limit: int | None,
    offset: int = 0,
    projection: Mapping[str, int] | None = None,
    total: int | None = None,
) -> list[Document]:
    """A page of the selected executions, as stored. ``total``: the count of all, where it is known: what fits on the
    page is read at once."""
    fits = limit is None or (total is not None and total <= offset + limit)
    if fits or not selection.newest_first:
        return _read(collection, selection.conditions, selection.sort, limit, offset, projection)
    if projection and 1 in projection.values():
        projection = {**projection, "start_timestamp": 1}
    key = (collection.full_name, repr(selection), limit, offset)
    for since in _beginnings(key):
        recent = _since(since, selection)
        found = _read(collection, recent, selection.sort, limit, offset, projection)
        if len(found) == limit:
            break
    else:
        found = _read(collection, selection.conditions, selection.sort, limit, offset, projection)
    if len(found) == limit:
        _remember(_page_ends, key, found[-1]["start_timestamp"])
    return found


def count(collection: Collection[Document], selection: Selection) -> int:
    """How many executions are selected; taken from the collection's statistics where all are."""
    if selection.conditions not in ({}, _NO_STEPS):
        return collection.count_documents(selection.conditions)
    # The lists that clients open first; what they ask for does not change in an execution.
    now, key = now_us(), (collection.full_name, repr(selection.conditions))
    at, before = _counts.get(key, (0, 0))
    if now - at < _COUNTED_FOR:
        return before + _count_since(collection, selection, at)
    total = collection.estimated_document_count()
    if selection.conditions:
        # Few executions have a parent, and those are found by an index.
        total = max(0, total - collection.count_documents({"parent": {"$gt": ""}}))
    if total >= _MANY:
        _remember(_counts, key, (now, total - _count_since(collection, selection, now)))
    return total


def latest(collection: Collection[Document], projection: Mapping[str, int] | None = None) -> Document | None:
    """The execution that was asked for last; not one that is a step of a workflow."""
    found = find(collection, Selection(_NO_STEPS), limit=1, projection=projection)
    return found[0] if found else None


def find_execution(
    collection: Collection[Document], id_or_last: str, projection: Mapping[str, int] | None = None
) -> Document:
    """The stored execution with this id, or the newest where it is ``last``.

    Raises:
        NotFound: there is none with this id.
        ValidationError: there is none at all.
    """
    if id_or_last == "last":
        newest = latest(collection, projection)
        if newest is None:
            raise ValidationError("No executions found in the database")
        return newest
    identity = object_id(id_or_last)
    found = collection.find_one({"_id": identity}, projection) if identity else None
    if found is None:
        raise NotFound(f'Unable to identify resource with id "{id_or_last}".')
    return found


def _beginnings(key: Hashable) -> list[int]:
    """Times since when to look for the newest, the latest first."""
    now, page_end = now_us(), _page_ends.get(key)
    if page_end is None:
        return [now - window for window in _WINDOWS]
    # A window nearly as long as the page was would be read for nothing, unless many have come since.
    shorter = [now - window for window in _WINDOWS if window * 4 < now - page_end]
    return [*shorter, page_end, *(now - window for window in _WINDOWS if window > now - page_end)]


def _since(since: int, selection: Selection) -> Document:
    # The start comes first: of several indexes the embedded database takes that of the first condition.
    return {"start_timestamp": {"$gte": since}, **selection.conditions}


def _count_since(collection: Collection[Document], selection: Selection, since: int) -> int:
    return collection.count_documents(_since(since, selection))


def _remember(memory: dict[Hashable, T], key: Hashable, value: T) -> None:
    if len(memory) >= _MAX_REMEMBERED:
        memory.clear()
    memory[key] = value


def _read(
    collection: Collection[Document],
    conditions: Document,
    sort: Sequence[tuple[str, int]],
    limit: int | None,
    offset: int,
    projection: Mapping[str, int] | None,
) -> list[Document]:
    return list(collection.find(conditions, projection).sort(sort).skip(offset).limit(limit or 0))


def _times(filters: Mapping[str, str]) -> tuple[Document, bool | None]:
    """The condition on the start, and whether the newest come first (None: not said)."""
    conditions: Document = {}
    if after := filters.get("timestamp_gt"):
        conditions["$gt"] = moment(after)
    if before := filters.get("timestamp_lt"):
        conditions["$lt"] = moment(before)
    exact = filters.get("timestamp")
    if not exact:
        return conditions, None
    if ".." in exact:
        start, _, end = exact.partition("..")
        first, last = moment(start), moment(end)
        conditions |= {"$gte": min(first, last), "$lte": max(first, last)}
        return conditions, first > last
    conditions["$eq"] = moment(exact)
    return conditions, None


def moment(text: str) -> int:
    """Microseconds since the epoch of a time in a query string.

    Raises:
        ValidationError: it is no time.
    """
    try:
        # A plus sign of a query string that was not escaped arrives as a space.
        return parse(text.replace(" 00", "+00") if text.endswith((" 00", " 0000", " 00:00")) else text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _by_path(text: str) -> Document:
    """``context.user:stanley result.return_code:1`` -> conditions."""
    conditions: dict[str, Any] = {}
    for item in text.split():
        path, separator, value = item.partition(":")
        if not separator or not _PATH.fullmatch(path) or path.split(".")[0] not in FIELDS:
            raise ValidationError(f'Filter "{item}" is not of the form path:value')
        conditions[path] = None if value == "null" else value
    return conditions


def _order(text: str, direction: int) -> tuple[tuple[str, int], ...]:
    order = []
    for name in text.split(","):
        stored = _SORTABLE.get(name.lstrip("+- "))
        if stored:
            order.append((stored, DESCENDING if name.startswith("-") else ASCENDING))
    return tuple(order) or (("start_timestamp", direction), ("_id", direction))
