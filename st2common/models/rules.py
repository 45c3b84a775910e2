"""Rules: which action runs when which event comes in. From the packs' files or made over the API.

What people may write with any keys (criteria, parameters) is stored as JSON text: names of fields in the database may
not have dots in them, and the names of criteria are paths.

``revision_d_b`` counts the changes: ``{_id: "rules", count}``. Whoever keeps rules in memory compares it and misses
none, whichever process made them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from mongoengine import BooleanField, DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of
from st2common.models.pack_content import PackContent

#: The types of rules. Those of the second run only when none of the first has matched an event.
STANDARD, BACKSTOP = "standard", "backstop"

REVISIONS = "revision_d_b"
_RULES = "rules"


class Rule(MongoDocument):  # type: ignore[misc]
    """``trigger`` is the trigger's reference; ``criteria`` and the parameters are JSON texts."""

    meta = {
        "collection": "rule_d_b",
        "auto_create_index": False,
        "indexes": [
            {"name": "ref", "fields": ["ref"], "unique": True},
            {"name": "trigger", "fields": ["trigger"]},
        ],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    description = StringField()
    enabled = BooleanField(default=False)
    type = DictField()
    trigger = StringField(required=True)
    trigger_type = StringField(required=True)
    trigger_parameters = StringField()
    criteria = StringField()
    action = StringField(required=True)
    action_parameters = StringField()
    tags = ListField()
    context = DictField()
    metadata_file = StringField()

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], trigger: Mapping[str, Any]) -> Rule:
        """A rule of validated metadata that names its pack, for a trigger in its API form."""
        pack, name = metadata["pack"], metadata["name"]
        return cls(
            ref=f"{pack}.{name}",
            uid=f"rule:{pack}:{name}",
            pack=pack,
            name=name,
            description=metadata.get("description"),
            enabled=metadata.get("enabled", False),
            type=metadata["type"],
            trigger=trigger["ref"],
            trigger_type=trigger["type"],
            trigger_parameters=json.dumps(trigger["parameters"]),
            criteria=json.dumps(metadata.get("criteria") or {}, default=str),
            action=metadata["action"]["ref"],
            action_parameters=json.dumps(metadata["action"].get("parameters") or {}, default=str),
            tags=metadata.get("tags") or [],
            context=metadata.get("context") or {},
            metadata_file=metadata.get("metadata_file"),
        )


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see. Secrets are in clear: see :mod:`st2common.services.rules`."""
    trigger_parameters = json.loads(stored.get("trigger_parameters") or "{}")
    return {
        "tags": stored.get("tags") or [],
        "uid": stored["uid"],
        "metadata_file": stored.get("metadata_file") or "",
        "name": stored["name"],
        "ref": stored["ref"],
        "description": stored.get("description") or "",
        "pack": stored["pack"],
        "type": stored.get("type") or {"ref": STANDARD, "parameters": {}},
        "trigger": {"type": stored["trigger_type"], "parameters": trigger_parameters, "ref": stored["trigger"]},
        "criteria": json.loads(stored.get("criteria") or "{}"),
        "action": {"ref": stored["action"], "parameters": json.loads(stored.get("action_parameters") or "{}")},
        "context": stored.get("context") or {},
        "enabled": stored.get("enabled", False),
        "id": str(stored["_id"]),
    }


CONTENT = PackContent(Rule, to_api, ("name", "pack", "ref", "action"))
get, find = CONTENT.get, CONTENT.find


def save(rule: Rule) -> None:
    """Store a rule under its reference: a new one, or in the place (and with the id) of the one there."""
    CONTENT.save(rule)
    _count_change()


def replace(rule_id: str, rule: Rule) -> None:
    """Store a rule in the place of the one with this id, whatever its name was."""
    CONTENT.replace(rule_id, rule)
    _count_change()


def remove(rule_id: str) -> None:
    CONTENT.remove(rule_id)
    _count_change()


def of_pack(pack: str) -> list[Document]:
    """The rules of a pack in their API form."""
    return [to_api(stored) for stored in collection_of(Rule).find({"pack": pack})]


def enabled() -> list[Document]:
    """The rules that hold now, in their API form."""
    return [to_api(stored) for stored in collection_of(Rule).find({"enabled": True})]


def wanted(triggers: Collection[str]) -> set[str]:
    """Those of these triggers (references) that an enabled rule waits for."""
    condition = {"trigger": {"$in": [*triggers]}, "enabled": True}
    return {stored["trigger"] for stored in collection_of(Rule).find(condition, {"trigger": 1})}


def revision() -> int:
    """A number that grows with each change of any rule."""
    found = collection_of(Rule).database[REVISIONS].find_one({"_id": _RULES})
    return int(found["count"]) if found else 0


def _count_change() -> None:
    revisions = collection_of(Rule).database[REVISIONS]
    revisions.update_one({"_id": _RULES}, {"$inc": {"count": 1}}, upsert=True)
