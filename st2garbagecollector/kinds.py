"""What ages: every collection of the database that is purged, and why each of the others is not.

A kind knows which of its documents are older than a time, and how to remove some of them with all that belongs to them.
The collector and the tools for people do both in bounded pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database

from st2common.auth import tokens
from st2common.models import (
    executions,
    rule_enforcements,
    sensor_runs,
    sensors,
    traces,
    trigger_instances,
    workflow_executions,
)
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.output.log import OutputLog
from st2common.output.mongo_chunks import STDERR_COLLECTION, STDOUT_COLLECTION
from st2common.output.mongo_log import MongoOutputLog

# Documents of a kind per piece, and documents of all that belongs to them: a piece takes a second or so, and must end
# within the driver's timeout. Others wait while the collector is at one.
BATCH = 100
PIECE = 10_000

#: Collections that nothing is purged from, with the reason.
KEPT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "action_alias_d_b",
            "action_d_b",
            "config_d_b",
            "config_schema_d_b",
            "pack_d_b",
            "policy_d_b",
            "rule_d_b",
            "runner_type_d_b",
            "sensor_type_d_b",
            "trigger_d_b",
            "trigger_type_d_b",
        ),
        "content: there until its pack or somebody removes it",
    ),
    **dict.fromkeys(
        (
            "api_key_d_b",
            "group_to_role_mapping_d_b",
            "permission_grant_d_b",
            "role_d_b",
            "user_d_b",
            "user_role_assignment_d_b",
        ),
        "users and their rights: there until somebody removes them",
    ),
    "key_value_pair_d_b": "the datastore: items with a ttl are removed by an index of the database",
    **dict.fromkeys(
        ("lease_d_b", "revision_d_b", "rules_engine_progress_d_b", "service_member_d_b", "timer_d_b"),
        "a document for each process or timer, written again and again",
    ),
    "policy_slot_d_b": "the policy keeper removes slots that nobody holds",
    "policy_retry_d_b": "the policy keeper removes notes of executions that it has seen to",
}


@dataclass(frozen=True)
class Piece:
    """What one step of a purge has done."""

    #: Documents of the kind, and of what belonged to them.
    removed: int
    belongings: int
    #: Whether there is more to do.
    more: bool


@dataclass(frozen=True)
class Kind:
    #: As people and metrics call it.
    name: str
    #: The option of ``[garbagecollector]`` that says after how many days.
    option: str
    #: Its collection, and those of what goes with it.
    collections: tuple[str, ...]
    collection: Collection[Document]
    #: The condition on what is older than a time in microseconds since the epoch.
    before: Callable[[int], Document]
    #: The same, including what is not finished; None: nothing of this kind is ever unfinished.
    begun_before: Callable[[int], Document] | None
    #: Removes at most so many documents that belong to these ids; fewer than that: nothing is left.
    remove_belongings: Callable[[Sequence[ObjectId], int], int]
    #: Removes these, or what makes them found again; how many.
    finish: Callable[[Sequence[ObjectId]], int]

    def count(self, condition: Document) -> int:
        return self.collection.count_documents(condition)

    def purge(self, condition: Document) -> Piece:
        """A bounded piece of the work: belongings first, so that a crash in between leaves nothing that nobody finds.

        Raises:
            LogUnavailable, PyMongoError: the database is away; what was done is done, and the next call goes on.
        """
        ids = [document["_id"] for document in self.collection.find(condition, {"_id": 1}).limit(BATCH)]
        belongings = self.remove_belongings(ids, PIECE) if ids else 0
        if belongings == PIECE:
            return Piece(0, belongings, more=True)
        removed = self.finish(ids) if ids else 0
        return Piece(removed, belongings, more=len(ids) == BATCH)


def kinds(database: Database[Document]) -> dict[str, Kind]:
    """By name, in the order in which they are purged."""
    every = (
        _executions(database),
        _output(database),
        _sensor_logs(database),
        _plain(database, "trigger instances", "trigger_instances_ttl", trigger_instances.COLLECTION, _seen_to),
        _plain(database, "traces", "traces_ttl", traces.COLLECTION, lambda us: {"start_timestamp": {"$lt": us}}),
        _plain(database, "tokens", "tokens_ttl", tokens.COLLECTION, lambda us: {"expiry": {"$lt": _date(us)}}),
        _plain(
            database,
            "rule enforcements",
            "rule_enforcements_ttl",
            rule_enforcements.COLLECTION,
            lambda us: {"enforced_at": {"$lt": us}},
        ),
        _workflows(database),
    )
    return {kind.name: kind for kind in every}


def _executions(database: Database[Document]) -> Kind:
    collection, log = database[executions.COLLECTION], MongoOutputLog(database)
    workflows = WorkflowExecutions(database)

    def remove_belongings(ids: Sequence[ObjectId], limit: int) -> int:
        workflows.delete([str(identity) for identity in ids])
        return log.delete([str(identity) for identity in ids], limit)

    return Kind(
        name="executions",
        option="action_executions_ttl",
        collections=(executions.COLLECTION, STDOUT_COLLECTION, STDERR_COLLECTION, workflow_executions.COLLECTION),
        collection=collection,
        before=lambda us: _ended_before(database, us),
        begun_before=executions.begun_before,
        remove_belongings=remove_belongings,
        finish=lambda ids: _delete(collection, ids),
    )


def _ended_before(database: Database[Document], us: int) -> Document:
    """The condition on executions that ended before a time, but for the steps of workflows that go on: their results
    may still be asked for."""
    verbs = Executions(database)
    going = verbs.workflows_going_on(us)
    used = verbs.with_workflows_below([*going, *WorkflowExecutions(database).continued_by(going)])
    return {**executions.ended_before(us), "parent": {"$nin": used}}


def _output(database: Database[Document]) -> Kind:
    """The output of executions that stay."""
    log: OutputLog = MongoOutputLog(database)
    return Kind(
        name="output",
        option="action_executions_output_ttl",
        collections=(STDOUT_COLLECTION, STDERR_COLLECTION),
        collection=database[executions.COLLECTION],
        before=lambda us: {**_ended_before(database, us), "output_purged": None},
        begun_before=None,
        remove_belongings=lambda ids, limit: log.delete([str(identity) for identity in ids], limit),
        finish=Executions(database).mark_output_purged,
    )


def _sensor_logs(database: Database[Document]) -> Kind:
    """What sensors printed in runs that ended, but for the last run of each that there is."""
    collection, log = database[sensor_runs.COLLECTION], MongoOutputLog(database)
    return Kind(
        name="sensor logs",
        option="action_executions_output_ttl",
        collections=(sensor_runs.COLLECTION, STDOUT_COLLECTION, STDERR_COLLECTION),
        collection=collection,
        before=lambda us: sensor_runs.ended_before(us, sensors.references()),
        begun_before=None,
        remove_belongings=lambda ids, limit: log.delete([str(identity) for identity in ids], limit),
        finish=lambda ids: _delete(collection, ids),
    )


def _workflows(database: Database[Document]) -> Kind:
    """The progress of workflows, whose executions stay. A document has the id of its execution, and with it its age."""
    collection = database[workflow_executions.COLLECTION]

    def begun_before(us: int) -> Document:
        return {"_id": {"$lt": ObjectId.from_datetime(_date(us))}}

    return Kind(
        name="workflows",
        option="workflow_executions_ttl",
        collections=(workflow_executions.COLLECTION,),
        collection=collection,
        # What has ended is looked at no more.
        before=lambda us: {**begun_before(us), "look_at": None},
        begun_before=begun_before,
        remove_belongings=lambda _ids, _limit: 0,
        finish=lambda ids: _delete(collection, ids),
    )


def _plain(
    database: Database[Document], name: str, option: str, collection_name: str, before: Callable[[int], Document]
) -> Kind:
    """Documents that stand alone."""
    collection = database[collection_name]
    return Kind(
        name=name,
        option=option,
        collections=(collection_name,),
        collection=collection,
        before=before,
        begun_before=None,
        remove_belongings=lambda _ids, _limit: 0,
        finish=lambda ids: _delete(collection, ids),
    )


def _seen_to(us: int) -> Document:
    """An event that no engine has seen to yet is work, however old."""
    waiting = str(trigger_instances.Status.PENDING)
    return {"occurrence_time": {"$lt": us}, "status": {"$ne": waiting}}


def _delete(collection: Collection[Document], ids: Sequence[Any]) -> int:
    return collection.delete_many({"_id": {"$in": [*ids]}}).deleted_count


def _date(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
