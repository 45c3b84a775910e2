"""What the expressions in a text use, found out without evaluating them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import nodes

from st2common.errors import ValidationError
from st2common.expressions import templates, yaql_language
from st2common.workflows.expressions import Language, language_of, yaql_parts

#: Functions whose first argument is the name of a task.
_ABOUT_TASKS = frozenset({"task", "task_status", "result", "succeeded", "failed", "completed"})


@dataclass(frozen=True)
class Use:
    """One thing that an expression uses."""

    kind: Literal["variable", "task", "unknown"]
    name: str
    #: The expression it stands in, without its marks.
    expression: str
    language: Literal["yaql", "jinja"]


def uses(text: str, language: Language) -> Iterator[Use]:
    """Variables and tasks by their names, and what no function or filter has the name of.

    Raises:
        ValidationError: the syntax is wrong, or two languages are mixed.
    """
    kind = language_of(text)
    if kind == "yaql":
        for part in yaql_parts(text):
            yield from _in_yaql(part, language)
    elif kind == "jinja":
        yield from _in_jinja(text, language)


def _in_yaql(text: str, language: Language) -> Iterator[Use]:
    for call in yaql_language.calls_in(text):
        first = call.constants[0] if call.constants else None
        if call.name == "ctx" and isinstance(first, str):
            yield Use("variable", first, text, "yaql")
        elif call.name == "#operator_." and call.of == "ctx" and isinstance(call.constants[1], str):
            yield Use("variable", call.constants[1], text, "yaql")
        elif call.name in _ABOUT_TASKS and isinstance(first, str):
            yield Use("task", first, text, "yaql")
        elif not call.name.startswith(("#", "*")) and not yaql_language.knows(language.yaql, call.name):
            yield Use("unknown", call.name, text, "yaql")


def _in_jinja(text: str, language: Language) -> Iterator[Use]:
    tree = templates.parse_strictly(text)
    shown = text.strip()
    names = list(tree.find_all(nodes.Name))
    # Those that a loop or an assignment in the template sets.
    own = {name.name for name in names if name.ctx != "load"} | ({"loop"} if tree.find(nodes.For) else set())
    for unknown in sorted({name.name for name in names} - own - language.names):
        yield Use("unknown", unknown, shown, "jinja")
    for use in tree.find_all(nodes.Filter):
        if not templates.is_filter(use.name):
            yield Use("unknown", use.name, shown, "jinja")
    for call in tree.find_all(nodes.Call):
        function, first = _name_of(call), _constant(call.args[0]) if call.args else None
        if function == "ctx" and isinstance(first, str):
            yield Use("variable", first, shown, "jinja")
        elif function in _ABOUT_TASKS and isinstance(first, str):
            yield Use("task", first, shown, "jinja")
    parts = [(node.node, node.attr) for node in tree.find_all(nodes.Getattr)]
    parts += [(node.node, _constant(node.arg)) for node in tree.find_all(nodes.Getitem)]
    for of, part in parts:
        of_variables = isinstance(of, nodes.Call) and _name_of(of) == "ctx" and not of.args
        # Objects have methods too.
        if of_variables and isinstance(part, str) and not hasattr(dict, part):
            yield Use("variable", part, shown, "jinja")


def _name_of(call: nodes.Call) -> str | None:
    return call.node.name if isinstance(call.node, nodes.Name) else None


def _constant(node: nodes.Node) -> Any:
    return node.value if isinstance(node, nodes.Const) else None


def language_in(text: str) -> Literal["yaql", "jinja"] | None:
    """As :func:`language_of`, for a text that may mix them."""
    try:
        return language_of(text)
    except ValidationError:
        return None
