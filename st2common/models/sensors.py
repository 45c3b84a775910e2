"""Sensors: what packs bring to watch other systems. From the packs' files; an
administrator may say otherwise whether they are enabled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongoengine import BooleanField, IntField, ListField, StringField
from mongoengine import Document as MongoDocument

from st2common.models.connection import Document
from st2common.models.listing import collection_of
from st2common.models.pack_content import PackContent


class Sensor(MongoDocument):  # type: ignore[misc]
    """``name`` is that of its class, ``file`` the absolute path of the Python file that defines it."""

    meta = {
        "collection": "sensor_type_d_b",
        "auto_create_index": False,
        "indexes": [{"name": "ref", "fields": ["ref"], "unique": True}],
    }

    ref = StringField(required=True)
    uid = StringField(required=True)
    pack = StringField(required=True)
    name = StringField(required=True)
    description = StringField()
    enabled = BooleanField(default=True)
    #: What an administrator has said of it, which counts more; None: nothing.
    switched = BooleanField()
    file = StringField(required=True)
    #: Of what the pack has in its directory of sensors: a process that runs an older one is replaced.
    digest = StringField(required=True)
    #: Seconds; of polling sensors.
    poll_interval = IntField()
    #: References.
    trigger_types = ListField()
    metadata_file = StringField()


def to_api(stored: Mapping[str, Any]) -> Document:
    """The form that clients see."""
    module = stored["file"].rpartition("/")[2].removesuffix(".py")
    shown = {
        "description": stored.get("description"),
        "uid": stored["uid"],
        "metadata_file": stored.get("metadata_file") or "",
        "name": stored["name"],
        "ref": stored["ref"],
        "pack": stored["pack"],
        "artifact_uri": f"file://{stored['file']}",
        "entry_point": f"sensors.{module}.{stored['name']}",
        "trigger_types": stored.get("trigger_types") or [],
        "poll_interval": stored.get("poll_interval"),
        "enabled": is_enabled(stored),
        "id": str(stored["_id"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


CONTENT = PackContent(Sensor, to_api, ("name", "pack", "ref"))
get, find, save = CONTENT.get, CONTENT.find, CONTENT.save
remove_except, remove_pack = CONTENT.remove_except, CONTENT.remove_pack


def is_enabled(stored: Mapping[str, Any]) -> bool:
    said = stored.get("switched")
    return bool(stored.get("enabled", True) if said is None else said)


def conditions(trigger_type: str | None, enabled: bool | None) -> Document:
    """Of the sensors that emit this type, and of those that are enabled or are not; None: of all."""
    emits: Document = {"trigger_types": trigger_type} if trigger_type else {}
    on: Document = {"$or": [{"switched": True}, {"switched": None, "enabled": {"$ne": False}}]}
    off: Document = {"$or": [{"switched": False}, {"switched": None, "enabled": False}]}
    return emits if enabled is None else {**emits, **(on if enabled else off)}


def enabled() -> list[Document]:
    """The sensors that are to run somewhere, as they are stored."""
    return [stored for stored in collection_of(Sensor).find({}) if is_enabled(stored)]


def references() -> set[str]:
    """Of all sensors."""
    return {stored["ref"] for stored in collection_of(Sensor).find({}, {"ref": 1})}


def stored(ref: str) -> Document | None:
    """A sensor as it is stored, enabled or not."""
    return collection_of(Sensor).find_one({"ref": ref})


def switch(sensor_id: str, on: bool) -> None:
    """Enable or disable a sensor, whatever its pack says of it."""
    CONTENT.change(sensor_id, {"switched": on})
