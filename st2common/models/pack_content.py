"""What all content of packs has in common (actions, aliases, policies): a pack, a name in it, a reference of both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from bson import ObjectId

from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, equalities, page, store, with_ids
from st2common.models.recent import Recent


def names_of(resource_type: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """The reference and the uid of an object whose metadata names its pack."""
    pack, name = metadata["pack"], metadata["name"]
    return {"ref": f"{pack}.{name}", "uid": f"{resource_type}:{pack}:{name}"}


def common_to_api(stored: Mapping[str, Any]) -> Document:
    """What aliases and policies have in common, as clients see it."""
    return {
        **{name: stored[name] for name in ("uid", "name", "ref", "pack")},
        "metadata_file": stored.get("metadata_file") or "",
        "description": stored.get("description") or "",
        "enabled": stored.get("enabled", True),
        "id": str(stored["_id"]),
    }


class PackContent:
    """The queries of one kind of content."""

    def __init__(self, model: Any, to_api: Callable[[Mapping[str, Any]], Document], filters: Collection[str]) -> None:
        """``model`` is the mongoengine class, ``filters`` are the fields that lists may be narrowed by."""
        self._model = model
        self._to_api = to_api
        self._filters = {name: name for name in filters}
        self._recent = Recent(model, self.get)
        #: Other memories of this kind, to be forgotten with each change.
        self.remembered: list[Recent[Any]] = [self._recent]

    def get(self, ref_or_id: str) -> Document | None:
        """The object in its API form. A text with a dot is a reference, any other an id."""
        condition = {"ref": ref_or_id} if "." in ref_or_id else by_name_or_id("ref", ref_or_id)
        found = collection_of(self._model).find_one(condition)
        return self._to_api(found) if found else None

    def recent(self, ref: str) -> Document | None:
        """As :meth:`get`, at most a moment old: for what every execution asks."""
        return self._recent.get(ref)

    def find(
        self, filters: Mapping[str, str], limit: int | None = None, offset: int = 0, more: Document | None = None
    ) -> tuple[list[Document], int]:
        """Objects in their API form, ordered by pack and name, and the count of all matches.

        ``filters``: the kind's own and ``id``, each a comma list; others are ignored. ``more``: further conditions.
        """
        conditions = {**with_ids(equalities(filters, self._filters), filters.get("id")), **(more or {})}
        found, total = page(collection_of(self._model), conditions, ("pack", "name"), limit, offset)
        return [self._to_api(stored) for stored in found], total

    def save(self, content: Any) -> None:
        """Store an object under its reference: a new one, or in the place (and with the id) of the one there."""
        known = collection_of(self._model).find_one({"ref": content.ref}, {"_id": 1})
        content.id = known["_id"] if known else None
        store(content)
        self._changed()

    def replace(self, content_id: str, content: Any) -> None:
        """Store an object in the place of the one with this id, whatever its name was."""
        content.id = ObjectId(content_id)
        store(content)
        self._changed()

    def change(self, content_id: str, fields: Mapping[str, Any]) -> None:
        """Set some fields of the object with this id."""
        collection_of(self._model).update_one({"_id": ObjectId(content_id)}, {"$set": dict(fields)})
        self._changed()

    def remove(self, content_id: str) -> None:
        collection_of(self._model).delete_one({"_id": ObjectId(content_id)})
        self._changed()

    def remove_except(self, pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
        """Remove what was registered from the files of a pack and is gone from them; how many.

        Kept is what has one of these ``names`` or ``metadata_files``, and what was made without a file.
        """
        gone = {"pack": pack, "name": {"$nin": sorted(names)}, "metadata_file": {"$nin": [*metadata_files, None, ""]}}
        return self._delete(gone)

    def remove_pack(self, pack: str) -> int:
        """Remove all that a pack has of this kind; how many."""
        return self._delete({"pack": pack})

    def _delete(self, condition: Document) -> int:
        deleted = collection_of(self._model).delete_many(condition).deleted_count
        self._changed()
        return deleted

    def _changed(self) -> None:
        for recent in self.remembered:
            recent.forget()
