"""The configurations of packs, as an administrator wrote them: templates in them are not rendered."""

from __future__ import annotations

from typing import Any

from mongoengine import DictField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of, page


class Config(MongoDocument):  # type: ignore[misc]
    """``values`` are {item: value}."""

    meta = {
        "collection": "config_d_b",
        "auto_create_index": False,
        "indexes": [{"name": "pack", "fields": ["pack"], "unique": True}],
    }

    pack = StringField(required=True)
    values = DictField()


def get(pack: str) -> Document | None:
    """The configuration in its API form, its secrets included."""
    found = collection_of(Config).find_one({"pack": pack})
    return _to_api(found) if found else None


def find(limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Configurations in their API form, ordered by pack, and the count of all."""
    found, total = page(collection_of(Config), {}, ("pack",), limit, offset)
    return [_to_api(stored) for stored in found], total


def save(pack: str, values: Document) -> None:
    collection_of(Config).update_one({"pack": pack}, {"$set": {"values": values}}, upsert=True)


def _to_api(stored: Any) -> Document:
    return {"pack": stored["pack"], "values": stored.get("values") or {}, "id": str(stored["_id"])}
