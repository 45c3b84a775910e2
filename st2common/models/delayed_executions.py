"""Delayed executions: they wait for a time (``not_before``) or a slot of a concurrency policy (``waits_for``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.connection import Document
from st2common.models.executions import COLLECTION
from st2common.models.statuses import UNFINISHED, Status

_DELAYED = {"status": str(Status.DELAYED)}
_ACTIVE = sorted(str(status) for status in UNFINISHED - {Status.DELAYED})


class DelayedExecutions:
    def __init__(self, database: Database[Document]) -> None:
        self._collection = database[COLLECTION]

    def move(
        self,
        execution: Mapping[str, Any],
        status: Status,
        *,
        waits_for: str | None = None,
        fields: Mapping[str, Any] | None = None,
        logged: bool = True,
    ) -> Document | None:
        """Move what is delayed, and only that, to ``status``: of several who try, one succeeds.

        To "delayed" means that it waits on, for the slot ``waits_for``, and not for a time any more. The document as it
        is then, or None if refused.
        """
        now = now_us()
        changes: Document = {**(fields or {}), "status": str(status)}
        if waits_for:
            changes["waits_for"] = waits_for
        if status not in UNFINISHED:
            changes["end_timestamp"] = now
        update: Document = {"$set": changes, "$unset": {"not_before" if waits_for else "waits_for": ""}}
        if logged:
            update["$push"] = {"log": {"status": str(status), "timestamp": now}}
        if not self._collection.update_one({"_id": execution["_id"], **_DELAYED}, update).matched_count:
            return None
        return self._collection.find_one({"_id": execution["_id"]})

    def due(self, limit: int) -> list[Document]:
        """Executions whose time has come."""
        return list(self._collection.find({**_DELAYED, "not_before": {"$lte": now_us()}}).limit(limit))

    def awaited_slots(self) -> list[str]:
        """The slots that any execution waits for."""
        return [key for key in self._collection.distinct("waits_for", _DELAYED) if key]

    def waiting(self, key: str, limit: int) -> list[Document]:
        """The executions that have waited longest for a slot."""
        found = self._collection.find({**_DELAYED, "waits_for": key})
        return list(found.sort([("start_timestamp", ASCENDING), ("_id", ASCENDING)]).limit(limit))

    def let_in_before(self, action_ref: str) -> list[Document]:
        """The unfinished executions of an action that wait for nothing: id and what tells their slots."""
        condition = {"action.ref": action_ref, "status": {"$in": _ACTIVE}}
        shown = {"action.parameters": 1, "runner.runner_parameters": 1, "parameters": 1}
        return list(self._collection.find(condition, shown))
