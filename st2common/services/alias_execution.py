"""Running what people say: the action of the alias that a command has, with the parameters in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo.database import Database

from st2common.datastore.lookup import KeyAccess
from st2common.errors import NotFound, ValidationError
from st2common.models import action_aliases, actions
from st2common.models.connection import Document
from st2common.models.execution_view import to_api
from st2common.services import alias_texts
from st2common.services.alias_matching import Format, every_parameters_in, formats_of, matches, parameters_in
from st2common.services.executions import request_execution
from st2common.transport.port import Transport


@dataclass(frozen=True)
class Conversation:
    """Who said it, and where answers go."""

    #: Who the platform runs it for.
    user: str
    #: What the chat calls the one who said it.
    speaker: str
    source_channel: str
    source_context: Any = None
    #: Where the result is to be told, and by whom.
    notification_channel: str | None = None
    notification_route: str | None = None
    #: More of the context of what is run.
    context: Mapping[str, Any] = field(default_factory=dict)


def match_command(command: str) -> tuple[Document, Format]:
    """The one alias, and its format, that a command has.

    Raises:
        ValidationError: there is none, or there are several.
    """
    found = matches(command, action_aliases.find({})[0])
    if not found:
        raise ValidationError(f"Command '{command[:200]}' matched no patterns")
    if len(found) > 1:
        names = ", ".join(f'{alias["ref"]} ("{form.representation}")' for alias, form in found[:10])
        raise ValidationError(f"Command '{command[:200]}' matched more than 1 pattern: {names}")
    alias, form = found[0]
    return dict(alias), form


def named_format(name: str, representation: str) -> tuple[Document, Format]:
    """The alias of this name or reference, and the one of its formats that a client has found.

    Raises:
        NotFound: there is no such alias.
        ValidationError: it is disabled or has no such format.
    """
    known = action_aliases.get(name) if "." in name else None
    candidates = [known] if known else action_aliases.named(name)
    if not candidates:
        raise NotFound(f'Unable to identify action alias with name "{name}".')
    for alias in candidates:
        for form in formats_of(alias):
            if form.representation == representation:
                if not alias["enabled"]:
                    raise ValidationError(f'Action alias with name "{alias["ref"]}" is disabled.')
                return alias, form
    raise ValidationError(f'Action alias "{name}" has no format "{representation[:200]}"')


class AliasExecutor:
    def __init__(
        self, database: Database[Document], transport: Transport, *, keys: KeyAccess, web_base_url: str | None
    ) -> None:
        self._database = database
        self._transport = transport
        self._keys = keys
        self._web_base_url = web_base_url

    def execute(self, alias: Document, form: Format, command: str, said: Conversation) -> list[Document]:
        """Request what a command stands for: {execution, actionalias, message?, extra?} of each execution.

        Raises:
            ValidationError: the command does not have this format, or the action does not take its parameters.
            AccessDenied: ``said.user`` may not run the action.
        """
        if form.multiple:
            found = every_parameters_in(command, form.representation)
        else:
            single = parameters_in(command, form.representation)
            found = [] if single is None else [single]
        if not found:
            raise ValidationError(f'Command "{command[:200]}" does not match format string "{form.representation}"')
        wanted = [_parameters(alias, texts) for texts in found]
        return [self._request(alias, parameters, said) for parameters in wanted]

    def _request(self, alias: Document, parameters: Mapping[str, Any], said: Conversation) -> Document:
        stored = request_execution(
            self._database,
            self._transport,
            action_ref=alias["action_ref"],
            parameters=parameters,
            user=said.user,
            context={
                **said.context,
                "action_alias_ref": {"id": alias["id"], "name": alias["name"]},
                "api_user": said.user,
                "source_channel": said.source_channel,
            },
            notify=_notify(said),
            keys=self._keys,
            web_base_url=self._web_base_url,
        )
        execution = to_api(stored, web_base_url=self._web_base_url)
        return {"execution": execution, "actionalias": alias, **alias_texts.acknowledgement(alias, execution)}


def _parameters(alias: Document, texts: Mapping[str, str]) -> Document:
    """The texts of a command with what the alias itself says; a comma list for what is to be an array."""
    fixed = alias["immutable_parameters"]
    overridden = sorted(fixed.keys() & texts.keys())
    if overridden:
        raise ValidationError(f"Override of immutable parameter(s) {overridden} is unsupported.")
    action = actions.get(alias["action_ref"])
    schemas = action["parameters"] if action else {}
    return {**{name: _value(text, schemas.get(name) or {}) for name, text in texts.items()}, **fixed}


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    if schema.get("type") != "array" or text.startswith("["):
        return text
    return [item.strip() for item in text.split(",") if item.strip()]


def _notify(said: Conversation) -> Document:
    """Whoever handles the route tells the result."""
    route = said.notification_route or said.notification_channel
    if not route:
        return {}
    data = {"user": said.speaker, "source_channel": said.source_channel, "source_context": said.source_context}
    return {"on-complete": {"routes": [route], "data": data}}
