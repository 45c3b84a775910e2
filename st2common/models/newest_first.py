"""Lists of what happens all the time (trigger instances, rule enforcements): the newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo import DESCENDING
from pymongo.collection import Collection

from st2common.clock import now_us
from st2common.models.connection import Document
from st2common.models.execution_list import moment

# As with executions: a database that sorts before it cuts reads all that match, so the newest are looked for in the
# last minute, hour and day (microseconds) before everything is.
_WINDOWS = (60_000_000, 3_600_000_000, 86_400_000_000)


def find(
    collection: Collection[Document], conditions: Document, time_field: str, limit: int | None, offset: int
) -> tuple[list[Document], int]:
    """A page of the matches, and the count of all."""
    total = collection.count_documents(conditions) if conditions else collection.estimated_document_count()
    # A page that has room for all is read at once.
    if limit is not None and total > offset + limit and time_field not in conditions:
        now = now_us()
        for window in _WINDOWS:
            found = _read(collection, {**conditions, time_field: {"$gte": now - window}}, time_field, limit, offset)
            if len(found) == limit:
                return found, total
    return _read(collection, conditions, time_field, limit, offset), total


def times(filters: Mapping[str, str], field: str, after: str, before: str) -> Document:
    """The condition that the filters named ``after`` and ``before`` stand for.

    Raises:
        ValidationError: one of them is no time.
    """
    wanted: Document = {}
    if text := filters.get(after):
        wanted["$gt"] = moment(text)
    if text := filters.get(before):
        wanted["$lt"] = moment(text)
    return {field: wanted} if wanted else {}


def _read(
    collection: Collection[Document], conditions: Document, time_field: str, limit: int | None, offset: int
) -> list[Document]:
    order = [(time_field, DESCENDING), ("_id", DESCENDING)]
    return list(collection.find(conditions).sort(order).skip(offset).limit(limit or 0))
