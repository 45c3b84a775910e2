"""A database of the driver's shape: each document's write is atomic and kept, everything between two of them may fail.

Stands for ``pymongo.database.Database`` as far as the output log, the executions and the leases use it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import bson
from pymongo import IndexModel
from pymongo.errors import AutoReconnect, BulkWriteError, DuplicateKeyError

from tests.chaos.simulation.schedule import Schedule

Document = dict[str, Any]

_DUPLICATE = {"code": 11000, "errmsg": "duplicate key"}

_TESTS = {
    "$in": lambda value, wanted: value in wanted,
    "$ne": operator.ne,
    "$lt": lambda value, limit: value is not None and value < limit,
    "$lte": lambda value, limit: value is not None and value <= limit,
    "$gt": lambda value, limit: value is not None and value > limit,
    "$gte": lambda value, limit: value is not None and value >= limit,
    "$not": lambda value, wanted: not _fits(value, wanted),
}


class SimulatedDatabase:
    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._tables: dict[str, Table] = {}
        self.away = False
        self.faulty = True

    def __getitem__(self, name: str) -> Table:
        return self._tables.setdefault(name, Table(self))

    def step(self) -> None:
        """A message on its way to the server or back: a moment for others, and for things to fail."""
        self._schedule.turn()
        if self.away or (self.faulty and self._schedule.chance.random() < 0.01):
            raise AutoReconnect("away")


class Table:
    def __init__(self, database: SimulatedDatabase) -> None:
        self.database = database
        self._documents: dict[Any, Document] = {}
        self._unique: list[tuple[str, ...]] = []
        self._used: set[tuple[Any, ...]] = set()

    def create_indexes(self, indexes: Iterable[IndexModel]) -> None:
        self._unique = [tuple(index.document["key"]) for index in indexes if index.document.get("unique")]

    def insert_one(self, document: Document) -> None:
        self.database.step()
        if not self._insert(document):
            raise DuplicateKeyError("duplicate key", 11000)
        self.database.step()

    def insert_many(self, documents: Sequence[Document], ordered: bool = True) -> None:
        """A server that dies, or whose client dies, has written the first of them."""
        assert ordered
        for index, document in enumerate(documents):
            self.database.step()
            if not self._insert(document):
                raise BulkWriteError({"writeErrors": [{**_DUPLICATE, "index": index}]})
        self.database.step()

    def find_one(self, condition: Document, projection: Mapping[str, int] | None = None) -> Document | None:
        return next(iter(self.find(condition, projection)), None)

    def find(self, condition: Document, projection: Mapping[str, int] | None = None) -> Found:
        self.database.step()
        found = Found(_copy(document) for document in self._matching(condition))
        self.database.step()
        return found

    def update_one(self, condition: Document, changes: Document) -> SimpleNamespace:
        return self._update(condition, changes, 1)

    def update_many(self, condition: Document, changes: Document) -> SimpleNamespace:
        return self._update(condition, changes, None)

    def delete_one(self, condition: Document) -> None:
        self.delete_many(condition)

    def delete_many(self, condition: Document) -> SimpleNamespace:
        self.database.step()
        found = list(self._matching(condition))
        for document in found:
            self._used -= self._keys(document)
            del self._documents[document["_id"]]
        self.database.step()
        return SimpleNamespace(deleted_count=len(found))

    def _insert(self, document: Document) -> bool:
        document.setdefault("_id", bson.ObjectId())
        keys = self._keys(document)
        if document["_id"] in self._documents or keys & self._used:
            return False
        self._used |= keys
        self._documents[document["_id"]] = _copy(document)
        return True

    def _update(self, condition: Document, changes: Document, limit: int | None) -> SimpleNamespace:
        self.database.step()
        found = list(self._matching(condition))[:limit]
        for document in found:
            changed = _copy(document)
            _apply(changed, changes)
            keys, before = self._keys(changed), self._keys(document)
            if (keys - before) & self._used:
                raise DuplicateKeyError("duplicate key", 11000)
            self._used = (self._used - before) | keys
            self._documents[document["_id"]] = changed
        self.database.step()
        return SimpleNamespace(matched_count=len(found))

    def _keys(self, document: Document) -> set[tuple[Any, ...]]:
        return {(fields, *(_value(document, field) for field in fields)) for fields in self._unique}

    def _matching(self, condition: Document) -> Iterator[Document]:
        if isinstance(identity := condition.get("_id"), bson.ObjectId | str):
            candidates = [self._documents[identity]] if identity in self._documents else []
        else:
            candidates = list(self._documents.values())
        return (document for document in candidates if _matches(document, condition))


class Found(list[Document]):
    """What a query gave."""

    def limit(self, count: int) -> Found:
        return Found(self[:count])


def _copy(document: Document) -> Document:
    return bson.decode(bson.encode(document))


def _value(document: Mapping[str, Any], field: str) -> Any:
    value: Any = document
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _matches(document: Document, condition: Document) -> bool:
    return all(_fits(_value(document, field), wanted) for field, wanted in condition.items())


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return all(_TESTS[test](value, operand) for test, operand in wanted.items())
    return bool(value == wanted)


def _apply(document: Document, changes: Document) -> None:
    for field, value in changes.get("$set", {}).items():
        *path, last = field.split(".")
        place = document
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    for field, amount in changes.get("$inc", {}).items():
        document[field] = document.get(field, 0) + amount
    for field, value in changes.get("$push", {}).items():
        more = value["$each"] if isinstance(value, dict) and "$each" in value else [value]
        document.setdefault(field, []).extend(more)
