"""Triggers: what rules wait for. A trigger is its type and its parameters; of each such pair there is one.

The document in ``trigger_d_b``::

    _id          ObjectId
    ref          <pack>.<name>, unique
    uid          trigger:<pack>:<name>:<md5 of the parameters>
    key          <type>:<md5 of the parameters>, unique
    name, pack   the pack is that of the type; the name too, where the type has no parameters, and a UUID elsewhere
    type         reference of the trigger type
    parameters   {name: value}
    description  absent where there is none
    holders      references of the rules that wait for it
    kept         True: it stays when nobody holds it, because it is that of its type or was made over the API

``holders`` is a set rather than a count: whoever adds or removes itself twice has done so once, and a crash between
a rule and its trigger cannot make a number wrong for ever.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from mongoengine import BooleanField, DictField, ListField, StringField
from mongoengine import Document as MongoDocument
from pymongo.errors import DuplicateKeyError

from st2common.errors import ConflictError
from st2common.models.connection import Document
from st2common.models.listing import by_name_or_id, collection_of, page
from st2common.models.recent import Recent
from st2common.models.trigger_types import has_parameters

# Those who make and remove one trigger all the time can keep one another from it; nobody else needs a third attempt.
_ATTEMPTS = 10


class Trigger(MongoDocument):  # type: ignore[misc]
    meta = {
        "collection": "trigger_d_b",
        "auto_create_index": False,
        "indexes": [
            {"name": "ref", "fields": ["ref"], "unique": True},
            {"name": "key", "fields": ["key"], "unique": True},
        ],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    key = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    type = StringField(required=True)
    parameters = DictField()
    description = StringField()
    holders = ListField()
    kept = BooleanField()


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    shown = {
        "uid": stored["uid"],
        "ref": stored["ref"],
        "name": stored["name"],
        "pack": stored["pack"],
        "type": stored["type"],
        "parameters": stored.get("parameters") or {},
        "description": stored.get("description"),
        "id": str(stored["_id"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


def digest(parameters: Mapping[str, Any]) -> str:
    text = json.dumps(parameters, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def key_of(type_ref: str, parameters: Mapping[str, Any]) -> str:
    return f"{type_ref}:{digest(parameters)}"


def get(ref_or_id: str) -> Document | None:
    """The trigger in its API form. A text with a dot is a reference, any other an id."""
    return _one({"ref": ref_or_id} if "." in ref_or_id else by_name_or_id("ref", ref_or_id))


def of_type(type_ref: str, parameters: Mapping[str, Any]) -> Document | None:
    """The trigger of this type with these parameters."""
    return _one({"key": key_of(type_ref, parameters)})


def find(types: Collection[str] | None = None, limit: int | None = None, offset: int = 0) -> tuple[list[Document], int]:
    """Triggers in their API form, of these types (all), ordered by pack and name, and the count of all matches."""
    conditions: Document = {} if types is None else {"type": {"$in": sorted(types)}}
    found, total = page(collection_of(Trigger), conditions, ("pack", "name"), limit, offset)
    return [to_api(stored) for stored in found], total


def _one(condition: Document) -> Document | None:
    found = collection_of(Trigger).find_one(condition)
    return to_api(found) if found else None


_RECENT = Recent(Trigger, get)
_RECENT_BY_KEY = Recent(Trigger, lambda key: _one({"key": key}))


def recent(ref: str) -> Document | None:
    """As :func:`get` of a reference, at most a moment old: for what every event asks."""
    return _RECENT.get(ref)


def recent_of_type(type_ref: str, parameters: Mapping[str, Any]) -> Document | None:
    """As :func:`of_type`, at most a moment old."""
    return _RECENT_BY_KEY.get(key_of(type_ref, parameters))


def hold(trigger_type: Mapping[str, Any], parameters: Mapping[str, Any], holder: str) -> tuple[Document, bool]:
    """The trigger of this type with these parameters, made if need be, held by ``holder``; whether it was made."""
    return _upsert(trigger_type, _name(trigger_type), parameters, {"$addToSet": {"holders": holder}}, {})


def keep(
    trigger_type: Mapping[str, Any],
    parameters: Mapping[str, Any],
    name: str | None = None,
    description: str | None = None,
) -> tuple[Document, bool]:
    """As :func:`hold`, but it stays until somebody removes it. The ``name`` counts where it has to be made."""
    more = {"description": description} if description else {}
    return _upsert(trigger_type, name or _name(trigger_type), parameters, {"$set": {"kept": True}}, more)


def release(ref: str, holder: str) -> Document | None:
    """``holder`` waits for the trigger no more. The trigger, if it is gone now because nobody else does."""
    collection = collection_of(Trigger)
    collection.update_one({"ref": ref}, {"$pull": {"holders": holder}})
    known = collection.find_one({"ref": ref})
    # Who holds it in this moment is not overlooked: the condition is a part of the removal.
    unheld: Document = {"ref": ref, "holders": [], "kept": None}
    if known is None or not collection.delete_one(unheld).deleted_count:
        return None
    _changed()
    return to_api(known)


def replace(trigger_id: Any, changes: Mapping[str, Any]) -> None:
    """Set fields of the trigger with this id.

    Raises:
        ConflictError: there is another trigger of this type with these parameters, or with this name.
    """
    try:
        collection_of(Trigger).update_one({"_id": trigger_id}, {"$set": dict(changes)})
    except DuplicateKeyError as error:
        raise ConflictError from error
    _changed()


def remove(ref: str) -> None:
    collection_of(Trigger).delete_one({"ref": ref})
    _changed()


def _name(trigger_type: Mapping[str, Any]) -> str:
    return str(uuid.uuid4()) if has_parameters(trigger_type) else str(trigger_type["name"])


def _upsert(
    trigger_type: Mapping[str, Any],
    name: str,
    parameters: Mapping[str, Any],
    change: Document,
    more: Mapping[str, Any],
) -> tuple[Document, bool]:
    pack, type_ref = trigger_type["pack"], trigger_type["ref"]
    key = {"key": key_of(type_ref, parameters)}
    new = {
        "ref": f"{pack}.{name}",
        "uid": f"trigger:{pack}:{name}:{digest(parameters)}",
        "pack": pack,
        "name": name,
        "type": type_ref,
        "parameters": dict(parameters),
        **more,
    }
    if "$addToSet" not in change:
        new["holders"] = []
    for _ in range(_ATTEMPTS):
        try:
            done = collection_of(Trigger).update_one(key, {**change, "$setOnInsert": new}, upsert=True)
        except DuplicateKeyError:
            continue  # somebody else has just made it, so now it is there to be changed
        _changed()
        if found := _one(key):
            return found, done.upserted_id is not None
    raise ConflictError(f'The trigger "{pack}.{name}" cannot be made: another one has its name.')


def _changed() -> None:
    _RECENT.forget()
    _RECENT_BY_KEY.forget()
