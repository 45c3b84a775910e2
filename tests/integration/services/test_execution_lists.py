"""Pages of the newest executions, and how many there are: right whatever was asked for before."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models import execution_list
from st2common.models.execution_list import Selection, of_filters
from st2common.models.executions import Executions

WEEK = 7 * 86400 * 1_000_000
NO_STEPS = of_filters({"parent": "null", "sort_desc": "True"})


class Stored:
    def __init__(self, database: Database[dict[str, Any]]) -> None:
        executions = Executions(database)
        executions.ensure_indexes()
        self.collection = executions.collection
        self._now = now_us()

    def add(self, number: int, age: int = 0, **fields: Any) -> None:
        """Started ``age`` and ``number`` microseconds ago."""
        started = self._now - age - number
        self.collection.insert_one({"_id": ObjectId(), "n": number, "start_timestamp": started, **fields})

    def page(self, limit: int, offset: int = 0, selection: Selection = NO_STEPS) -> list[int]:
        projection = {"n": 1}
        found = [each["n"] for each in execution_list.find(self.collection, selection, limit, offset, projection)]
        total = execution_list.count(self.collection, selection)
        counted = execution_list.find(self.collection, selection, limit, offset, projection, total)
        assert [each["n"] for each in counted] == found
        assert total == self.collection.count_documents(selection.conditions)
        return found


@pytest.fixture
def stored(database: Database[dict[str, Any]]) -> Stored:
    return Stored(database)


@pytest.mark.parametrize("age", [0, WEEK])
def test_a_page_follows_what_comes_and_goes(stored: Stored, age: int) -> None:
    for number in range(10, 20):
        stored.add(number, age)
    for _ in range(2):
        assert (stored.page(3), stored.page(3, offset=3)) == ([10, 11, 12], [13, 14, 15])
    stored.add(5, age)
    stored.add(30, age)
    assert (stored.page(3), stored.page(3, offset=3)) == ([5, 10, 11], [12, 13, 14])
    stored.collection.delete_many({"n": {"$in": [5, 10, 11, 12]}})
    assert (stored.page(3), stored.page(3, offset=3)) == ([13, 14, 15], [16, 17, 18])
    assert stored.page(20) == [*range(13, 20), 30]


def test_other_conditions_have_pages_of_their_own(stored: Stored) -> None:
    for number in range(10):
        stored.add(number, WEEK, parent="p" if number % 2 else None, status="failed" if number > 6 else "succeeded")
    failed = of_filters({"status": "failed"})
    for _ in range(2):
        assert stored.page(2) == [0, 2]
        assert stored.page(2, selection=failed) == [7, 8]
        assert stored.page(2, selection=Selection()) == [0, 1]


def test_many_are_counted_once_and_new_ones_with_them(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_list, "_MANY", 5)
    for number in range(8):
        stored.add(number, WEEK, **({"parent": "p"} if number < 2 else {}))

    def counts() -> tuple[int, int]:
        selections = (NO_STEPS, Selection())
        without_steps, everything = (execution_list.count(stored.collection, each) for each in selections)
        return without_steps, everything

    assert counts() == (6, 8)
    stored.add(-WEEK)
    stored.add(-WEEK, parent="p")
    assert counts() == (7, 10)
    monkeypatch.setattr(execution_list, "_COUNTED_FOR", 0)
    stored.collection.delete_many({"n": 7})
    assert counts() == (6, 9)
