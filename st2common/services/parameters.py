"""Parameters of an action: the schemas of action and runner merged, templates rendered, values cast and validated.

On request: :func:`live_parameters` gives what is stored (what the caller gave, rendered and cast, and the rendered
defaults that are templates), :func:`validate` says whether the action takes it. At start :func:`split_for_run` fills
in the defaults. What was stored is never rendered again.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from jsonschema.exceptions import ValidationError as SchemaError
from jsonschema.exceptions import best_match

from st2common.errors import ValidationError
from st2common.expressions import templates
from st2common.expressions.templates import TemplateError
from st2common.models.connection import Document
from st2common.models.secrets import MASK
from st2common.services.casts import cast
from st2common.services.draft4 import Validator, to_draft4

# What an action may say anew about a parameter of its runner.
OVERRIDABLE = frozenset({"default", "description", "enum", "immutable", "required"})

# A database takes documents of at most 100 levels; the execution around the parameters uses some of them.
MAX_NESTING = 80


@dataclass(frozen=True)
class Scope:
    """What templates see beside the other parameters."""

    #: The context of the execution: ``action_context.user`` ...
    context: Mapping[str, Any]
    #: The configuration of the action's pack: ``config_context.url`` ...
    config: Mapping[str, Any]
    #: The datastore: ``st2kv.system.x``, ``st2kv.user.x``.
    st2kv: Any
    #: More names: ``trigger``, where a rule runs the action.
    more: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> dict[str, Any]:
        return {**self.more, "action_context": self.context, "config_context": self.config, "st2kv": self.st2kv}


@dataclass(frozen=True)
class ParameterSchema:
    """The parameters of an action with those of its runner, compiled once."""

    parameters: Mapping[str, Document]
    runner_names: tuple[str, ...]
    action_names: tuple[str, ...]
    validator: Any
    immutable: frozenset[str]
    #: {name: default} of the defaults that are templates.
    templated_defaults: Mapping[str, Any]

    def default(self, name: str) -> Any:
        return self.parameters.get(name, {}).get("default")


class EmptyDatastore:
    """A datastore without keys: each renders as the empty text, as a missing key does."""

    def __getattr__(self, name: str) -> EmptyDatastore:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __getitem__(self, name: str) -> EmptyDatastore:
        return self

    def __str__(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return False


def merged_parameters(action: Mapping[str, Any], runner_type: Mapping[str, Any]) -> dict[str, Document]:
    """{name: schema} of the runner's parameters with what the action says anew, and the action's own."""
    merged: dict[str, Document] = {
        name: dict(schema) for name, schema in (runner_type.get("runner_parameters") or {}).items()
    }
    for name, schema in (action.get("parameters") or {}).items():
        inherited = merged.get(name)
        if inherited is None:
            merged[name] = dict(schema)
        else:
            inherited.update({key: value for key, value in schema.items() if _may_say(inherited, key)})
    return merged


def _may_say(inherited: Mapping[str, Any], key: str) -> bool:
    return key in OVERRIDABLE or key not in inherited


def schema_of(action: Mapping[str, Any], runner_type: Mapping[str, Any]) -> ParameterSchema:
    """The compiled schema. Looked up by content, because each request reads the action anew."""
    own = action.get("parameters") or {}
    return _compile(json.dumps([own, runner_type.get("runner_parameters") or {}]))


@functools.lru_cache(maxsize=1024)
def _compile(schemas: str) -> ParameterSchema:
    own, runner = json.loads(schemas)
    merged = merged_parameters({"parameters": own}, {"runner_parameters": runner})
    draft4 = to_draft4({"type": "object", "properties": merged, "additionalProperties": False})
    defaults = {name: schema["default"] for name, schema in merged.items() if schema.get("default") is not None}
    return ParameterSchema(
        parameters=merged,
        runner_names=tuple(runner),
        action_names=tuple(name for name in own if name not in runner),
        validator=Validator(draft4),
        immutable=frozenset(name for name, schema in merged.items() if schema.get("immutable")),
        templated_defaults={name: default for name, default in defaults.items() if templates.is_template(default)},
    )


def live_parameters(
    action: Mapping[str, Any],
    runner_type: Mapping[str, Any],
    given: Mapping[str, Any],
    context: Mapping[str, Any],
    *,
    kept: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    st2kv: Any = None,
    names: Mapping[str, Any] | None = None,
) -> Document:
    """What an execution stores as its parameters: ``given`` rendered and cast, null left out.

    ``kept`` are values of an earlier execution: ``given`` wins over them, and they are not rendered again.
    ``names`` are more names for templates.

    Raises:
        TemplateError: a template cannot be rendered.
        ValidationError: a value cannot be cast to the type of its parameter, or is nested too deep.
    """
    schema = schema_of(action, runner_type)
    given = {name: value for name, value in given.items() if value is not None}
    kept = {name: value for name, value in (kept or {}).items() if value is not None and name not in given}
    _check_nesting({**kept, **given})
    scope = Scope(
        context, {} if config is None else config, st2kv if st2kv is not None else EmptyDatastore(), names or {}
    )
    return _without_nulls(_rendered(schema, given, kept, scope))


def validate(
    action: Mapping[str, Any], runner_type: Mapping[str, Any], live: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Whether the action takes these ``live`` parameters, made from what the caller has ``given``.

    Raises:
        ValidationError: the first thing that is wrong, in the words of JSON schema.
    """
    schema = schema_of(action, runner_type)
    errors = list(schema.validator.iter_errors(live))
    if errors:
        raise ValidationError(_message(best_match(iter(errors)), schema))
    overridden = [name for name, value in given.items() if value is not None and name in schema.immutable]
    if overridden:
        raise ValidationError(f"Override of immutable parameter(s) {overridden} is unsupported.")


def check_value(action: Mapping[str, Any], runner_type: Mapping[str, Any], name: str, value: Any) -> None:
    """Whether the action takes this value, that is no template, for a parameter that it has.

    Raises:
        ValidationError: it does not, in the words of JSON schema.
    """
    schema = schema_of(action, runner_type)
    if value is None:
        return
    live = {name: _cast(name, value, schema)}
    errors = [error for error in schema.validator.iter_errors(live) if error.absolute_path]
    if errors:
        raise ValidationError(_message(best_match(iter(errors)), schema))
    if name in schema.immutable:
        raise ValidationError(f"Override of immutable parameter(s) {[name]} is unsupported.")


def split_for_run(
    action: Mapping[str, Any],
    runner_type: Mapping[str, Any],
    parameters: Mapping[str, Any],
    context: Mapping[str, Any],
    *,
    config: Mapping[str, Any] | None = None,
    st2kv: Any = None,
) -> tuple[Document, Document]:
    """Parameters for the runner and for the action itself, complete: each has its value, its default, or None.

    ``parameters`` are the stored ones. A parameter that the action restates from its runner goes to the runner.

    Raises:
        TemplateError, ValidationError: a default cannot be rendered or cast.
    """
    schema = schema_of(action, runner_type)
    scope = Scope(context, {} if config is None else config, st2kv if st2kv is not None else EmptyDatastore())
    kept = {name: value for name, value in parameters.items() if value is not None}
    values = _rendered(schema, {}, kept, scope)
    for name in schema.parameters:
        if name not in values:
            values[name] = _cast(name, schema.default(name), schema)
    return {name: values[name] for name in schema.runner_names}, {name: values[name] for name in schema.action_names}


def _rendered(
    schema: ParameterSchema, given: Mapping[str, Any], kept: Mapping[str, Any], scope: Scope
) -> dict[str, Any]:
    """``kept``, ``given`` and the templated defaults of what is in neither: rendered where needed, and cast."""
    values = {name: _cast(name, value, schema) for name, value in kept.items()}
    waiting = {
        name: value for name, value in schema.templated_defaults.items() if name not in given and name not in kept
    }
    for name, value in given.items():
        if templates.is_template(value):
            waiting[name] = value
        else:
            values[name] = _cast(name, value, schema)
    if not waiting:
        return values
    known = {
        **dict.fromkeys(schema.parameters),
        **_static_defaults(schema, waiting),
        **values,
        **scope.names(),
    }
    for name in _in_order(waiting):
        with _told(name):
            rendered = templates.render(waiting[name], known)
        values[name] = known[name] = _cast(name, rendered, schema)
    return values


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Tells in a template's error which parameter it is about."""
    try:
        yield
    except TemplateError as error:
        raise TemplateError(f'Failed to render parameter "{name}": {error}') from error


def _static_defaults(schema: ParameterSchema, waiting: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {name: schema.default(name) for name in schema.parameters if name not in waiting}
    return {name: _cast(name, value, schema) for name, value in defaults.items() if value is not None}


def _in_order(waiting: Mapping[str, Any]) -> list[str]:
    """Names of the templates, each after those that it uses."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, value in waiting.items():
        with _told(name):
            sorter.add(name, *(templates.names_in(value) & waiting.keys()))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        cycle = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Cyclic dependency found in the following variables: {cycle}") from error


def _check_nesting(value: Mapping[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, Mapping) else item)
            if isinstance(inner, Mapping | list)
        ]
        if not level:
            return
    raise ValidationError(f"Parameters are nested more than {MAX_NESTING} levels deep.")


def _without_nulls(values: Mapping[str, Any]) -> Document:
    return {name: value for name, value in values.items() if value is not None}


def _cast(name: str, value: Any, schema: ParameterSchema) -> Any:
    known = schema.parameters.get(name, {})
    if value is None or not isinstance(known.get("type"), str):
        return value
    try:
        return cast(value, known["type"])
    except (ValueError, TypeError, OverflowError) as error:
        # In the words that clients of the family know.
        hidden = f'The value of parameter "{name}" is no {known["type"]}'
        raise ValidationError(hidden if known.get("secret") else str(error)) from None


def _message(error: SchemaError, schema: ParameterSchema) -> str:
    """The message of a schema error. It quotes the value, which is hidden where it may be secret."""
    name = str(error.absolute_path[0]) if error.absolute_path else ""
    if '"secret": true' in json.dumps(schema.parameters.get(name)):
        return f'{MASK} is not a valid value of parameter "{name}" ({error.validator})'
    return f'{error.message} (parameter "{name}")' if name else error.message
