"""What the packs' ``config.schema.yaml`` files say: which items the configuration of a pack has."""

from __future__ import annotations

from typing import Any

from mongoengine import DictField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of, page


class ConfigSchema(MongoDocument):  # type: ignore[misc]
    """``attributes`` are {item: JSON schema}, with the keywords of action parameters."""

    meta = {
        "collection": "config_schema_d_b",
        "auto_create_index": False,
        "indexes": [{"name": "pack", "fields": ["pack"], "unique": True}],
    }

    pack = StringField(required=True)
    attributes = DictField()


def get(pack: str) -> Document | None:
    """The schema in its API form."""
    found = collection_of(ConfigSchema).find_one({"pack": pack})
    return _to_api(found) if found else None


def attributes_of(pack: str) -> Document:
    """{item: schema}; nothing for a pack without a schema."""
    found = get(pack)
    return found["attributes"] if found else {}


def find(limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Schemas in their API form, ordered by pack, and the count of all."""
    found, total = page(collection_of(ConfigSchema), {}, ("pack",), limit, offset)
    return [_to_api(stored) for stored in found], total


def save(pack: str, attributes: Document) -> None:
    collection_of(ConfigSchema).update_one({"pack": pack}, {"$set": {"attributes": attributes}}, upsert=True)


def remove(pack: str) -> int:
    return collection_of(ConfigSchema).delete_many({"pack": pack}).deleted_count


def _to_api(stored: Any) -> Document:
    return {"pack": stored["pack"], "attributes": stored.get("attributes") or {}, "id": str(stored["_id"])}
