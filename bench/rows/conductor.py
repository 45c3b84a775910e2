"""What the languages of workflows cost by themselves: inspecting a definition, and one decision."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from bench.report import Row
from bench.session import Session
from st2common.models.statuses import Status
from st2common.workflows.decision import Lookups
from st2common.workflows.inspection import inspect_text
from st2common.workflows.languages import Spec, conduct, parse

_INSPECTED = 500
_AIM_INSPECTION_SECONDS = 1.0
_DECIDED = 40
_AIM_DECISION_MS = 1.0


def rows(session: Session) -> Iterator[Row]:
    yield _inspection()
    yield _decisions()


def _inspection() -> Row:
    text = yaml.safe_dump(_sequence(_INSPECTED, lambda number: f"<% succeeded() and {number} >= 0 %>"))
    start = time.perf_counter()
    yaml.load(text, Loader=yaml.CSafeLoader)
    loaded = time.perf_counter()
    assert inspect_text(text) == []
    took = time.perf_counter() - loaded
    return Row(
        f"inspecting a workflow of {_INSPECTED} tasks",
        f"{took:.2f} s",
        baseline=f"reading its YAML {loaded - start:.2f} s",
        ratio=f"{took / (loaded - start):.1f}",
        aim=f"<= {_AIM_INSPECTION_SECONDS:.0f} s",
        met=took <= _AIM_INSPECTION_SECONDS,
    )


def _decisions() -> Row:
    """A sequence of tasks: the state read, the end of one child worked in, the state written, again and again; by an
    engine that has run it before."""
    spec = parse("orquesta", _sequence(_DECIDED, lambda number: "<% succeeded() %>"))
    _play(spec)
    took, floor = _play(spec)
    return Row(
        f"one decision in a sequence of {_DECIDED} tasks, p50",
        f"{took:.2f} ms",
        baseline=f"its state as JSON, read and written {floor:.2f} ms",
        ratio=f"{took / floor:.1f}",
        aim=f"<= {_AIM_DECISION_MS:.0f} ms",
        met=took <= _AIM_DECISION_MS,
    )


def _play(spec: Spec) -> tuple[float, float]:
    """Milliseconds of a decision and of its state as JSON, each the median."""
    lookups = Lookups(lambda key: {"stdout": ""}, _NoKeys())
    conductor = conduct(spec, lookups)
    conductor.start({"x": 1}, {"st2": {}}, 0)
    state = json.dumps(conductor.state)
    took, floor = [], []
    for now in range(_DECIDED):
        start = time.perf_counter()
        json.dumps(json.loads(state))
        read = time.perf_counter()
        conductor = conduct(spec, lookups, json.loads(state))
        conductor.child_changed(conductor.active[0], Status.SUCCEEDED, now)
        state = json.dumps(conductor.state)
        took.append((time.perf_counter() - read) * 1000)
        floor.append((read - start) * 1000)
    return statistics.median(took), statistics.median(floor)


def _sequence(count: int, condition: Callable[[int], str]) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for number in range(count):
        following: dict[str, Any] = {"when": condition(number), "publish": [{"said": "<% result().stdout %>"}]}
        following |= {"do": f"t{number + 1}"} if number + 1 < count else {}
        message = {"message": f"{{{{ ctx('x') }}}} and <{number}>"}
        tasks[f"t{number}"] = {"action": "core.echo", "input": message, "next": [following]}
    return {"version": 1.0, "input": ["x"], "tasks": tasks}


class _NoKeys:
    def find(self, name: str, decrypt: bool = False) -> str | None:
        return None
