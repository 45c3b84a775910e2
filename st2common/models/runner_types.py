"""Runner types: how an action runs, and the parameters that every action of that kind has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongoengine import BooleanField, DictField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, equalities, page, store, with_ids
from st2common.models.recent import Recent

#: Runner types of the Orquesta language.
ORQUESTA = frozenset({"orquesta", "orchestra"})
#: Runner types whose executions are done by starting others.
WORKFLOWS = ORQUESTA | {"action-chain"}


class RunnerType(MongoDocument):  # type: ignore[misc]
    meta = {
        "collection": "runner_type_d_b",
        "auto_create_index": False,
        "indexes": [{"name": "name", "fields": ["name"], "unique": True}],
    }

    name = StringField(required=True)
    uid = StringField(required=True)
    description = StringField()
    enabled = BooleanField(default=True)
    runner_package = StringField(required=True)
    runner_module = StringField(required=True)
    query_module = StringField()
    runner_parameters = DictField()
    #: The key of the result that holds what the action itself returned.
    output_key = StringField()
    output_schema = DictField()

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> RunnerType:
        own = {key: value for key, value in metadata.items() if key in cls._fields}
        return cls(**{**own, "id": None, "uid": f"runner_type:{metadata['name']}"})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see; the snapshot in an execution has the same."""
    shown = {
        "name": stored["name"],
        "description": stored.get("description") or "",
        "uid": stored["uid"],
        "enabled": stored.get("enabled", True),
        "runner_package": stored["runner_package"],
        "runner_module": stored["runner_module"],
        "query_module": stored.get("query_module"),
        "runner_parameters": stored.get("runner_parameters") or {},
        "output_key": stored.get("output_key"),
        "output_schema": stored.get("output_schema") or {},
        "id": str(stored["_id"]),
    }
    return {key: value for key, value in shown.items() if value is not None}


def get(name_or_id: str) -> Document | None:
    """The runner type in its API form."""
    found = collection_of(RunnerType).find_one(by_name_or_id("name", name_or_id))
    return to_api(found) if found else None


_RECENT = Recent(RunnerType, get)


def recent(name: str) -> Document | None:
    """As :func:`get`, at most a moment old: for what every execution asks."""
    return _RECENT.get(name)


def find(filters: Mapping[str, str], limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Runner types in their API form, ordered by name, and the count of all matches. ``filters``: ``name``, ``id``."""
    conditions = with_ids(equalities(filters, {"name": "name"}), filters.get("id"))
    found, total = page(collection_of(RunnerType), conditions, ("name",), limit, offset)
    return [to_api(stored) for stored in found], total


def save(runner_type: RunnerType) -> None:
    """Store a runner type under its name. Whether it is enabled is the administrator's choice, and is kept."""
    known = collection_of(RunnerType).find_one({"name": runner_type.name}, {"enabled": 1})
    if known:
        runner_type.id = known["_id"]
        runner_type.enabled = known.get("enabled", True)
    store(runner_type)
    _RECENT.forget()


def set_enabled(name_or_id: str, enabled: bool) -> Document | None:
    """Switch a runner type; it in its API form, or None where there is none."""
    collection_of(RunnerType).update_one(by_name_or_id("name", name_or_id), {"$set": {"enabled": enabled}})
    _RECENT.forget()
    return get(name_or_id)
