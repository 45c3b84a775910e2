"""Action aliases: commands in people's words that stand for an action. From the packs' files or made over the API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bson import ObjectId
from mongoengine import BooleanField, DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, equalities, page, store, with_ids

_FILTERS = {"name": "name", "pack": "pack", "ref": "ref", "action_ref": "action_ref"}


class ActionAlias(MongoDocument):  # type: ignore[misc]
    """``formats`` are texts or {display, representation [text], match_multiple}."""

    meta = {
        "collection": "action_alias_d_b",
        "auto_create_index": False,
        "indexes": [
            {"name": "ref", "fields": ["ref"], "unique": True},
            {"name": "name", "fields": ["name"]},
        ],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    description = StringField()
    enabled = BooleanField(default=True)
    action_ref = StringField(required=True)
    formats = ListField()
    ack = DictField()
    result = DictField()
    extra = DictField()
    immutable_parameters = DictField()
    metadata_file = StringField()

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> ActionAlias:
        """An alias of validated metadata that names its pack; what follows from the names is filled in."""
        pack, name = metadata["pack"], metadata["name"]
        computed = {"id": None, "ref": f"{pack}.{name}", "uid": f"action_alias:{pack}:{name}"}
        return cls(**{**metadata, **computed})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    return {
        "uid": stored["uid"],
        "metadata_file": stored.get("metadata_file") or "",
        "name": stored["name"],
        "ref": stored["ref"],
        "description": stored.get("description") or "",
        "pack": stored["pack"],
        "enabled": stored.get("enabled", True),
        "action_ref": stored["action_ref"],
        "formats": stored.get("formats") or [],
        "ack": stored.get("ack") or {},
        "result": stored.get("result") or {},
        "extra": stored.get("extra") or {},
        "immutable_parameters": stored.get("immutable_parameters") or {},
        "id": str(stored["_id"]),
    }


def get(ref_or_id: str) -> Document | None:
    """The alias in its API form. A text with a dot is a reference, any other an id."""
    condition = {"ref": ref_or_id} if "." in ref_or_id else by_name_or_id("ref", ref_or_id)
    found = collection_of(ActionAlias).find_one(condition)
    return to_api(found) if found else None


def find(filters: Mapping[str, str], limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Aliases in their API form, ordered by pack and name, and the count of all matches.

    ``filters``: name, pack, ref, action_ref and id, each a comma list; others are ignored.
    """
    conditions = with_ids(equalities(filters, _FILTERS), filters.get("id"))
    found, total = page(collection_of(ActionAlias), conditions, ("pack", "name"), limit, offset)
    return [to_api(stored) for stored in found], total


def named(name: str) -> list[Document]:
    """The aliases with this name, of whichever pack."""
    return [to_api(stored) for stored in collection_of(ActionAlias).find({"name": name})]


def save(alias: ActionAlias) -> None:
    """Store an alias under its reference: a new one, or in the place (and with the id) of the one there."""
    known = collection_of(ActionAlias).find_one({"ref": alias.ref}, {"_id": 1})
    alias.id = known["_id"] if known else None
    store(alias)


def replace(alias_id: str, alias: ActionAlias) -> None:
    """Store an alias in the place of the one with this id, whatever its name was."""
    alias.id = ObjectId(alias_id)
    store(alias)


def remove(alias_id: str) -> None:
    collection_of(ActionAlias).delete_one({"_id": ObjectId(alias_id)})


def remove_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    """Remove what was registered from the files of a pack and is gone from them; how many.

    Kept are the aliases with these ``names``, those of these ``metadata_files``, and those made without a file.
    """
    gone = {"pack": pack, "name": {"$nin": sorted(names)}, "metadata_file": {"$nin": [*metadata_files, None, ""]}}
    return collection_of(ActionAlias).delete_many(gone).deleted_count


def remove_pack(pack: str) -> int:
    """Remove all aliases of a pack; how many."""
    return collection_of(ActionAlias).delete_many({"pack": pack}).deleted_count
