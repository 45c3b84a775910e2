"""From the definition of a workflow in the Orquesta language to :class:`st2common.workflows.orquesta.spec.Workflow`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft4Validator

from st2common.workflows.orquesta import inline
from st2common.workflows.orquesta.inspection import inspect
from st2common.workflows.orquesta.spec import COMMANDS, Assignments, Items, Retry, Task, Transition, Workflow
from st2common.workflows.problems import Problem, syntax_problems

_TEXT = {"type": "string", "minLength": 1}
_NAME = r"^\w+$"
_ASSIGNMENTS = {
    "type": "array",
    "items": {
        "oneOf": [
            {"type": "string", "pattern": _NAME},
            {"type": "object", "minProperties": 1, "maxProperties": 1},
        ]
    },
}
_ONE_PAIR_EACH = {"type": "array", "items": {"type": "object", "minProperties": 1, "maxProperties": 1}}
_TASK = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "action": _TEXT,
        "input": {"type": ["object", "string"]},
        "delay": {"type": ["number", "string"]},
        "join": {"oneOf": [{"enum": ["all"]}, {"type": "integer", "minimum": 1}]},
        "with": {
            "oneOf": [
                {"type": ["string", "array"], "minLength": 1},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["items"],
                    "properties": {
                        "items": {"type": ["string", "array"], "minLength": 1},
                        "concurrency": {"type": ["integer", "string"], "minimum": 1},
                    },
                },
            ]
        },
        "retry": {
            "type": "object",
            "additionalProperties": False,
            "required": ["count"],
            "properties": {
                "when": _TEXT,
                "count": {"type": ["integer", "string"], "minimum": 0},
                "delay": {"type": ["number", "string"], "minimum": 0},
            },
        },
        "next": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "when": _TEXT,
                    "publish": {"oneOf": [_TEXT, _ONE_PAIR_EACH]},
                    "do": {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]},
                },
            },
        },
    },
}
_WORKFLOW = Draft4Validator({
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "tasks"],
    "properties": {
        "version": {"enum": [1.0, "1.0"]},
        "description": {"type": "string"},
        "tags": {"type": "array"},
        "input": _ASSIGNMENTS,
        "vars": _ASSIGNMENTS,
        "output": _ASSIGNMENTS,
        "output-on-error": _ASSIGNMENTS,
        "tasks": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "patternProperties": {_NAME: _TASK},
        },
    },
})  # fmt: skip


def parse(definition: Any) -> tuple[Workflow | None, list[Problem]]:
    """The workflow, or None and all that is wrong with its definition: its form, or if that is right, the rest."""
    workflow, problems = _read(definition)
    if workflow is not None:
        problems = inspect(definition, workflow)
    return None if problems else workflow, problems


def _read(definition: Any) -> tuple[Workflow | None, list[Problem]]:
    problems = syntax_problems(_WORKFLOW, definition)
    if problems:
        return None, problems
    tasks: dict[str, Task] = {}
    for name, given in definition["tasks"].items():
        try:
            tasks[name] = _task(name, given or {})
        except ValueError as error:
            problems.append(Problem("syntax", str(error), ("tasks", name)))
        if name in COMMANDS:
            problems.append(Problem("semantic", f'The task name "{name}" is reserved', ("tasks", name)))
    if problems:
        return None, problems
    on_error = definition.get("output-on-error")
    return Workflow(
        tasks=tasks,
        inputs=_assignments(definition.get("input") or []),
        vars=_assignments(definition.get("vars") or []),
        output=_assignments(definition.get("output") or []),
        output_on_error=None if on_error is None else _assignments(on_error),
    ), []


def _task(name: str, given: Mapping[str, Any]) -> Task:
    action, inputs = None, given.get("input") or {}
    if given.get("action"):
        action, in_line = inline.action_and_input(given["action"])
        if in_line and not isinstance(inputs, Mapping):
            raise ValueError("The input is given twice: as an expression, and behind the action")
        inputs = {**in_line, **inputs} if in_line else inputs
    retry = given.get("retry")
    return Task(
        name=name,
        action=action,
        input=inputs,
        items=_items(given["with"]) if "with" in given else None,
        join=given.get("join"),
        delay=given.get("delay"),
        retry=Retry(retry["count"], retry.get("delay"), retry.get("when")) if retry else None,
        next=tuple(_transition(transition) for transition in given.get("next") or []),
    )


def _items(given: Any) -> Items:
    source = given["items"] if isinstance(given, Mapping) else given
    concurrency = given.get("concurrency") if isinstance(given, Mapping) else None
    names: tuple[str, ...] = ()
    if isinstance(source, str):
        names, source = inline.items(source)
    return Items(source, names, concurrency)


def _transition(given: Mapping[str, Any]) -> Transition:
    published, do = given.get("publish") or [], given.get("do") or []
    return Transition(
        when=given.get("when"),
        publish=inline.assignments(published) if isinstance(published, str) else _assignments(published),
        do=(inline.names(do) if isinstance(do, str) else tuple(do)) or ("continue",),
    )


def _assignments(given: list[Any]) -> Assignments:
    """``["a", {"b": 1}]`` -> ``(("a", None), ("b", 1))``."""
    return tuple((item, None) if isinstance(item, str) else next(iter(item.items())) for item in given)
