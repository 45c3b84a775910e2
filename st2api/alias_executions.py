"""Running what people say."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from st2api.context import api
from st2common.datastore.lookup import KeyAccess
from st2common.http import body
from st2common.http.authorization import checks_objects, require_execute
from st2common.http.responses import answer
from st2common.services.alias_execution import AliasExecutor, Conversation, match_command, named_format

_TEXT_OR_NULL = {"type": ["string", "null"]}
_COMMON: dict[str, Any] = {
    "command": {"type": "string"},
    "user": _TEXT_OR_NULL,
    "source_channel": {"type": "string"},
    "source_context": {},
    "notification_channel": _TEXT_OR_NULL,
    "notification_route": _TEXT_OR_NULL,
}

EXECUTE: dict[str, Any] = {
    "type": "object",
    "required": ["name", "format", "command", "source_channel"],
    "properties": {"name": {"type": "string"}, "format": {"type": "string"}, **_COMMON},
}
MATCH_AND_EXECUTE: dict[str, Any] = {
    "type": "object",
    "required": ["command", "user", "source_channel"],
    "properties": _COMMON,
}

routes = Blueprint("alias_executions", __name__, url_prefix="/aliasexecution")


@routes.post("")
@checks_objects
def execute() -> Response:
    wanted = body.checked(EXECUTE)
    alias, form = named_format(wanted["name"], wanted["format"])
    require_execute(alias["action_ref"])
    return answer(_executor().execute(alias, form, wanted["command"], _conversation(wanted))[0], 201)


@routes.post("/match_and_execute")
@checks_objects
def match_and_execute() -> Response:
    wanted = body.checked(MATCH_AND_EXECUTE)
    alias, form = match_command(wanted["command"])
    require_execute(alias["action_ref"])
    return answer({"results": _executor().execute(alias, form, wanted["command"], _conversation(wanted))}, 201)


def _conversation(wanted: dict[str, Any]) -> Conversation:
    return Conversation(
        # The speaker is a name of the chat's, which says nothing about who asks.
        user=api().user,
        speaker=wanted.get("user") or api().user,
        source_channel=wanted["source_channel"],
        source_context=wanted.get("source_context"),
        notification_channel=wanted.get("notification_channel"),
        notification_route=wanted.get("notification_route"),
        context=api().told_context(),
    )


def _executor() -> AliasExecutor:
    return AliasExecutor(
        api().database,
        api().transport,
        keys=KeyAccess.of_config(api().config),
        web_base_url=api().config.webui.webui_base_url,
    )
