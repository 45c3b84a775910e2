"""The environment of an action's process."""

from __future__ import annotations

import json
from typing import Any

from st2actionrunner.launch import RunRequest


def user_variables(run: RunRequest) -> dict[str, str]:
    """The ``env`` parameter as text."""
    return {str(name): _text(value) for name, value in (run.runner_parameters.get("env") or {}).items()}


def platform_variables(run: RunRequest) -> dict[str, str]:
    """What every action is told about itself. These win over the user's."""
    variables = {
        "ST2_ACTION_PACK_NAME": str(run.action["pack"]),
        "ST2_ACTION_EXECUTION_ID": run.execution_id,
        "ST2_ACTION_API_URL": run.api_url,
        "ST2_ACTION_DEBUG": str(bool(run.runner_parameters.get("debug"))),
    }
    if run.auth_token:
        variables["ST2_ACTION_AUTH_TOKEN"] = run.auth_token
    return variables


def _text(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
