"""The verbs that change what is known of sensors, and of the trigger types that come with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from st2common.content import sensor_metadata
from st2common.errors import NotFound
from st2common.models import sensors, trigger_types
from st2common.models.connection import Document
from st2common.models.sensors import Sensor
from st2common.services.triggers import delete_trigger_type, save_trigger_type


def get_sensor(ref_or_id: str) -> Document:
    """
    Raises:
        NotFound: there is no such sensor.
    """
    found = sensors.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def save_sensor(metadata: Mapping[str, Any]) -> None:
    """Store a sensor of complete metadata, and its trigger types first: no sensor has types that are not known."""
    for trigger_type in metadata["trigger_types"]:
        # Nobody follows what is registered by events alone.
        save_trigger_type(None, {**trigger_type, "metadata_file": metadata["metadata_file"]})
    pack, name = metadata["pack"], metadata["name"]
    references = [f"{each['pack']}.{each['name']}" for each in metadata["trigger_types"]]
    computed: dict[str, Any] = {
        "ref": f"{pack}.{name}",
        "uid": f"sensor_type:{pack}:{name}",
        "trigger_types": references,
    }
    known = sensors.stored(computed["ref"])
    switched = known.get("switched") if known else None
    sensors.save(Sensor(**{**metadata, **computed, "switched": switched}))


def remove_sensors_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    """Forget what was registered from the sensor files of a pack and is gone from them; how many sensors.

    Kept is what has one of these ``names`` or ``metadata_files``, and the trigger types of what is kept.
    """
    removed = sensors.remove_except(pack, names, metadata_files)
    kept = {reference for sensor in sensors.find({"pack": pack})[0] for reference in sensor["trigger_types"]}
    for trigger_type in trigger_types.registered_from(pack, sensor_metadata.DIRECTORY):
        if trigger_type["ref"] not in kept:
            delete_trigger_type(None, trigger_type["ref"])
    return removed


def switch_sensor(ref_or_id: str, on: bool) -> Document:
    """Enable or disable a sensor, whatever its pack says of it; it in its API form. Its container notices.

    Raises:
        NotFound: there is no such sensor.
    """
    sensors.switch(get_sensor(ref_or_id)["id"], on)
    return get_sensor(ref_or_id)
