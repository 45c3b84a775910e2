"""Trigger types: the kinds of events that rules can wait for. From the packs' files, made over the API, or built in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mongoengine import DictField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of
from st2common.models.pack_content import PackContent

#: What the platform itself emits and listens to.
WEBHOOK = "core.st2.webhook"
INTERVAL_TIMER, DATE_TIMER, CRON_TIMER = "core.st2.IntervalTimer", "core.st2.DateTimer", "core.st2.CronTimer"
TIMERS = (INTERVAL_TIMER, DATE_TIMER, CRON_TIMER)
ACTION = "core.st2.generic.actiontrigger"
NOTIFY = "core.st2.generic.notifytrigger"
INQUIRY = "core.st2.generic.inquiry"
FILE_WRITTEN = "core.st2.action.file_written"
SENSOR_SPAWN, SENSOR_EXIT = "core.st2.sensor.process_spawn", "core.st2.sensor.process_exit"
KEY_CREATE, KEY_UPDATE = "core.st2.key_value_pair.create", "core.st2.key_value_pair.update"
KEY_VALUE_CHANGE, KEY_DELETE = "core.st2.key_value_pair.value_change", "core.st2.key_value_pair.delete"


class TriggerType(MongoDocument):  # type: ignore[misc]
    """``payload_schema`` is that of the events, ``parameters_schema`` that of the triggers of this type."""

    meta = {
        "collection": "trigger_type_d_b",
        "auto_create_index": False,
        "indexes": [{"name": "ref", "fields": ["ref"], "unique": True}],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    description = StringField()
    payload_schema = DictField()
    parameters_schema = DictField()
    tags = ListField()
    metadata_file = StringField()

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> TriggerType:
        """A type of validated metadata that names its pack; what follows from the names is filled in."""
        pack, name = metadata["pack"], metadata["name"]
        computed = {"id": None, "ref": f"{pack}.{name}", "uid": f"trigger_type:{pack}:{name}"}
        return cls(**{**metadata, **computed})


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    shown = {
        "description": stored.get("description"),
        "tags": stored.get("tags") or [],
        "uid": stored["uid"],
        "metadata_file": stored.get("metadata_file") or None,
        "ref": stored["ref"],
        "name": stored["name"],
        "pack": stored["pack"],
        "payload_schema": stored.get("payload_schema") or {},
        "parameters_schema": stored.get("parameters_schema") or {},
        "id": str(stored["_id"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


CONTENT = PackContent(TriggerType, to_api, ("name", "pack", "ref"))
get, recent, find, save = CONTENT.get, CONTENT.recent, CONTENT.find, CONTENT.save
remove = CONTENT.remove


def has_parameters(trigger_type: Mapping[str, Any]) -> bool:
    """Whether triggers of this type differ. Of a type without parameters there is one trigger, with its name."""
    return bool((trigger_type.get("parameters_schema") or {}).get("properties"))


def registered_from(pack: str, directory: str) -> list[Document]:
    """The types, in their API form, that were registered from files in this directory of the pack.

    Trigger files and sensor files both register types, and each of them only what is its own.
    """
    found = collection_of(TriggerType).find({"pack": pack})
    return [to_api(stored) for stored in found if (stored.get("metadata_file") or "").startswith(f"{directory}/")]


def gone(pack: str, directory: str, names: Collection[str], metadata_files: Collection[str]) -> list[Document]:
    """Those of :func:`registered_from` with neither one of these names nor one of these files any more."""
    known = registered_from(pack, directory)
    return [each for each in known if each["name"] not in names and each["metadata_file"] not in metadata_files]
