"""Policy types: the kinds of policies that the platform can enforce. They are code, so they are not stored."""

from __future__ import annotations

import hashlib
from typing import Any

from st2common.models.connection import Document

CONCURRENCY = "action.concurrency"
CONCURRENCY_BY_ATTRIBUTES = "action.concurrency.attr"
RETRY = "action.retry"

#: What happens to an execution that is one too many.
DELAY, CANCEL = "delay", "cancel"
#: What is retried.
ON_FAILURE, ON_TIMEOUT = "failure", "timeout"

_THRESHOLD = {"description": "Concurrency threshold.", "type": "integer", "required": True}
_EXCESS = {
    "description": "Which action to perform on the execution once the concurrency threshold has been reached.",
    "type": "string",
    "default": DELAY,
    "enum": [DELAY, CANCEL],
}
_ATTRIBUTES = {
    "description": "List of attributes by which to limit the concurrency.",
    "type": "array",
    "uniqueItems": True,
    "items": {"type": "string", "minLength": 1},
}
_RETRY: dict[str, Any] = {
    "retry_on": {
        "type": "string",
        "description": "Condition to retry on.",
        "required": True,
        "enum": [ON_FAILURE, ON_TIMEOUT],
    },
    "max_retry_count": {
        "type": "integer",
        "description": "Maximum number of times to retry before giving up.",
        "required": True,
        "minimum": 1,
        "maximum": 5,
        "default": 2,
    },
    "delay": {
        "type": "number",
        "description": "Number of seconds to wait before retrying the execution.",
        "required": False,
        "minimum": 0,
        "maximum": 120,
    },
}


def _type(name: str, description: str, module: str, parameters: Document) -> Document:
    ref = f"action.{name}"
    return {
        "name": name,
        "description": description,
        "uid": f"policy_type:action:{name}",
        "ref": ref,
        "resource_type": "action",
        "enabled": True,
        "module": module,
        "parameters": parameters,
        # Always the same, on every host: clients keep ids.
        "id": hashlib.sha256(ref.encode()).hexdigest()[:24],
    }


#: In the form that clients see, ordered by reference.
TYPES = (
    _type(
        "concurrency",
        "Limits the concurrent executions for the action.",
        "st2common.services.admission",
        {"threshold": _THRESHOLD, "action": _EXCESS},
    ),
    _type(
        "concurrency.attr",
        "Limits the concurrent executions for the action by attribute(s).",
        "st2common.services.admission",
        {"threshold": _THRESHOLD, "action": _EXCESS, "attributes": _ATTRIBUTES},
    ),
    _type("retry", "Retry (re-run) failed or timed out action.", "st2common.services.retries", _RETRY),
)


def get(ref_or_id: str) -> Document | None:
    return next((known for known in TYPES if ref_or_id in (known["ref"], known["id"])), None)
