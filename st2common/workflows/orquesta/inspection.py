"""What is wrong with a workflow although its form is right: its graph, and what its expressions use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from st2common.errors import ValidationError
from st2common.workflows.expression_facts import Use, language_in, uses
from st2common.workflows.orquesta.functions import LANGUAGE
from st2common.workflows.orquesta.graph import Graph
from st2common.workflows.orquesta.spec import COMMANDS, Assignments, Task, Workflow
from st2common.workflows.problems import Kind, Place, Problem

#: Variables that every workflow has.
_GIVEN = frozenset({"st2", "parent"})


def inspect(definition: Mapping[str, Any], workflow: Workflow) -> list[Problem]:
    """Everything that can be found without the platform: what the actions are is not looked at."""
    graph = workflow.graph
    return [
        *_graph_problems(workflow, graph),
        *(problem for text in _texts(definition, workflow, graph) for problem in _text_problems(text, workflow)),
    ]


def _graph_problems(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    for name, task in workflow.tasks.items():
        for number, transition in enumerate(task.next):
            for following in transition.do:
                if following not in workflow.tasks and following not in COMMANDS:
                    place = ("tasks", name, "next", number, "do")
                    yield _semantic(f'There is no task with the name "{following}"', place)
        if task.items is not None and task.action is None:
            yield _semantic("A task with items needs an action", ("tasks", name, "with"))
        if task.join is not None and (reason := _never_met(workflow, graph, task)):
            yield _semantic(reason, ("tasks", name, "join"))
    if not graph.starts:
        yield _semantic("No task can be the first: to each of them leads another one", ("tasks",))
        return
    reached = graph.reachable(graph.starts)
    for name in workflow.tasks:
        if name not in reached:
            yield _semantic("No way leads here from a task that can be the first", ("tasks", name))


def _never_met(workflow: Workflow, graph: Graph, task: Task) -> str | None:
    """Why a join waits for ever; None: it need not."""
    sources = graph.sources[task.name]
    needed = task.join if isinstance(task.join, int) else len(sources)
    if not sources:
        return "The join waits for nothing: no task leads here"
    if needed > len(sources):
        return f"The join waits for {needed} tasks, and {len(sources)} lead here"
    before = graph.reachable([start for start in graph.starts if start != task.name], without=task.name)
    if sum(source in before for source in sources) < needed:
        after = ", ".join(source for source in sources if source not in before)
        return f"The join can never be met: {after} cannot come before it"
    apart = {frozenset(graph.splits_before(source)) for source in sources}
    if task.join == "all" and len(apart) > 1:
        splits = ", ".join(sorted(frozenset.union(*apart) - frozenset.intersection(*apart)))
        return f"The join can never be met: what follows {splits} runs once for each branch that leads there"
    return None


@dataclass(frozen=True)
class _Text:
    """A text with its place and the variables that may be set there."""

    steps: Place
    value: str
    variables: frozenset[str]


def _text_problems(text: _Text, workflow: Workflow) -> Iterator[Problem]:
    try:
        for use in uses(text.value, LANGUAGE):
            if wrong := _wrong_use(use, text, workflow):
                kind, message = wrong
                schema_path = _schema_path(text.steps)
                yield Problem(kind, message, text.steps, schema_path, use.expression, use.language)
    except ValidationError as error:
        yield Problem(
            kind="expression",
            message=str(error),
            place=text.steps,
            schema_path=_schema_path(text.steps),
            expression=text.value,
            language=language_in(text.value),
        )


def _wrong_use(use: Use, text: _Text, workflow: Workflow) -> tuple[Kind, str] | None:
    if use.kind == "variable" and use.name.startswith("__"):
        return "context", f'The variable "{use.name}" is private'
    if use.kind == "variable" and use.name not in text.variables:
        return "context", f'The variable "{use.name}" is used before anything sets it'
    if use.kind == "task" and use.name not in workflow.tasks:
        return "semantic", f'There is no task with the name "{use.name}"'
    if use.kind == "unknown":
        return "expression", f'There is no function, filter or variable "{use.name}"'
    return None


def _texts(definition: Mapping[str, Any], workflow: Workflow, graph: Graph) -> Iterator[_Text]:
    known = set(_GIVEN)
    for section in ("input", "vars"):
        for number, given in enumerate(definition.get(section) or []):
            yield from _walk((section, number), given, known)
            known |= {given} if isinstance(given, str) else set(given)
    before = _variables_before(workflow, graph, frozenset(known))
    everything = set(known).union(*before.values())
    for name, task in workflow.tasks.items():
        yield from _task_texts(name, definition["tasks"][name] or {}, task, before[name])
        everything |= _published(task)
    for section in ("output", "output-on-error"):
        known = set(everything)
        for number, given in enumerate(definition.get(section) or []):
            yield from _walk((section, number), given, known)
            known |= {given} if isinstance(given, str) else set(given)


def _task_texts(name: str, given: Mapping[str, Any], task: Task, known: frozenset[str]) -> Iterator[_Text]:
    place: Place = ("tasks", name)
    yield from _walk((*place, "action"), task.action, known)
    for key, value in task.input.items() if isinstance(task.input, Mapping) else ():
        written = isinstance(given.get("input"), Mapping) and key in given["input"]
        yield from _walk((*place, "input", key) if written else (*place, "action"), value, known)
    if isinstance(task.input, str):
        yield from _walk((*place, "input"), task.input, known)
    for key in ("delay", "with", "retry"):
        yield from _walk((*place, key), given.get(key), known)
    for number, transition in enumerate(given.get("next") or []):
        steps = (*place, "next", number)
        yield from _walk((*steps, "when"), transition.get("when"), known)
        published = transition.get("publish")
        if isinstance(published, str):
            yield from _inline_publish((*steps, "publish"), task.next[number].publish, known)
        else:
            seen = set(known)
            for index, pair in enumerate(published or []):
                yield from _walk((*steps, "publish", index), pair, seen)
                seen |= set(pair)


def _inline_publish(steps: Place, published: Assignments, known: frozenset[str]) -> Iterator[_Text]:
    seen = set(known)
    for name, value in published:
        yield from _walk(steps, value, seen)
        seen.add(name)


def _walk(steps: Place, value: Any, known: frozenset[str] | set[str]) -> Iterator[_Text]:
    if isinstance(value, str):
        if "<%" in value or "{" in value:
            yield _Text(steps, value, frozenset(known))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _walk(steps, key, known)
            yield from _walk((*steps, key), item, known)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk((*steps, number), item, known)


def _variables_before(workflow: Workflow, graph: Graph, known: frozenset[str]) -> dict[str, frozenset[str]]:
    """Of each task, what may be set when it begins: by the input, and on any way that leads to it."""
    before = dict.fromkeys(workflow.tasks, known)
    # From the first tasks on, so that few are looked at twice.
    waiting = deque(dict.fromkeys([*graph.starts, *workflow.tasks]))
    while waiting:
        name = waiting.popleft()
        for transition in workflow.tasks[name].next:
            after = before[name].union(key for key, _ in transition.publish)
            for following in transition.do:
                if following in before and not after <= before[following]:
                    before[following] |= after
                    waiting.append(following)
    return before


def _published(task: Task) -> set[str]:
    return {name for transition in task.next for name, _ in transition.publish}


def _semantic(message: str, steps: Place) -> Problem:
    return Problem("semantic", message, steps, _schema_path(steps))


def _schema_path(steps: Place) -> str:
    """The rule of the language that a place belongs to: ``tasks.check.join`` -> ``properties.tasks.patternProperties
    .^\\w+$.properties.join``."""
    text = ""
    for number, step in enumerate(steps):
        if isinstance(step, int):
            text += ".items"
        elif number == 1 and steps[0] == "tasks":
            text += r".patternProperties.^\w+$"
        else:
            text += f".properties.{step}"
    return text.lstrip(".")
