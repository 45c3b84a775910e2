"""Slots of concurrency policies: who may run now. As many executions hold a slot of a key as its threshold says.

The document in ``policy_slot_d_b``::

    _id       the key: the policy, and for ``action.concurrency.attr`` a digest of the values it counts by
    holders   [execution id]
    queued    True while executions wait for a slot: who comes later does not overtake them. Only a hint: whoever sees
              to those that wait looks for them, and takes it away when there are none

A slot is taken by one compare-and-set on this document, so that no two processes can take the last one. Nobody gives
a slot back: whoever finds none free looks which holders have ended (a final status never changes) and takes them out.
A holder that crashed therefore holds nothing for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.models.connection import Document
from st2common.models.executions import COLLECTION as EXECUTIONS
from st2common.models.statuses import UNFINISHED

COLLECTION = "policy_slot_d_b"

# Documents that one look at unused slots takes.
_PAGE = 200


class PolicySlots:
    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]
        self._executions = database[EXECUTIONS]

    def take(
        self, key: str, execution_id: str, threshold: int, running: Callable[[], list[str]], *, overtakes: bool
    ) -> bool:
        """Take a slot of ``key``; whether the execution holds one now. Taking one that it has already is no error.

        ``running`` names what runs already without having asked for a slot; it counts when the key is new.
        ``overtakes``: whether those that wait do not matter.
        """
        if threshold < 1:
            return False
        free = {"_id": key, "holders": {"$ne": execution_id}, f"holders.{threshold - 1}": {"$exists": False}}
        if not overtakes:
            free["queued"] = {"$ne": True}
        while not self.collection.update_one(free, {"$push": {"holders": execution_id}}).matched_count:
            found = self.collection.find_one({"_id": key})
            if found is None:
                self._begin(key, running())
            elif execution_id in found["holders"]:
                return True
            else:
                must_wait = found.get("queued") and not overtakes
                if must_wait or not self._take_out(key, self._ended(found["holders"])):
                    return False
        return True

    def queue(self, key: str) -> None:
        """Somebody waits for a slot."""
        self.collection.update_one({"_id": key}, {"$set": {"queued": True}})

    def unqueue(self, key: str) -> None:
        """Nobody waits for a slot any more."""
        self.collection.update_one({"_id": key}, {"$unset": {"queued": ""}})

    def tidy(self, after: str) -> str:
        """Take out holders that have ended and remove keys that nobody uses, a page behind the key ``after``.

        The last key of the page; empty when there are no more.
        """
        found = list(self.collection.find({"_id": {"$gt": after}}).sort("_id").limit(_PAGE))
        for slot in found:
            self._take_out(slot["_id"], self._ended(slot["holders"]))
            self.collection.delete_one({"_id": slot["_id"], "holders": []})
        return str(found[-1]["_id"]) if len(found) == _PAGE else ""

    def _begin(self, key: str, holders: list[str]) -> None:
        try:
            self.collection.insert_one({"_id": key, "holders": holders})
        except DuplicateKeyError:
            # Somebody else was faster. Its list is as good: what began meanwhile has taken its slot there.
            return

    def _take_out(self, key: str, holders: list[str]) -> bool:
        if holders:
            self.collection.update_one({"_id": key}, {"$pull": {"holders": {"$in": holders}}})
        return bool(holders)

    def _ended(self, holders: Iterable[str]) -> list[str]:
        """Those that are over, or gone. An execution is stored before it asks for a slot."""
        wanted = {"_id": {"$in": [ObjectId(holder) for holder in holders]}}
        unfinished = {"status": {"$in": [str(status) for status in UNFINISHED]}}
        alive = {str(found["_id"]) for found in self._executions.find({**wanted, **unfinished}, {"_id": 1})}
        return [holder for holder in holders if holder not in alive]
