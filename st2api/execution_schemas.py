"""What clients may send about executions."""

from __future__ import annotations

from typing import Any

from st2common.content.action_metadata import NOTIFY
from st2common.models.statuses import Status

_TEXT_OR_NULL = {"type": ["string", "null"]}
_OBJECT_OR_NULL = {"type": ["object", "null"]}
# Milliseconds.
_DELAY = {"type": ["integer", "null"], "minimum": 0}
_NAMES = {"type": ["array", "null"], "items": {"type": "string"}}

#: What is to be masked in the output of a running one.
SECRETS: dict[str, Any] = {
    "type": "object",
    "required": ["secrets"],
    "properties": {"secrets": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": False,
}

#: A new execution. The fields without a meaning here are those that clients copy from an existing one.
CREATE: dict[str, Any] = {
    "type": "object",
    "required": ["action"],
    "properties": {
        "action": {"type": "string"},
        "parameters": _OBJECT_OR_NULL,
        "user": _TEXT_OR_NULL,
        "context": _OBJECT_OR_NULL,
        "delay": _DELAY,
        "notify": {**NOTIFY, "type": ["object", "null"]},
        "id": {},
        "status": {},
        "result": {},
        "callback": {},
        "runner_info": {},
        "start_timestamp": {},
        "end_timestamp": {},
        "action_is_workflow": {},
        "task_execution": {},
        "workflow_execution": {},
    },
    "additionalProperties": False,
}

REPEAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "parameters": _OBJECT_OR_NULL,
        "tasks": _NAMES,
        "reset": _NAMES,
        "delay": _DELAY,
        "user": _TEXT_OR_NULL,
    },
}

CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"enum": [str(status) for status in Status]}, "result": {}},
    "additionalProperties": False,
}
