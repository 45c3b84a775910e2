"""Executions: one document is the only state of an execution, and every change of it is one compare-and-set.

The document in ``action_execution_d_b``::

    _id                ObjectId
    status             one of :class:`~st2common.models.statuses.Status`
    action             snapshot of the action (with ``ref``, ``runner_type``, ``parameters`` ...)
    runner             snapshot of the runner type
    liveaction         {id, runner_info {hostname, pid}, callback, notify}: what clients see of the run itself
    parameters         as given and rendered, secrets in clear: masked where it leaves the platform
    decrypted          [text]: secrets of the datastore that the parameters were rendered with, and those that the
                       action has registered while it runs, in clear, to be masked
    registrations      how many times it has registered any; absent: never
    registrations_known  of how many of them its runner knows
    context            {user, pack, parent?, trace_context?, re-run? ...}
    result             what the runner made of it; absent until the end
    log                [{status, timestamp}], one entry per change of status
    start_timestamp    microseconds since the epoch
    end_timestamp      microseconds since the epoch; absent until the end
    parent             id, as text, of the workflow execution that it is a step of
    task_execution,    ids of the orquesta task that it belongs to and of its workflow
    workflow_execution
    delay              milliseconds
    not_before         microseconds since the epoch: when the delay is over
    waits_for          key of the slot of a concurrency policy that it waits for
    attempt            1, 2, 3 ...: counts the claims; the fencing token of every later write. 0 before the first
    owner              id of the runner that holds it
    lease_until        microseconds since the epoch
    pending_until      microseconds since the epoch: when nobody waits any more for the answer that it is pending for;
                       None: for ever
    cancel             {user}: set once somebody asked for its end
    stream_output      whether its output shows while it runs; set by the claim
    output_in_log      {stream: bytes}: output too long for the result, which is to be read from the log
    repeats            how many runs of it were lost and followed by another one
    republish_at       microseconds since the epoch: when the sweeper publishes it again if nobody claims it before
    output_purged      True once its output was removed for its age
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.connection import Document
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import CLAIMABLE, COMPLETED, UNFINISHED, Status, may_become

COLLECTION = "action_execution_d_b"

# Each costs every accept, claim and end a tenth of its time: what is asked for rarely is found by start_timestamp, and
# the few that have not ended by their status alone.
INDEXES = [
    IndexModel([("start_timestamp", DESCENDING)], name="start_timestamp"),
    IndexModel([("status", ASCENDING), ("end_timestamp", ASCENDING)], name="status_end"),
    IndexModel([("parent", ASCENDING)], name="parent"),
]

# What a runner may hold.
_HELD = [str(Status.RUNNING), str(Status.CANCELING)]


_WORKFLOW = {"runner.name": {"$in": sorted(WORKFLOWS)}}


def object_id(text: str) -> ObjectId | None:
    """The id that a client wrote, or None where it is not one."""
    try:
        return ObjectId(text)
    except (InvalidId, TypeError):
        return None


def liveaction_id(execution_id: str) -> str:
    """The id under which clients know the run of an execution, and the other way round.

    It is the execution's own with the first bit flipped: unlike any execution's, and found without an index.
    """
    return f"{int(execution_id, 16) ^ (1 << 95):024x}"


class Executions:
    """The verbs that change an execution. Each returns the document as it is after the change (and what others may have
    changed since), or None if refused."""

    def __init__(self, database: Database[Document]) -> None:
        self.collection = database[COLLECTION]

    def ensure_indexes(self) -> None:
        self.collection.create_indexes(INDEXES)

    def insert(self, document: Document) -> None:
        self.collection.insert_one(document)

    def get(self, execution_id: str, projection: Mapping[str, int] | None = None) -> Document | None:
        identity = object_id(execution_id)
        return self.collection.find_one({"_id": identity}, projection) if identity else None

    def of_liveaction(self, run_id: str, projection: Mapping[str, int] | None = None) -> Document | None:
        return self.get(liveaction_id(run_id), projection) if object_id(run_id) else None

    def children(self, execution_ids: Collection[str]) -> list[str]:
        """Ids of the executions that these have started."""
        return [str(child["_id"]) for child in self.collection.find({"parent": {"$in": [*execution_ids]}}, {"_id": 1})]

    def status(self, execution_id: str) -> Status | None:
        found = self.collection.find_one({"_id": ObjectId(execution_id)}, {"status": 1})
        return Status(found["status"]) if found else None

    def final_status(self, execution_id: str) -> str | None:
        """The status of an execution that is over; None while it is not, ``abandoned`` for one that is gone."""
        status = self.status(execution_id)
        if status is None:
            return str(Status.ABANDONED)
        return str(status) if status in COMPLETED else None

    def claim(self, execution_id: str, owner: str, lease_until: int, fields: Mapping[str, Any]) -> Document | None:
        """Make ``owner`` the one that runs it: ``requested`` or ``scheduled`` becomes ``running``, attempt + 1.

        ``fields`` are set as well: what the runner has to say about itself.
        """
        held = {**fields, "owner": owner, "lease_until": lease_until}
        claimed = self._run(execution_id, {"$set": held, "$inc": {"attempt": 1}})
        # Who stands still between the change and the look at it may find what others have made of it meanwhile.
        return claimed if claimed and claimed["owner"] == owner else None

    def begin(self, execution_id: str, fields: Mapping[str, Any]) -> Document | None:
        """The same for an execution that nobody holds and that has no attempts: a workflow."""
        return self._run(execution_id, {"$set": dict(fields)})

    def _run(self, execution_id: str, changes: Document) -> Document | None:
        now = now_us()
        return self._compare_and_set(
            {"_id": ObjectId(execution_id), "status": {"$in": [str(status) for status in CLAIMABLE]}},
            {
                **changes,
                "$set": {**changes["$set"], "status": str(Status.RUNNING)},
                "$push": {
                    "log": {
                        "$each": [
                            {"status": str(Status.SCHEDULED), "timestamp": now},
                            {"status": str(Status.RUNNING), "timestamp": now},
                        ]
                    }
                },
            },
        )

    def change(
        self,
        execution_id: str,
        status: Status,
        *,
        attempt: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Document | None:
        """Move to ``status`` if the table of statuses allows it from where it is, and, with ``attempt``, if that
        attempt still owns it. A final status sets ``end_timestamp``."""
        now = now_us()
        condition: Document = {
            "_id": ObjectId(execution_id),
            "status": {"$in": [str(before) for before in may_become(status)]},
        }
        if attempt is not None:
            condition["attempt"] = attempt
        changes: Document = {**(fields or {}), "status": str(status)}
        if status not in UNFINISHED:
            changes["end_timestamp"] = now
        return self._compare_and_set(
            condition,
            {"$set": changes, "$push": {"log": {"status": str(status), "timestamp": now}}},
        )

    def end(self, held: Mapping[str, Any], status: Status, fields: Mapping[str, Any]) -> Document | None:
        """End what the caller has held since a claim gave it ``held``; None where that is not so any more.

        The answer is made from ``held``: until its end nobody else changes more of it than the lease, and another look
        at a large document would cost as much as the change.
        """
        now = now_us()
        changes = {**fields, "status": str(status), "end_timestamp": now}
        entry = {"status": str(status), "timestamp": now}
        condition = {
            "_id": held["_id"],
            "status": {"$in": [str(before) for before in may_become(status) - {Status.CANCELING}]},
            "attempt": held["attempt"],
        }
        if not self._change_if(condition, {"$set": changes, "$push": {"log": entry}}):
            return None
        return {**held, **changes, "log": [*held["log"], entry]}

    def _compare_and_set(self, condition: Document, changes: Document) -> Document | None:
        # Not find-and-modify: on the embedded database that costs five times as much as an update and a look.
        return self.collection.find_one({"_id": condition["_id"]}) if self._change_if(condition, changes) else None

    def _change_if(self, condition: Document, changes: Document) -> bool:
        """Whether the execution of ``condition``, which names its ``_id``, was as it says, and is changed now."""
        return bool(self.collection.update_one(condition, changes).matched_count)

    def hold(self, held: Mapping[str, Any], lease_until: int) -> bool:
        """Renew the lease of what a claim gave as ``held``; False when it ran out and somebody else has seen to it."""
        condition = {
            "_id": held["_id"],
            "status": {"$in": _HELD},
            "owner": held["owner"],
            "attempt": held["attempt"],
        }
        return self._change_if(condition, {"$set": {"lease_until": lease_until}})

    def renew_leases(self, owner: str, execution_ids: Iterable[str], lease_until: int) -> None:
        """Extend the lease of what ``owner`` runs; those that it lost meanwhile are left alone."""
        self.collection.update_many(
            {
                "_id": {"$in": [ObjectId(execution_id) for execution_id in execution_ids]},
                "owner": owner,
                "status": {"$in": [str(status) for status in UNFINISHED]},
            },
            {"$set": {"lease_until": lease_until}},
        )

    def register_secrets(self, execution_id: str, secrets: Collection[str]) -> Document | None:
        """Add to what is masked in the output and result of one that runs."""
        return self._compare_and_set(
            {"_id": ObjectId(execution_id), "status": {"$in": _HELD}},
            {"$addToSet": {"decrypted": {"$each": [*secrets]}}, "$inc": {"registrations": 1}},
        )

    def know_secrets(self, execution_id: str, attempt: int, registrations: int) -> None:
        """From now on its runner masks what the first ``registrations`` have registered."""
        condition = {"_id": ObjectId(execution_id), "attempt": attempt}
        self.collection.update_one(condition, {"$set": {"registrations_known": registrations}})

    def owned(self, execution_ids: Iterable[str]) -> list[Document]:
        """What the runner that holds these executions has to find out about them."""
        return list(
            self.collection.find(
                {"_id": {"$in": [ObjectId(execution_id) for execution_id in execution_ids]}},
                {"status": 1, "attempt": 1, "owner": 1, "registrations": 1, "registrations_known": 1},
            )
        )

    def held_by(self, owner: str) -> list[Document]:
        """The unfinished executions that a runner holds."""
        return list(self.collection.find({"status": {"$in": _HELD}, "owner": owner}))

    def running(self, only: Collection[str] | None = None) -> list[Document]:
        """What names each execution that runs now, and its user; of those in ``only`` or of all."""
        condition: Document = {"status": {"$in": _HELD}}
        if only is not None:
            condition["_id"] = {"$in": [identity for text in only if (identity := object_id(text))]}
        return list(self.collection.find(condition, {"action.ref": 1, "runner.name": 1, "context.user": 1}))

    def unclaimed(self, before_us: int, limit: int) -> list[Document]:
        """Executions (id, start and name of the runner) accepted before ``before_us`` that nobody has claimed and that
        are due to be published again."""
        waiting = {
            "status": str(Status.REQUESTED),
            "start_timestamp": {"$lt": before_us},
            # Absent or past. Not by `$or`, for which the embedded database reads the whole collection.
            "republish_at": {"$not": {"$gte": now_us()}},
        }
        return list(self.collection.find(waiting, {"start_timestamp": 1, "runner.name": 1}).limit(limit))

    def republished(self, execution_id: str, again_at: int) -> None:
        self.collection.update_one({"_id": ObjectId(execution_id)}, {"$set": {"republish_at": again_at}})

    def expired(self, now: int, limit: int) -> list[Document]:
        """Executions whose runner has not renewed its lease in time."""
        held = [str(Status.RUNNING), str(Status.CANCELING), str(Status.SCHEDULED)]
        return list(self.collection.find({"status": {"$in": held}, "lease_until": {"$lt": now}}).limit(limit))

    def seize(self, expired: Document, owner: str, lease_until: int) -> Document | None:
        """Take an execution whose lease ran out from its runner, as a new attempt: None if it was renewed meanwhile."""
        seized = self._compare_and_set(
            {"_id": expired["_id"], "attempt": expired["attempt"], "lease_until": expired["lease_until"]},
            {"$set": {"owner": owner, "lease_until": lease_until}, "$inc": {"attempt": 1}},
        )
        # As of a claim: another collector may have gone on with it before we looked.
        return seized if seized and seized["attempt"] == expired["attempt"] + 1 else None

    def workflows_going_on(self, begun_before_us: int) -> list[str]:
        """Ids of the workflow executions that began before a time and have not ended."""
        going = {"status": {"$in": [str(status) for status in UNFINISHED]}, "start_timestamp": {"$lt": begun_before_us}}
        return [str(each["_id"]) for each in self.collection.find({**going, **_WORKFLOW}, {"_id": 1})]

    def with_workflows_below(self, execution_ids: Collection[str]) -> list[str]:
        """These, and the workflow executions that they have started, and so on."""
        found: set[str] = set()
        level = {*execution_ids}
        while level:
            found |= level
            below = self.collection.find({"parent": {"$in": [*level]}, **_WORKFLOW}, {"_id": 1})
            level = {str(child["_id"]) for child in below} - found
        return sorted(found)

    def mark_output_purged(self, execution_ids: Iterable[ObjectId]) -> int:
        """How many were not marked yet."""
        update = {"$set": {"output_purged": True}}
        return self.collection.update_many({"_id": {"$in": [*execution_ids]}}, update).modified_count

    def count_unfinished(self) -> dict[str, int]:
        """How many executions each unfinished status has."""
        return {str(status): self.collection.count_documents({"status": str(status)}) for status in sorted(UNFINISHED)}


def ended_before(before_us: int) -> Document:
    """The condition on executions that began and ended before a time."""
    return {
        # By what they are not: asked for the statuses of what is over, the embedded database reads all of these.
        "status": {"$nin": [str(status) for status in UNFINISHED]},
        "start_timestamp": {"$lt": before_us},
        "end_timestamp": {"$lt": before_us},
    }


def begun_before(before_us: int) -> Document:
    """The condition on executions that began before a time, ended or not; none that a runner holds now."""
    free = [{"lease_until": None}, {"lease_until": {"$lt": now_us()}}]
    completed = {"status": {"$in": [str(status) for status in COMPLETED]}}
    return {"start_timestamp": {"$lt": before_us}, "$or": [completed, *free]}
