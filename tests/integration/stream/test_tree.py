"""A workflow and its steps in one stream: in which order they come."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

from tests.conditions import eventually
from tests.integration.stream.action import Action
from tests.integration.stream.service import StreamProcess, Watcher

# More than stream, sockets and watcher hold together: whoever passes it on has to wait for the watcher.
PIECE, PIECES = "x" * 32_000 + "\n", 700

Accept = Callable[..., Action]


def workflow(action: Accept, **options: str) -> Action:
    return action(ref="flows.some", runner="action-chain", **options).run()


def told_by(watcher: Watcher) -> list[tuple[str, str]]:
    """(execution, start, create or end), to the end of the stream; what is printed without a break is one."""
    events = [event for event in watcher if event.name != "EOF"]
    each = ((json.loads(event.data)["execution_id"], event.name.rpartition("__")[2]) for event in events)
    return [told for told, _ in itertools.groupby(each)]


def whole(step: Action) -> list[tuple[str, str]]:
    return [(step.id, what) for what in ("start", "create", "end")]


def test_a_workflow_that_has_ended_comes_before_what_began_after_it(service: StreamProcess, action: Accept) -> None:
    outer = workflow(action)
    inner = workflow(action, parent=outer.id)
    inside, after = action(parent=inner.id).run(), action(parent=outer.id).run()
    for step in (inside, after):
        step.print("a line\n")
        step.end()
    inner.set_status()
    with service.output(outer.id, tree="true") as watcher:
        assert watcher.document()["execution_id"] == inner.id
        outer.set_status()
        told = told_by(watcher)
    assert told == [*whole(inside), (inner.id, "end"), *whole(after), (outer.id, "end")]


def test_a_step_that_ended_comes_before_what_began_after_it_however_slow_its_watcher(
    service: StreamProcess, action: Accept
) -> None:
    outer = workflow(action)
    loud = action(parent=outer.id).run()
    with service.output(outer.id, tree="true") as watcher:
        assert watcher.document()["execution_id"] == loud.id
        for _ in range(PIECES):
            loud.print(PIECE)
        loud.end()
        after = action(parent=outer.id).run()
        after.print("a line\n")
        after.end()
        before = looks(service)
        eventually(lambda: looks(service) > before + 1)
        outer.set_status()
        told = told_by(watcher)
    assert told == [*whole(loud)[1:], *whole(after), (outer.id, "end")]


def looks(service: StreamProcess) -> int:
    """How often executions were read: the stream looks for steps."""
    return int(service.state()["reads"]["action_execution_d_b"])
