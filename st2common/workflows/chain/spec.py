"""An action chain, and how its definition is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft4Validator

from st2common.expressions.templates import is_template
from st2common.workflows.problems import Place, Problem, syntax_problems

_TEXT = {"type": "string", "minLength": 1}
_NODE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "ref"],
    "properties": {
        "name": _TEXT,
        "ref": _TEXT,
        "parameters": {"type": ["object", "null"]},
        "params": {"type": ["object", "null"]},
        "on-success": {"type": ["string", "null"]},
        "on-failure": {"type": ["string", "null"]},
        "publish": {"type": ["object", "null"]},
        "notify": {"type": ["object", "null"]},
    },
}
_CHAIN = Draft4Validator({
    "type": "object",
    "additionalProperties": False,
    "required": ["chain"],
    "properties": {
        "chain": {"type": "array", "minItems": 1, "items": _NODE},
        "default": {"type": ["string", "null"]},
        "vars": {"type": ["object", "null"]},
    },
})  # fmt: skip


@dataclass(frozen=True)
class Node:
    name: str
    #: The reference of the action.
    ref: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: Names of nodes, or templates of them.
    on_success: str | None = None
    on_failure: str | None = None
    publish: Mapping[str, Any] = field(default_factory=dict)
    notify: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Chain:
    nodes: Mapping[str, Node]
    #: The name of the first node.
    first: str
    vars: Mapping[str, Any] = field(default_factory=dict)


def parse(definition: Any) -> tuple[Chain | None, list[Problem]]:
    """The chain, or None and everything that is wrong with its definition."""
    problems = syntax_problems(_CHAIN, definition)
    if problems:
        return None, problems
    nodes: dict[str, Node] = {}
    for number, given in enumerate(definition["chain"]):
        place = ("chain", number)
        if given["name"] in nodes:
            problems.append(
                Problem("semantic", f'There are two nodes with the name "{given["name"]}"', (*place, "name"))
            )
        if given.get("params") and given.get("parameters"):
            problems.append(Problem("syntax", "A node has either parameters or params, not both", place))
        nodes[given["name"]] = _node(given)
    problems += _unknown_nodes(definition, nodes)
    if problems:
        return None, problems
    return Chain(nodes, definition.get("default") or _first(nodes), definition.get("vars") or {}), []


def _node(given: Mapping[str, Any]) -> Node:
    return Node(
        name=given["name"],
        ref=given["ref"],
        parameters=given.get("parameters") or given.get("params") or {},
        on_success=given.get("on-success") or None,
        on_failure=given.get("on-failure") or None,
        publish=given.get("publish") or {},
        notify=given.get("notify"),
    )


def _first(nodes: Mapping[str, Node]) -> str:
    """The first node that no other one leads to; in a circle, the first."""
    followers = {name for node in nodes.values() for name in (node.on_success, node.on_failure)}
    return next((name for name in nodes if name not in followers), next(iter(nodes)))


def _unknown_nodes(definition: Mapping[str, Any], nodes: Mapping[str, Node]) -> Iterator[Problem]:
    named: list[tuple[Place, Any]] = [(("default",), definition.get("default"))]
    named += [
        (("chain", number, key), node.get(key))
        for number, node in enumerate(definition["chain"])
        for key in ("on-success", "on-failure")
    ]
    for place, name in named:
        if name and not is_template(name) and name not in nodes:
            yield Problem("semantic", f'There is no node with the name "{name}"', place)
