"""Sensors: what there is, whether it runs, and switching it on and off."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.http import body, query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer
from st2common.models import sensor_runs, sensors
from st2common.models.connection import Document
from st2common.models.sensor_runs import SensorRuns
from st2common.rbac.resolution import content_uids
from st2common.services.sensors import get_sensor, switch_sensor

FIELDS = (
    "id",
    "uid",
    "ref",
    "pack",
    "name",
    "description",
    "artifact_uri",
    "entry_point",
    "enabled",
    "trigger_types",
    "poll_interval",
    "metadata_file",
    "run",
)

#: Clients send the whole sensor.
SWITCH: dict[str, Any] = {
    "type": "object",
    "required": ["enabled"],
    "properties": {"enabled": {"type": "boolean"}},
}

routes = Blueprint("sensors", __name__, url_prefix="/sensortypes")


@routes.get("")
@needs("sensor_type_list")
def list_sensors() -> Response:
    page, attributes = Page.of_request(default_limit=None), Attributes.of_request(FIELDS, FIELDS)
    enabled = query.boolean("enabled") if query.text("enabled") else None
    more = sensors.conditions(query.text("trigger"), enabled)
    found, total = sensors.find(query.texts(), page.limit, page.offset, more)
    shown = _with_runs(found) if attributes.wanted("run") else found
    return page.answer([attributes.select(sensor, ("id", "ref")) for sensor in shown], total)


@routes.get("/<ref_or_id>")
@checks_objects
def get_one_sensor(ref_or_id: str) -> Response:
    found = get_sensor(ref_or_id)
    require("sensor_type_view", *content_uids(found))
    return answer(_with_runs([found])[0])


@routes.put("/<ref_or_id>")
@checks_objects
def change_sensor(ref_or_id: str) -> Response:
    """Only ``enabled`` is taken of the body."""
    wanted = body.checked(SWITCH)
    require("sensor_type_modify", *content_uids(get_sensor(ref_or_id)))
    return answer(_with_runs([switch_sensor(ref_or_id, wanted["enabled"])])[0])


def _with_runs(found: list[Document]) -> list[Document]:
    """Each with its last run as ``run``, where it has had one."""
    runs = SensorRuns(api().database).latest([sensor["ref"] for sensor in found])
    return [
        {**sensor, "run": sensor_runs.to_api(runs[sensor["ref"]])} if sensor["ref"] in runs else sensor
        for sensor in found
    ]
