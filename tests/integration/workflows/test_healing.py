"""What was missed is found: messages that are lost, engines that die between two steps of their work."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.clock import now_us
from st2common.models.statuses import Status
from st2common.models.workflow_executions import COLLECTION, WorkflowExecutions
from st2common.services.reruns import rerun_execution
from st2rulesengine.workflows import engine as engine_module
from st2rulesengine.workflows import steps as steps_module
from st2rulesengine.workflows.engine import Engine
from st2rulesengine.workflows.steps import Steps, step_id
from tests.conditions import eventually
from tests.integration.workflows.stage import Stage

TWO = """
version: 1.0
tasks:
  a:
    action: core.local cmd=date
    next:
      - do: b, c
  b:
    action: core.local cmd=date
  c:
    action: core.local cmd=date
"""


@pytest.fixture
def started(stage: Stage) -> str:
    stage.write("two", TWO)
    identity = stage.start("two")
    stage.step(identity, "a")
    return identity


def due(stage: Stage, identity: str) -> None:
    """The time has come to look at it."""
    WorkflowExecutions(stage.database).look_soon(identity, now_us())


def test_an_end_that_nobody_told(stage: Stage, started: str) -> None:
    stage.finish(stage.step(started, "a"), tell=False)
    due(stage, started)
    stage.finish(stage.step(started, "b"))
    stage.finish(stage.step(started, "c"))
    assert stage.ended(started)["status"] == "succeeded"


@pytest.mark.parametrize("survived", [0, 1])
def test_an_engine_that_dies_while_it_requests_steps(
    stage: Stage, started: str, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.stop_engines()
    stage.finish(stage.step(started, "a"), tell=False)
    request = Steps.request
    done: list[str] = []

    def dying(self: Steps, wanted: Any) -> str:
        if len(done) == survived:
            raise KeyboardInterrupt
        done.append(wanted.key)
        return request(self, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "request", dying)
        with pytest.raises(KeyboardInterrupt):
            Engine(stage.config, stage.database, stage.transport).advance(started)
    assert len(stage.steps(started)) == 1 + survived
    stage.engine()
    stage.finish(stage.step(started, "b"))
    stage.finish(stage.step(started, "c"))
    assert stage.ended(started)["status"] == "succeeded"
    assert sorted(stage.tasks(started)) == [("a", "succeeded"), ("b", "succeeded"), ("c", "succeeded")]


NOTHING = """
version: 1.0
tasks:
  a:
    action: core.local cmd=date
    next:
      - do: b
  b:
    action: core.noop
    next:
      - do: c
  c:
    with: <% range(100) %>
    action: core.noop
    next:
      - do: d
  d:
    action: core.noop
"""


def test_an_engine_that_dies_before_steps_that_need_nobody_are_stored(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write("nothing", NOTHING)
    identity = stage.start("nothing")
    first = stage.step(identity, "a")
    stage.stop_engines()
    stage.finish(first, tell=False)
    with monkeypatch.context() as patch:
        patch.setattr(steps_module, "store_settled", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            Engine(stage.config, stage.database, stage.transport).advance(identity)
    assert stage.tasks(identity) == [("a", "succeeded")]
    stage.engine()
    assert stage.ended(identity)["status"] == "succeeded"
    tasks = [name for name, _ in stage.tasks(identity)]
    assert tasks == ["a", "b", *["c"] * 100, "d"]
    # A moment after the status.
    eventually(lambda: "settled" not in (WorkflowExecutions(stage.database).get(identity) or {"settled"}))


def test_a_circle_of_steps_that_need_nobody_can_be_canceled(stage: Stage) -> None:
    stage.write(
        "circle",
        "version: 1.0\ntasks:\n  start:\n    action: core.noop\n    next:\n      - do: a\n"
        "  a:\n    action: core.noop\n    next:\n      - do: a\n",
    )
    identity = stage.start("circle")
    eventually(lambda: len(stage.steps(identity)) > 3)
    stage.cancel(identity)
    assert stage.ended(identity)["status"] == "canceled"


def test_an_engine_that_dies_before_the_execution_has_its_end(
    stage: Stage, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.finish(stage.step(started, "a"))
    stage.finish(stage.step(started, "b"))
    last = stage.step(started, "c")
    stage.stop_engines()
    stage.finish(last, tell=False)
    with monkeypatch.context() as patch:
        patch.setattr(engine_module.Ending, "end", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            Engine(stage.config, stage.database, stage.transport).advance(started)
    assert stage.status(started) == "running"
    stage.engine()
    assert stage.ended(started)["result"] == {"output": None}


def test_engines_that_look_at_the_same_time_do_everything_once(stage: Stage) -> None:
    for _ in range(3):
        stage.engine()
    stage.write(
        "items",
        "version: 1.0\ntasks:\n  each:\n    with: {items: <% range(30) %>, concurrency: 7}\n"
        '    action: core.local cmd="echo <% item() %>"\n',
    )
    identity = stage.start("items")
    seen: set[str] = set()

    def finish_all() -> bool:
        for step in stage.steps(identity):
            if step["status"] == Status.REQUESTED:
                seen.add(str(step["_id"]))
                stage.finish(step)
        return stage.status(identity) == "succeeded"

    eventually(finish_all, 30)
    items = [step["context"]["orquesta"]["item_id"] for step in stage.steps(identity)]
    assert sorted(items) == list(range(30))
    assert len(seen) == 30


def test_an_execution_is_taken_up_where_an_engine_died_before_it_ran(stage: Stage) -> None:
    stage.write("two", TWO)
    stage.stop_engines()
    identity = stage.start("two")
    engine = Engine(stage.config, stage.database, stage.transport)
    execution = stage.get(identity)
    stage.database[COLLECTION].insert_one(engine._first(execution))
    assert stage.status(identity) == "requested"
    stage.engine()
    assert stage.step(identity, "a")["_id"] == step_id(identity, "a/0/0/0")


@pytest.mark.parametrize("died_before", ["insert", "request"])
def test_tasks_run_again_once_wherever_an_engine_dies(
    stage: Stage, started: str, died_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows from running tasks again is decided once: it is the first revision of an execution of its own."""
    stage.finish(stage.step(started, "a"))
    stage.finish(stage.step(started, "b"), Status.FAILED)
    stage.finish(stage.step(started, "c"))
    stage.ended(started)
    stage.stop_engines()
    before = stage.get(started), WorkflowExecutions(stage.database).get(started)
    stored = rerun_execution(
        stage.database, stage.transport, execution_id=started, parameters={}, user="bob", tasks=["b"]
    )
    identity = str(stored["_id"])
    owner: Any = WorkflowExecutions if died_before == "insert" else Steps
    with monkeypatch.context() as patch:
        patch.setattr(owner, died_before, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            Engine(stage.config, stage.database, stage.transport).advance(identity)
    assert stage.steps(identity) == []
    for _ in range(3):
        stage.engine()
    stage.finish(stage.step(identity, "b"))
    assert stage.ended(identity)["status"] == "succeeded"
    assert stage.tasks(identity) == [("b", "succeeded")]
    assert (stage.get(started), WorkflowExecutions(stage.database).get(started)) == before
