"""An action and its runner as they are stored: the smallest real ones, with a secret and an immutable parameter."""

from __future__ import annotations

from typing import Any

RUNNER: dict[str, Any] = {
    "name": "local-shell-cmd",
    "description": "Runs a command.",
    "uid": "runner_type:local-shell-cmd",
    "enabled": True,
    "runner_package": "local_runner",
    "runner_module": "local_shell_command_runner",
    "runner_parameters": {
        "cmd": {"type": "string"},
        "cwd": {"type": "string"},
        "env": {"type": "object"},
        "kwarg_op": {"type": "string", "default": "--"},
        "sudo": {"type": "boolean", "default": False},
        "sudo_password": {"type": "string", "default": None, "secret": True, "required": False},
        "timeout": {"type": "integer", "default": 60},
    },
    "output_schema": {},
    "id": "6b02ecc570ede5896b85c973",
}

ACTION: dict[str, Any] = {
    "tags": [],
    "uid": "action:core:local",
    "metadata_file": "actions/local.yaml",
    "name": "local",
    "ref": "core.local",
    "description": "Runs a command.",
    "enabled": True,
    "entry_point": "",
    "pack": "core",
    "runner_type": "local-shell-cmd",
    "parameters": {"cmd": {"type": "string", "required": True}, "sudo": {"immutable": True}},
    "output_schema": {},
    "notify": {},
    "id": "6b02ecc770ede5896b85ca22",
}


def action_with(parameters: dict[str, Any]) -> dict[str, Any]:
    """The action with these parameters in place of its own."""
    return {**ACTION, "parameters": parameters}
