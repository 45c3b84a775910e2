"""Actions: what can be run. Registered from the packs' metadata files or made through the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongoengine import BooleanField, DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.pack_content import PackContent


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


CONTENT = PackContent(Action, to_api, ("name", "pack", "ref"))
get, recent, save, replace = CONTENT.get, CONTENT.recent, CONTENT.save, CONTENT.replace
remove, remove_except, remove_pack = CONTENT.remove, CONTENT.remove_except, CONTENT.remove_pack


def find(filters: Mapping[str, str], limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Actions in their API form, ordered by pack and name, and the count of all matches.

    ``filters``: ``name``, ``pack``, ``ref`` and ``id``, each a comma list; ``tags`` is ``name:value``; others are
    ignored.
    """
    name, _, value = filters.get("tags", "").partition(":")
    tagged = {"tags": {"$elemMatch": {"name": name, "value": value}}} if name else None
    return CONTENT.find(filters, limit, offset, tagged)
