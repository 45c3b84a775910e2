"""Policies: what limits or repeats the executions of an action. From the packs' files or made over the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongoengine import BooleanField, DictField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of
from st2common.models.pack_content import PackContent, common_to_api, names_of
from st2common.models.recent import Recent


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
        return cls(**{**metadata, "id": None, **names_of("policy", metadata)})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    return {
        **common_to_api(stored),
        "resource_ref": stored["resource_ref"],
        "policy_type": stored["policy_type"],
        "parameters": stored.get("parameters") or {},
    }


CONTENT = PackContent(Policy, to_api, ("name", "pack", "ref", "resource_ref", "policy_type"))
get, find, save, replace = CONTENT.get, CONTENT.find, CONTENT.save, CONTENT.replace
remove, remove_except, remove_pack = CONTENT.remove, CONTENT.remove_except, CONTENT.remove_pack


def enabled_for(action_ref: str) -> list[Document]:
    """The policies that hold for an action now, in their API form."""
    found = collection_of(Policy).find({"resource_ref": action_ref})
    return [to_api(stored) for stored in found if stored.get("enabled", True)]


_RECENT = Recent(Policy, enabled_for)
CONTENT.remembered.append(_RECENT)


def recently_enabled_for(action_ref: str) -> list[Document]:
    """As :func:`enabled_for`, at most a moment old."""
    return _RECENT.get(action_ref)


def limited_actions() -> set[str]:
    """References of the actions that any policy names, enabled or not."""
    return {stored["resource_ref"] for stored in collection_of(Policy).find({}, {"resource_ref": 1})}
