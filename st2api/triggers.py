"""Trigger types, triggers, and the events that have come in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.errors import NotFound
from st2common.http import body, query
from st2common.http.authorization import checks_objects, needs, require
from st2common.http.paging import Attributes, Page
from st2common.http.responses import answer, no_content
from st2common.models import newest_first, trigger_instances, trigger_types, triggers
from st2common.models.connection import Document
from st2common.models.trigger_instances import TriggerInstances
from st2common.services.trigger_dispatch import re_emit
from st2common.services.triggers import (
    create_trigger,
    create_trigger_type,
    delete_trigger,
    delete_trigger_type,
    get_trigger,
    get_trigger_type,
    update_trigger,
    update_trigger_type,
)

TYPE_FIELDS = (
    "id",
    "uid",
    "ref",
    "pack",
    "name",
    "description",
    "payload_schema",
    "parameters_schema",
    "tags",
    "metadata_file",
)
INSTANCE_FIELDS = ("id", "trigger", "payload", "occurrence_time", "status")
#: Filter -> stored field.
INSTANCE_FILTERS = {"trigger": "trigger", "trigger_type": "trigger_type", "status": "status"}

#: The service checks the rest.
TYPE_CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "pack": {"type": "string"}},
}
_TEXT = {"type": "string", "maxLength": 1000}
_PARAMETERS = {"type": "object"}
TRIGGER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type"],
    "properties": {
        "id": _TEXT,
        "uid": _TEXT,
        "ref": _TEXT,
        "pack": _TEXT,
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": _TEXT,
        "parameters": _PARAMETERS,
        "description": _TEXT,
    },
}

routes = Blueprint("triggers", __name__)


@routes.get("/triggertypes")
@needs("trigger_list")
def list_types() -> Response:
    page, attributes = Page.of_request(), Attributes.of_request(TYPE_FIELDS, TYPE_FIELDS)
    found, total = trigger_types.find(query.texts(), page.limit, page.offset)
    return page.answer([attributes.select(known, ("id", "ref")) for known in found], total)


@routes.get("/triggertypes/<ref_or_id>")
@checks_objects
def get_type(ref_or_id: str) -> Response:
    found = get_trigger_type(ref_or_id)
    require("trigger_view", found["uid"])
    return answer(found)


@routes.post("/triggertypes")
@needs("trigger_all")
def add_type() -> Response:
    return answer(create_trigger_type(api().transport, body.checked(TYPE_CHANGE, nulls_are_absent=True)), 201)


@routes.put("/triggertypes/<ref_or_id>")
@needs("trigger_all")
def change_type(ref_or_id: str) -> Response:
    wanted = body.checked(TYPE_CHANGE, nulls_are_absent=True)
    return answer(update_trigger_type(api().transport, ref_or_id, wanted))


@routes.delete("/triggertypes/<ref_or_id>")
@needs("trigger_all")
def remove_type(ref_or_id: str) -> Response:
    delete_trigger_type(api().transport, ref_or_id)
    return no_content()


@routes.get("/triggers")
@needs("trigger_list")
def list_triggers() -> Response:
    """All of them, or those of one ``type``. What is no reference of a type is no filter: a client sends "None"."""
    wanted = query.text("type") or ""
    found, _ = triggers.find([wanted] if "." in wanted else None)
    return answer(found)


@routes.get("/triggers/<ref_or_id>")
@checks_objects
def get_one_trigger(ref_or_id: str) -> Response:
    found = get_trigger(ref_or_id)
    require("trigger_view", found["uid"])
    return answer(found)


@routes.post("/triggers")
@needs("trigger_all")
def add_trigger() -> Response:
    return answer(create_trigger(api().transport, body.checked(TRIGGER, nulls_are_absent=True)), 201)


@routes.put("/triggers/<ref_or_id>")
@needs("trigger_all")
def change_trigger(ref_or_id: str) -> Response:
    wanted = body.checked(TRIGGER, nulls_are_absent=True)
    return answer(update_trigger(api().transport, ref_or_id, wanted))


@routes.delete("/triggers/<ref_or_id>")
@needs("trigger_all")
def remove_trigger(ref_or_id: str) -> Response:
    delete_trigger(api().transport, ref_or_id)
    return no_content()


@routes.get("/triggerinstances")
@needs("trigger_list")
def list_instances() -> Response:
    """Newest first."""
    page, attributes = Page.of_request(), Attributes.of_request(INSTANCE_FIELDS, INSTANCE_FIELDS)
    filters = query.texts()
    conditions: Document = {
        **{field: filters[name] for name, field in INSTANCE_FILTERS.items() if name in filters},
        **newest_first.times(filters, "occurrence_time", "timestamp_gt", "timestamp_lt"),
    }
    instances = TriggerInstances(api().database).collection
    found, total = newest_first.find(instances, conditions, "occurrence_time", page.limit, page.offset)
    return page.answer([attributes.select(trigger_instances.to_api(stored)) for stored in found], total)


@routes.get("/triggerinstances/<instance_id>")
@needs("trigger_view")
def get_instance(instance_id: str) -> Response:
    found = TriggerInstances(api().database).get(instance_id)
    if found is None:
        raise NotFound(f'Unable to identify resource with id "{instance_id}".')
    return answer(trigger_instances.to_api(found))


@routes.post("/triggerinstances/<instance_id>/re_emit")
@needs("trigger_all")
def emit_again(instance_id: str) -> Response:
    """Let the same happen once more: a new instance with the payload of this one."""
    emitted = re_emit(api().database, api().transport, instance_id)
    message = f"Trigger instance {instance_id} successfully re-sent."
    return answer({"message": message, "payload": emitted["payload"], "id": str(emitted["_id"])})
