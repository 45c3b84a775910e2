"""Packs: directories of content, known by their manifest ``pack.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongoengine import DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, equalities, page, store, with_ids


class Pack(MongoDocument):  # type: ignore[misc]
    meta = {
        "collection": "pack_d_b",
        "auto_create_index": False,
        "indexes": [{"name": "ref", "fields": ["ref"], "unique": True}],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    name = StringField(required=True)
    description = StringField(required=True)
    version = StringField(required=True)
    author = StringField(required=True)
    email = StringField(required=True)
    keywords = ListField(StringField())
    contributors = ListField(StringField())
    dependencies = ListField(StringField())
    python_versions = ListField(StringField())
    stackstorm_version = StringField()
    system = DictField()
    #: Paths in the pack, and the directory where it lies on the host that registered it.
    files = ListField(StringField())
    path = StringField(required=True)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Pack:
        """A pack of a validated manifest with ``ref``, ``files`` and ``path``. Keys of others' tools are dropped."""
        own = {key: value for key, value in manifest.items() if key in cls._fields}
        return cls(**{**own, "id": None, "uid": f"pack:{manifest['ref']}"})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    shown = {
        "uid": stored["uid"],
        "ref": stored["ref"],
        "name": stored["name"],
        "description": stored["description"],
        "keywords": stored.get("keywords") or [],
        "version": stored["version"],
        "stackstorm_version": stored.get("stackstorm_version"),
        "python_versions": stored.get("python_versions") or [],
        "author": stored["author"],
        "email": stored["email"],
        "contributors": stored.get("contributors") or [],
        "files": stored.get("files") or [],
        "path": stored["path"],
        "dependencies": stored.get("dependencies") or [],
        "system": stored.get("system") or {},
        "id": str(stored["_id"]),
    }
    return {key: value for key, value in shown.items() if value is not None}


def get(ref_or_id: str) -> Document | None:
    """The pack in its API form."""
    found = collection_of(Pack).find_one(by_name_or_id("ref", ref_or_id))
    return to_api(found) if found else None


def find(filters: Mapping[str, str], limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Packs in their API form, ordered by reference, and the count of all matches. ``filters``: ref, name, id."""
    conditions = with_ids(equalities(filters, {"ref": "ref", "name": "name"}), filters.get("id"))
    found, total = page(collection_of(Pack), conditions, ("ref",), limit, offset)
    return [to_api(stored) for stored in found], total


def save(pack: Pack) -> None:
    """Store a pack under its reference."""
    known = collection_of(Pack).find_one({"ref": pack.ref}, {"_id": 1})
    pack.id = known["_id"] if known else None
    store(pack)


def remove(ref: str) -> int:
    return collection_of(Pack).delete_many({"ref": ref}).deleted_count
