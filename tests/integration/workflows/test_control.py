"""Pausing, resuming, canceling and repeating workflows, and what stops them by itself."""

from __future__ import annotations

import pytest

from st2common.errors import ValidationError
from st2common.models.statuses import COMPLETED, Status
from st2common.services.reruns import rerun_execution
from tests.conditions import eventually
from tests.integration.workflows.stage import Stage

THREE = """
version: 1.0
input: [items]
tasks:
  first:
    action: core.local cmd=date
    next:
      - when: <% succeeded() %>
        do: second
  second:
    with: <% ctx(items) %>
    action: core.local cmd="echo <% item() %>"
    next:
      - when: <% succeeded() %>
        publish: all=<% result().stdout %>
        do: third
  third:
    action: core.noop
output:
  - all: <% ctx(all) %>
"""

OUTER = """
version: 1.0
tasks:
  inner:
    action: flows.three items=<% [1, 2] %>
"""


@pytest.fixture
def nested(stage: Stage) -> tuple[str, str]:
    """A workflow and the one that it has begun, whose first step is requested."""
    stage.write("three", THREE, items="array")
    stage.write("outer", OUTER)
    outer = stage.start("outer")
    inner = str(stage.step(outer, "inner")["_id"])
    stage.step(inner, "first")
    return outer, inner


def test_a_pause_reaches_the_workflows_below_and_so_does_going_on(stage: Stage, nested: tuple[str, str]) -> None:
    outer, inner = nested
    stage.pause(outer)
    stage.wait(inner, Status.PAUSING)
    assert stage.status(outer) == "pausing"
    stage.finish(stage.step(inner, "first"))
    stage.wait(inner, Status.PAUSED)
    stage.wait(outer, Status.PAUSED)
    assert stage.tasks(inner) == [("first", "succeeded")]
    stage.resume(outer)
    stage.step(inner, "second")
    stage.wait(outer, Status.RUNNING)
    assert stage.get(inner)["context"]["resumed_by"] == "tester"
    assert stage.get(outer)["context"]["resumed_by"] == "somebody"


def test_a_pause_below_pauses_what_waits_for_it(stage: Stage, nested: tuple[str, str]) -> None:
    outer, inner = nested
    stage.pause(inner)
    stage.finish(stage.step(inner, "first"))
    stage.wait(outer, Status.PAUSED)
    stage.resume(inner)
    stage.wait(outer, Status.RUNNING)


def test_a_cancellation_reaches_everything_below(stage: Stage, nested: tuple[str, str]) -> None:
    outer, inner = nested
    running = stage.begin(stage.step(inner, "first"))
    stage.cancel(outer)
    eventually(lambda: stage.status(str(running["_id"])) == "canceling")
    assert (stage.status(outer), stage.status(inner)) == ("canceling", "canceling")
    stage.end_canceled(running)
    assert stage.ended(outer)["status"] == stage.ended(inner)["status"] == "canceled"
    assert stage.get(outer)["result"] == {"message": "Action canceled by user.", "user": "somebody"}


def test_a_canceled_step_cancels_its_workflow(stage: Stage, nested: tuple[str, str]) -> None:
    outer, inner = nested
    stage.cancel(str(stage.step(inner, "first")["_id"]))
    assert stage.ended(inner)["status"] == "canceled"
    assert stage.ended(outer)["status"] in {"canceled", "failed"}


def test_only_workflows_that_run_are_paused(stage: Stage, nested: tuple[str, str]) -> None:
    _, inner = nested
    step = str(stage.step(inner, "first")["_id"])
    with pytest.raises(ValidationError, match="Only workflows"):
        stage.pause(step)
    stage.pause(inner)
    with pytest.raises(ValidationError, match="cannot be resumed: its status is pausing"):
        stage.resume(inner)


def test_tasks_run_again(stage: Stage) -> None:
    stage.write("three", THREE, items="array")
    first = stage.start("three", items=["a", "b"])

    def again_from(task: str) -> None:
        rerun_execution(stage.database, stage.transport, execution_id=first, parameters={}, user="bob", tasks=[task])

    with pytest.raises(ValidationError, match="when the workflow has ended"):
        again_from("first")
    stage.finish(stage.step(first, "first"), stdout="once")
    eventually(lambda: len(stage.steps(first)) == 3)
    by_item = {each["context"]["orquesta"].get("item_id"): each for each in stage.steps(first)}
    stage.finish(by_item[0], stdout="A")
    stage.finish(by_item[1], Status.FAILED, stdout="?")
    assert stage.ended(first)["status"] == "failed"
    with pytest.raises(ValidationError, match="has no task none"):
        again_from("none")
    again = rerun_execution(
        stage.database, stage.transport, execution_id=first, parameters={}, user="bob", tasks=["second"]
    )
    identity = str(again["_id"])
    assert again["context"]["re-run"] == {"ref": first, "tasks": ["second"]}
    step = stage.step(identity, "second")
    assert step["context"]["orquesta"]["item_id"] == 1
    stage.finish(step, stdout="B")
    assert stage.ended(identity)["result"] == {"output": {"all": ["A", "B"]}}
    assert stage.tasks(identity) == [("second", "succeeded"), ("third", "succeeded")]
    # And with all items once more.
    whole = rerun_execution(
        stage.database,
        stage.transport,
        execution_id=first,
        parameters={},
        user="bob",
        tasks=["second"],
        reset=["second"],
    )
    eventually(lambda: len(stage.steps(str(whole["_id"]))) == 2)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("version: 1.0\ntasks: {a: {action: core.nothing}}", 'Action "core.nothing" cannot be found.'),
        ("version: 1.0\ntasks: {a: {action: core.local, input: {cmd: date, nope: 1}}}", 'has no parameter "nope"'),
        ("version: 1.0\ntasks: {a: {action: core.local}}", 'needs the parameter "cmd"'),
        ("version: 1.0\ntasks: {a: {action: core.local, input: {cmd: '<% 1 / 0 %>'}}}", "1 / 0"),
        ("version: 1.0\ntasks: {a: {with: <% 5 %>, action: core.local cmd=date}}", "no list"),
        ("version: 1.0\ntasks: {a: {action: core.local cmd=date, next: [{do: b}]}}", "b"),
        ("version: 1.0\ntasks: 5", "5"),
        ("version: [", "bad.yaml:"),
    ],
)
def test_what_cannot_run_fails_and_says_why(stage: Stage, definition: str, message: str) -> None:
    stage.write("bad", definition)
    ended = stage.run("bad")
    assert ended["status"] == "failed"
    errors = ended["result"]["errors"]
    assert message in str(errors)
    assert "error" in errors[0].get("type") or errors[0].get("spec_path")


def test_a_workflow_that_is_not_there(stage: Stage) -> None:
    stage.write("gone", "version: 1.0\ntasks: {a: {action: core.noop}}")
    stage.database["action_d_b"].update_one({"name": "gone"}, {"$set": {"entry_point": "workflows/none.yaml"}})
    assert "none.yaml" in str(stage.run("gone")["result"])
    stage.database["action_d_b"].update_one({"name": "gone"}, {"$set": {"entry_point": "../../../../etc/passwd"}})
    eventually(lambda: "lies outside" in str(stage.run("gone")["result"]), 5)


def test_what_is_published_has_a_limit(stage: Stage) -> None:
    stage.write(
        "large",
        "version: 1.0\ntasks:\n  a:\n    action: core.noop\n    next:\n"
        '      - publish: much=<% "x" * 9000000 %>\n        do: b\n'
        '  b:\n    action: core.noop\n    next:\n      - publish: more=<% "y" * 9000000 %>\n        do: c\n'
        "  c: {action: core.noop}\n",
    )
    ended = stage.run("large")
    assert ended["status"] == "failed"
    assert len(str(ended["result"])) < 2000
    assert all(step["status"] in COMPLETED for step in stage.steps(str(ended["_id"])))
