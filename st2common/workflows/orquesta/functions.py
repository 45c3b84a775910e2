"""The functions of expressions in Orquesta workflows, of both languages: ``ctx()``, ``task()``, ``result()`` ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any, Protocol

from st2common.errors import ValidationError
from st2common.expressions import yaql_language
from st2common.expressions.filters import FILTERS
from st2common.models.statuses import COMPLETED, FAILED_STATUSES, Status
from st2common.workflows.expressions import Language

_NOT_GIVEN = object()


class Scope(Protocol):
    """What an expression is evaluated about."""

    def variables(self) -> Mapping[str, Any]:
        """Of the branch."""

    def task(self, name: str | None) -> Mapping[str, Any] | None:
        """A task that has run (None: the current one) with ``task_name``, ``task_id``, ``route``, ``status``,
        ``start_timestamp``, ``end_timestamp``; None when there is no such task."""

    def status(self, name: str | None) -> Status | None:
        """Of such a task."""

    def result(self, name: str | None) -> Any:
        """Of a task that has run."""

    def item(self) -> Any:
        """The current item of a task ``with`` items."""

    def key_value(self, name: str, decrypt: bool) -> str | None:
        """Of the datastore."""


def _variable(scope: Scope, name: str | None = None) -> Any:
    variables = scope.variables()
    if name is None:
        return variables
    if name not in variables:
        raise ValidationError(f'The variable "{name}" is undefined')
    return variables[name]


def _task(scope: Scope, name: str | None = None) -> Any:
    found = scope.task(name)
    if found is None:
        raise ValidationError(f'The task "{name}" has not run' if name else "There is no current task here")
    return {**found, "result": scope.result(name)}


def _status(scope: Scope, name: str | None = None) -> Status | None:
    status = scope.status(name)
    if status is None and name is None:
        raise ValidationError("There is no current task here")
    return status


def _task_status(scope: Scope, name: str | None = None) -> str | None:
    """``unset`` for a task that has not run, as Orquesta calls it."""
    status = _status(scope, name)
    return str(status) if status else "unset"


def _result(scope: Scope, name: str | None = None) -> Any:
    if scope.status(name) is None:
        raise ValidationError(f'The task "{name}" has not run' if name else "There is no current task here")
    return scope.result(name)


def _succeeded(scope: Scope, name: str | None = None) -> bool:
    return _status(scope, name) == Status.SUCCEEDED


def _failed(scope: Scope, name: str | None = None) -> bool:
    return _status(scope, name) in FAILED_STATUSES


def _completed(scope: Scope, name: str | None = None) -> bool:
    return _status(scope, name) in COMPLETED


def _item(scope: Scope, name: str | None = None) -> Any:
    item = scope.item()
    if name is None:
        return item
    if not isinstance(item, Mapping) or name not in item:
        raise ValidationError(f'The item has no part "{name}"')
    return item[name]


def _st2kv(scope: Scope, key: str, decrypt: bool = False, default: Any = _NOT_GIVEN) -> Any:
    value = scope.key_value(key, decrypt)
    if value is not None:
        return value
    if default is _NOT_GIVEN:
        raise ValidationError(f'The key "{key}" does not exist in the datastore')
    return default


def _zip(*lists: Any, pad: Any = None) -> list[list[Any]]:
    """Shorter lists are filled up with ``pad``."""
    return [list(items) for items in zip_longest(*lists, fillvalue=pad)]


_ABOUT_A_NAME: dict[str, Callable[..., Any]] = {
    "ctx": _variable,
    "task": _task,
    "task_status": _task_status,
    "result": _result,
    "succeeded": _succeeded,
    "failed": _failed,
    "completed": _completed,
    "item": _item,
}
#: The filters of templates, as functions; and other names of some.
_OF_VALUES: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FILTERS.items() if name != "decrypt_kv"},
    "json": FILTERS["from_json_string"],
    "json_parse": FILTERS["from_json_string"],
    "json_dump": FILTERS["to_json_string"],
    "yaml_parse": FILTERS["from_yaml_string"],
    "yaml_dump": FILTERS["to_yaml_string"],
    "zip": _zip,
}


def _scoped_in_yaql(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(context: Any, name: Any = None) -> Any:
        return yaql_language.frozen(function(yaql_language.scope_of(context), name))

    return call


def _value_in_yaql(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        given = {name: yaql_language.plain(value) for name, value in kwargs.items()}
        return yaql_language.frozen(function(*map(yaql_language.plain, args), **given))

    return call


def _st2kv_in_yaql(context: Any, key: Any, decrypt: Any = False, default: Any = _NOT_GIVEN) -> Any:
    return yaql_language.frozen(_st2kv(yaql_language.scope_of(context), key, decrypt, default))


def _in_jinja(scope: Scope) -> Mapping[str, Any]:
    def about_it(function: Callable[..., Any]) -> Callable[..., Any]:
        # No partial: a template could look into that.
        return lambda *args, **kwargs: function(scope, *args, **kwargs)

    scoped = {**_ABOUT_A_NAME, "st2kv": _st2kv}
    return _OF_VALUES | {name: about_it(function) for name, function in scoped.items()}


LANGUAGE = Language(
    yaql=yaql_language.with_functions(
        {name: _value_in_yaql(function) for name, function in _OF_VALUES.items()}
        | {name: _scoped_in_yaql(function) for name, function in _ABOUT_A_NAME.items()}
        | {"st2kv": _st2kv_in_yaql}
    ),
    jinja=_in_jinja,
    names=frozenset({*_OF_VALUES, *_ABOUT_A_NAME, "st2kv", "range", "dict", "lipsum", "cycler", "joiner", "namespace"}),
)
