"""Actions: what can be run. Registered from the packs' metadata files or made through the API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bson import ObjectId
from mongoengine import BooleanField, DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, equalities, page, store, with_ids

_FILTERS = {"name": "name", "pack": "pack", "ref": "ref"}


class Action(MongoDocument):  # type: ignore[misc]
    """``parameters`` are {name: JSON schema} with the extra keywords ``position``, ``immutable`` and ``secret``."""

    meta = {
        "collection": "action_d_b",
        "auto_create_index": False,
        "indexes": [
            {"name": "ref", "fields": ["ref"], "unique": True},
            {"name": "pack_name", "fields": ["pack", "name"]},
        ],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    description = StringField()
    enabled = BooleanField(default=True)
    entry_point = StringField(default="")
    runner_type = StringField(required=True)
    parameters = DictField()
    output_schema = DictField()
    notify = DictField()
    tags = ListField(DictField())
    metadata_file = StringField()

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Action:
        """An action of validated metadata that names its pack; what follows from the names is filled in."""
        pack, name = metadata["pack"], metadata["name"]
        computed = {"id": None, "ref": f"{pack}.{name}", "uid": f"action:{pack}:{name}"}
        return cls(**{**metadata, **computed})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see; the snapshot in an execution has the same."""
    return {
        "tags": stored.get("tags") or [],
        "uid": stored["uid"],
        "metadata_file": stored.get("metadata_file") or "",
        "name": stored["name"],
        "ref": stored["ref"],
        "description": stored.get("description") or "",
        "enabled": stored.get("enabled", True),
        "entry_point": stored.get("entry_point") or "",
        "pack": stored["pack"],
        "runner_type": stored["runner_type"],
        "parameters": stored.get("parameters") or {},
        "output_schema": stored.get("output_schema") or {},
        "notify": stored.get("notify") or {},
        "id": str(stored["_id"]),
    }


def get(ref_or_id: str) -> Document | None:
    """The action in its API form. A text with a dot is a reference, any other an id."""
    condition = {"ref": ref_or_id} if "." in ref_or_id else by_name_or_id("ref", ref_or_id)
    found = collection_of(Action).find_one(condition)
    return to_api(found) if found else None


def find(filters: Mapping[str, str], limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Actions in their API form, ordered by pack and name, and the count of all matches.

    ``filters``: ``name``, ``pack``, ``ref`` and ``id``, each a comma list; ``tags`` is ``name:value``; others are
    ignored.
    """
    conditions = with_ids(equalities(filters, _FILTERS), filters.get("id"))
    if tag := filters.get("tags"):
        name, _, value = tag.partition(":")
        conditions["tags"] = {"$elemMatch": {"name": name, "value": value}}
    found, total = page(collection_of(Action), conditions, ("pack", "name"), limit, offset)
    return [to_api(stored) for stored in found], total


def save(action: Action) -> None:
    """Store an action under its reference: a new one, or in the place (and with the id) of the one there."""
    known = collection_of(Action).find_one({"ref": action.ref}, {"_id": 1})
    action.id = known["_id"] if known else None
    store(action)


def remove_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    """Remove what was registered from the files of a pack and is gone from them; how many.

    Kept are the actions with these ``names``, those of these ``metadata_files``, and those made without a file.
    """
    gone = {
        "pack": pack,
        "name": {"$nin": sorted(names)},
        "metadata_file": {"$nin": [*metadata_files, None, ""]},
    }
    return collection_of(Action).delete_many(gone).deleted_count


def replace(action_id: str, action: Action) -> None:
    """Store an action in the place of the one with this id, whatever its name was."""
    action.id = ObjectId(action_id)
    store(action)


def remove(action_id: str) -> None:
    collection_of(Action).delete_one({"_id": ObjectId(action_id)})


def remove_pack(pack: str) -> int:
    """Remove all actions of a pack; how many."""
    return collection_of(Action).delete_many({"pack": pack}).deleted_count
