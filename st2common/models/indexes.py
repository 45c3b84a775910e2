"""Every index that the database should have, by its collection and its explicit name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel
from pymongo.database import Database

from st2common.auth import api_keys, tokens
from st2common.content import registrar
from st2common.models import (
    executions,
    keys,
    roles,
    rule_enforcements,
    sensor_runs,
    traces,
    trigger_instances,
    workflow_executions,
)
from st2common.models.connection import Document
from st2common.output import mongo_chunks

# What makes two indexes of a name the same one, beside their keys.
_OPTIONS = ("unique", "sparse", "expireAfterSeconds")


@dataclass(frozen=True)
class Fault:
    """An index that is not as it should be."""

    collection: str
    name: str
    #: There is one of that name, with other keys or options.
    differs: bool

    def __str__(self) -> str:
        return f"{self.collection}.{self.name}: {'differs from what this release needs' if self.differs else 'missing'}"


def expected() -> dict[str, list[IndexModel]]:
    """{collection: its indexes}."""
    content = {model._meta["collection"]: _of_documents(model) for model in registrar.MODELS}
    return {
        executions.COLLECTION: executions.INDEXES,
        mongo_chunks.STDOUT_COLLECTION: mongo_chunks.INDEXES,
        mongo_chunks.STDERR_COLLECTION: mongo_chunks.INDEXES,
        keys.COLLECTION: keys.INDEXES,
        traces.COLLECTION: traces.INDEXES,
        tokens.COLLECTION: tokens.INDEXES,
        api_keys.COLLECTION: api_keys.INDEXES,
        rule_enforcements.COLLECTION: rule_enforcements.INDEXES,
        trigger_instances.COLLECTION: trigger_instances.INDEXES,
        workflow_executions.COLLECTION: workflow_executions.INDEXES,
        sensor_runs.COLLECTION: sensor_runs.INDEXES,
        **roles.INDEXES,
        **content,
    }


def check(database: Database[Document]) -> list[Fault]:
    """What is missing or different. Indexes that somebody has added are left alone."""
    faults = []
    for collection, wanted in expected().items():
        found = database[collection].index_information()
        for index in wanted:
            name = index.document["name"]
            if name not in found:
                faults.append(Fault(collection, name, differs=False))
            elif _essence(found[name]) != _essence(index.document):
                faults.append(Fault(collection, name, differs=True))
    return faults


def repair(database: Database[Document]) -> list[Fault]:
    """Make what is missing, and anew what differs; returns what was wrong. Daemons may run meanwhile."""
    faults = check(database)
    for fault in faults:
        [index] = [each for each in expected()[fault.collection] if each.document["name"] == fault.name]
        if fault.differs:
            database[fault.collection].drop_index(fault.name)
        database[fault.collection].create_indexes([index])
    return faults


def _of_documents(model: Any) -> list[IndexModel]:
    """The indexes of a mongoengine document."""
    return [
        IndexModel(
            spec["fields"],
            **{option: value for option, value in spec.items() if option in ("name", *_OPTIONS)},
        )
        for spec in model._meta["index_specs"]
    ]


def _essence(index: Mapping[str, Any]) -> tuple[Any, ...]:
    key = index["key"]
    pairs = key.items() if isinstance(key, Mapping) else key
    return [(field, int(direction)) for field, direction in pairs], *(index.get(option) or 0 for option in _OPTIONS)
