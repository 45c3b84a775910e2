"""What the actions of the pack ``chatops`` share: commands, their executions, and what is said about those."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from st2common.models.statuses import COMPLETED
from st2common.runners.action_service import ApiError, request
from st2common.services import alias_texts

# Seconds between two looks at an execution.
_INTERVAL = 1.0

# Characters of a part of a result that a chat is told.
_LONGEST = 4000

# Between them: what a chat shows apart from the sentence before it.
_MARK = "{~}"


def execution_of(execution_id: str) -> dict[str, Any]:
    found: dict[str, Any] = request("GET", f"/executions/{quote(execution_id, safe='')}")
    return found


def match(text: str) -> dict[str, Any]:
    """{actionalias, display, representation} of the one alias that a command has."""
    found: dict[str, Any] = request("POST", "/actionalias/match", body={"command": text})
    return found


def execute(text: str, channel: str, user: str | None) -> str:
    """Run what a command stands for, and wait for its end: the id of the execution."""
    found = match(text)
    said = {"command": text, "user": user, "source_channel": channel}
    named = {"name": found["actionalias"]["ref"], "format": found["representation"]}
    started: dict[str, Any] = request("POST", "/aliasexecution", body={**named, **said})["execution"]
    while execution_of(started["id"])["status"] not in COMPLETED:
        time.sleep(_INTERVAL)
    return str(started["id"])


def told(execution_id: str) -> dict[str, Any]:
    """{enabled, message, extra?}: what is said about an execution. Not ``enabled``: its alias wants nothing said."""
    execution = execution_of(execution_id)
    alias = _alias(execution)
    if not (alias.get("result") or {}).get("enabled", True):
        return {"enabled": False, "message": ""}
    return {"enabled": True, "message": _in_general(execution), **alias_texts.result(alias, execution)}


def post(message: Mapping[str, Any], channel: str, user: str | None, whisper: bool, context: Any = None) -> str:
    """Have ``chatops.post_message`` say what :func:`told` has made; the id of that execution."""
    given = {"message": message["message"], "extra": message.get("extra"), "context": context}
    parameters = {**given, "channel": channel, "user": user, "whisper": whisper}
    known = {name: value for name, value in parameters.items() if value is not None}
    return str(request("POST", "/executions", body={"action": "chatops.post_message", "parameters": known})["id"])


def _alias(execution: Mapping[str, Any]) -> dict[str, Any]:
    """Empty for an execution that was not started by one, or by one that is gone."""
    started_by = execution["context"].get("action_alias_ref")
    if not started_by:
        return {}
    try:
        alias: dict[str, Any] = request("GET", f"/actionalias/{quote(started_by['id'], safe='')}")
    except ApiError as error:
        if error.status == 404:
            return {}
        raise
    return alias


def _in_general(execution: Mapping[str, Any]) -> str:
    """For executions without words of their own."""
    begin = f"*{execution['action']['ref']}* {execution['status']}"
    if seconds := execution.get("elapsed_seconds"):
        begin += f" after {seconds:.1f} s"
    begin += f" (execution {execution['id']})."
    shown = "\n".join(_shown(execution.get("result")))
    return f"{begin}{_MARK}\n{shown}" if shown else begin


def _shown(result: Any) -> list[str]:
    """The parts of a result: what programs have printed as it is, the rest as JSON."""
    if not isinstance(result, Mapping) or not result:
        return []
    if all(isinstance(value, Mapping) and "return_code" in value for value in result.values()):
        # Of several hosts.
        return [f"{host}:\n" + "\n".join(_shown(part)) for host, part in result.items()]
    named = [name for name in ("error", "message", "result", "output", "body", "stdout", "stderr") if result.get(name)]
    if not named:
        return [] if "return_code" in result else [_text(result)]
    return [_text(result[named[0]])] if len(named) == 1 else [f"{name}: {_text(result[name])}" for name in named]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
