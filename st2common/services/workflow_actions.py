"""Whether the actions that a workflow names exist and take what it gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from st2common.errors import ValidationError
from st2common.models import actions, runner_types
from st2common.services.parameters import check_value, merged_parameters
from st2common.workflows.chain.spec import Chain
from st2common.workflows.languages import Spec
from st2common.workflows.problems import InvalidWorkflow, Place, Problem

_EXPRESSION_MARKS = ("<%", "{{", "{%")


def check_actions(workflow: Spec) -> None:
    """What has to be right before a workflow begins. A wrong value fails its step, when its turn comes.

    Raises:
        InvalidWorkflow: an Orquesta workflow uses actions that cannot be. In a chain the node that does fails, when its
            turn comes.
    """
    problems = [] if isinstance(workflow, Chain) else list(problems_with_actions(workflow, values=False))
    if problems:
        raise InvalidWorkflow(problems)


def problems_with_actions(spec: Spec, values: bool = True) -> Iterator[Problem]:
    """What is wrong with its use of actions, as far as it can be known; ``values``: those of parameters included."""
    for place, ref, given in _uses(spec):
        if "<%" not in ref and "{{" not in ref:
            yield from _problems(place, ref, given, values)


def _uses(spec: Spec) -> Iterator[tuple[Place, str, Mapping[str, Any] | None]]:
    """(place, reference, parameters) of each step; None: the parameters are an expression."""
    if isinstance(spec, Chain):
        for number, node in enumerate(spec.nodes.values()):
            yield ("chain", number), node.ref, node.parameters
        return
    for task in spec.tasks.values():
        if task.action is not None:
            yield ("tasks", task.name), task.action, task.input if isinstance(task.input, Mapping) else None


def _problems(place: Place, ref: str, given: Mapping[str, Any] | None, values: bool) -> Iterator[Problem]:
    action = actions.recent(ref) if "." in ref else None
    runner_type = runner_types.recent(action["runner_type"]) if action else None
    if action is None or runner_type is None:
        yield Problem("content", f'Action "{ref}" cannot be found.', place)
        return
    if given is None:
        return
    known = merged_parameters(action, runner_type)
    for name, schema in known.items():
        if schema.get("required") and schema.get("default") is None and given.get(name) is None:
            yield Problem("content", f'The action "{ref}" needs the parameter "{name}"', place)
    for name, value in given.items():
        if name not in known:
            yield Problem("content", f'The action "{ref}" has no parameter "{name}"', place)
        elif values and _is_literal(value):
            try:
                check_value(action, runner_type, name, value)
            except ValidationError as error:
                yield Problem("content", f'The action "{ref}" does not take this value of "{name}": {error}', place)


def _is_literal(value: Any) -> bool:
    """Whether there is no expression in a value, at any depth."""
    if isinstance(value, str):
        return not any(mark in value for mark in _EXPRESSION_MARKS)
    if isinstance(value, Mapping):
        return all(map(_is_literal, value)) and all(map(_is_literal, value.values()))
    return not isinstance(value, list) or all(map(_is_literal, value))
