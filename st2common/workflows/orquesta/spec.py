"""A workflow in the Orquesta language, as it is after its definition was found right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from st2common.workflows.orquesta.graph import Graph

#: Words under ``do`` that are no tasks.
COMMANDS = frozenset({"continue", "fail", "noop", "retry"})

Assignments = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Retry:
    #: Seconds and numbers may be expressions.
    count: Any
    delay: Any = None
    #: None: when the task ended failed, timeout or abandoned.
    when: str | None = None


@dataclass(frozen=True)
class Items:
    """``with``: the action is run for each item."""

    source: Any
    #: Names of the parts of an item; none: the item is a whole.
    names: tuple[str, ...] = ()
    concurrency: Any = None


@dataclass(frozen=True)
class Transition:
    """One entry of ``next``."""

    when: str | None = None
    publish: Assignments = ()
    do: tuple[str, ...] = ("continue",)


@dataclass(frozen=True)
class Task:
    name: str
    action: str | None = None
    input: Any = field(default_factory=dict)
    items: Items | None = None
    join: int | Literal["all"] | None = None
    delay: Any = None
    retry: Retry | None = None
    next: tuple[Transition, ...] = ()

    def following(self) -> tuple[str, ...]:
        """The tasks that transitions point to, each once."""
        names = (name for transition in self.next for name in transition.do if name not in COMMANDS)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Workflow:
    tasks: Mapping[str, Task]
    #: In the order of the definition; the value is the default.
    inputs: Assignments = ()
    vars: Assignments = ()
    output: Assignments = ()
    #: None: a workflow that fails has the output of one that succeeds.
    output_on_error: Assignments | None = None

    @cached_property
    def graph(self) -> Graph:
        return Graph(self.tasks)
