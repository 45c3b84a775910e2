"""Action aliases: commands in people's words that stand for an action. From the packs' files or made over the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongoengine import BooleanField, DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of
from st2common.models.pack_content import PackContent, common_to_api, names_of


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
        return cls(**{**metadata, "id": None, **names_of("action_alias", metadata)})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    return {
        **common_to_api(stored),
        "action_ref": stored["action_ref"],
        "formats": stored.get("formats") or [],
        "ack": stored.get("ack") or {},
        "result": stored.get("result") or {},
        "extra": stored.get("extra") or {},
        "immutable_parameters": stored.get("immutable_parameters") or {},
    }


CONTENT = PackContent(ActionAlias, to_api, ("name", "pack", "ref", "action_ref"))
get, find, save, replace = CONTENT.get, CONTENT.find, CONTENT.save, CONTENT.replace
remove, remove_except, remove_pack = CONTENT.remove, CONTENT.remove_except, CONTENT.remove_pack


def named(name: str) -> list[Document]:
    """The aliases with this name, of whichever pack."""
    return [to_api(stored) for stored in collection_of(ActionAlias).find({"name": name})]
