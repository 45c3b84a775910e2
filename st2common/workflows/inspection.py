"""Looking at the text of a definition: all that is wrong with it, with lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import yaml

from st2common.content.errors import ContentError
from st2common.content.loader import read_text
from st2common.workflows.languages import LANGUAGES, Spec
from st2common.workflows.problems import Place, Problem

#: Finds what is wrong with a workflow's use of actions.
Check = Callable[[Spec], Iterable[Problem]]


def inspect_text(text: str, check: Check = lambda spec: ()) -> list[Problem]:
    """Everything that is wrong with a workflow, in the order of the lines; a file with a ``chain`` is an action chain.
    ``check`` is asked when the rest is right."""
    try:
        definition, node = read_text(text, "the workflow")
    except ContentError as error:
        return [Problem("syntax", str(error))]
    is_chain = isinstance(definition, dict) and "chain" in definition
    spec, problems = LANGUAGES["action-chain" if is_chain else "orquesta"](definition)
    if spec is not None:
        problems = list(check(spec))
    placed = [replace(problem, line=line_of(node, problem.place)) for problem in problems]
    return sorted(placed, key=lambda problem: problem.line or 0)


def line_of(node: yaml.Node | None, place: Place) -> int | None:
    """The line, from 1, of the innermost part of ``place`` that there is."""
    if node is None:
        return None
    line: int = node.start_mark.line + 1
    for step in place:
        key, value = _part(node, step)
        if value is None:
            break
        line, node = (key or value).start_mark.line + 1, value
    return line


def _part(node: Any, step: str | int) -> tuple[Any, Any]:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None, None
