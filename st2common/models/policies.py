"""Policies: what limits or repeats the executions of an action. From the packs' files or made over the API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bson import ObjectId
from mongoengine import BooleanField, DictField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, equalities, page, store, with_ids

_FILTERS = {"name": "name", "pack": "pack", "ref": "ref", "resource_ref": "resource_ref", "policy_type": "policy_type"}


class Policy(MongoDocument):  # type: ignore[misc]
    """``resource_ref`` is the action's reference, ``policy_type`` one of :data:`.policy_types.TYPES`."""

    meta = {
        "collection": "policy_d_b",
        "auto_create_index": False,
        "indexes": [
            {"name": "ref", "fields": ["ref"], "unique": True},
            {"name": "resource_ref", "fields": ["resource_ref"]},
        ],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    description = StringField()
    enabled = BooleanField(default=True)
    resource_ref = StringField(required=True)
    policy_type = StringField(required=True)
    parameters = DictField()
    metadata_file = StringField()

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Policy:
        """A policy of validated metadata that names its pack; what follows from the names is filled in."""
        pack, name = metadata["pack"], metadata["name"]
        computed = {"id": None, "ref": f"{pack}.{name}", "uid": f"policy:{pack}:{name}"}
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
        "resource_ref": stored["resource_ref"],
        "policy_type": stored["policy_type"],
        "parameters": stored.get("parameters") or {},
        "id": str(stored["_id"]),
    }


def get(ref_or_id: str) -> Document | None:
    """The policy in its API form. A text with a dot is a reference, any other an id."""
    condition = {"ref": ref_or_id} if "." in ref_or_id else by_name_or_id("ref", ref_or_id)
    found = collection_of(Policy).find_one(condition)
    return to_api(found) if found else None


def find(filters: Mapping[str, str], limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Policies in their API form, ordered by pack and name, and the count of all matches.

    ``filters``: name, pack, ref, resource_ref, policy_type and id, each a comma list; others are ignored.
    """
    conditions = with_ids(equalities(filters, _FILTERS), filters.get("id"))
    found, total = page(collection_of(Policy), conditions, ("pack", "name"), limit, offset)
    return [to_api(stored) for stored in found], total


def enabled_for(action_ref: str) -> list[Document]:
    """The policies that hold for an action now, in their API form."""
    found = collection_of(Policy).find({"resource_ref": action_ref})
    return [to_api(stored) for stored in found if stored.get("enabled", True)]


def limited_actions() -> set[str]:
    """References of the actions that any policy names, enabled or not."""
    return {stored["resource_ref"] for stored in collection_of(Policy).find({}, {"resource_ref": 1})}


def save(policy: Policy) -> None:
    """Store a policy under its reference: a new one, or in the place (and with the id) of the one there."""
    known = collection_of(Policy).find_one({"ref": policy.ref}, {"_id": 1})
    policy.id = known["_id"] if known else None
    store(policy)


def replace(policy_id: str, policy: Policy) -> None:
    """Store a policy in the place of the one with this id, whatever its name was."""
    policy.id = ObjectId(policy_id)
    store(policy)


def remove(policy_id: str) -> None:
    collection_of(Policy).delete_one({"_id": ObjectId(policy_id)})


def remove_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    """Remove what was registered from the files of a pack and is gone from them; how many.

    Kept are the policies with these ``names``, those of these ``metadata_files``, and those made without a file.
    """
    gone = {"pack": pack, "name": {"$nin": sorted(names)}, "metadata_file": {"$nin": [*metadata_files, None, ""]}}
    return collection_of(Policy).delete_many(gone).deleted_count


def remove_pack(pack: str) -> int:
    """Remove all policies of a pack; how many."""
    return collection_of(Policy).delete_many({"pack": pack}).deleted_count
