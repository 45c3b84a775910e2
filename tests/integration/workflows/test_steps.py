"""What a step takes over from its workflow, and what applies to it as to any execution: policies, delays, limits."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.content import policy_metadata
from st2common.models import policies
from st2common.models.policies import Policy
from st2common.models.statuses import Status
from st2common.models.traces import Traces
from st2common.services.admission import Admission
from st2common.services.executions import release_delayed, request_execution
from tests.conditions import eventually
from tests.integration.workflows.stage import PATIENCE, Stage, task_of

ROUTES = {"on-complete": {"routes": ["chat"], "message": "done"}}

TASKS = """
version: 1.0
tasks:
  a:
    action: core.local cmd=date
    next:
      - do: b, c
  b:
    action: core.noop
  c:
    action: core.local cmd=date
"""

CHAIN = """
chain:
  - {name: a, ref: core.local, parameters: {cmd: date}, on-success: b}
  - {name: b, ref: core.noop, on-success: c}
  - {name: c, ref: core.local, parameters: {cmd: date}, notify: {on-failure: {routes: [mail]}}}
"""


def notified(stage: Stage, name: str, **parameters: Any) -> dict[str, Any]:
    """Whom the steps of a workflow tell, that is to tell ``ROUTES`` itself."""
    stored = request_execution(
        stage.database,
        stage.transport,
        action_ref=f"flows.{name}",
        parameters=parameters,
        user="tester",
        notify=ROUTES,
    )
    identity = str(stored["_id"])
    for task in ("a", "c"):
        stage.finish(stage.step(identity, task))
    ended = stage.ended(identity)
    assert (ended["status"], ended["liveaction"]["notify"]) == ("succeeded", ROUTES)
    return {task_of(step): step["liveaction"].get("notify") for step in stage.steps(identity)}


def test_whom_the_tasks_that_a_workflow_names_notify(stage: Stage) -> None:
    stage.write("tasks", TASKS)
    assert notified(stage, "tasks", notify=["a", "b"]) == {"a": ROUTES, "b": ROUTES, "c": None}
    assert notified(stage, "tasks") == {"a": None, "b": None, "c": None}


def test_whom_the_nodes_of_a_chain_notify(stage: Stage) -> None:
    stage.write("chain", CHAIN, runner="action-chain")
    mail = {"on-failure": {"routes": ["mail"]}}
    assert notified(stage, "chain", skip_notify=["a"]) == {"a": None, "b": ROUTES, "c": mail}


def limit(ref: str, **parameters: Any) -> None:
    metadata = {"pack": "flows", "name": "few", "resource_ref": ref, "policy_type": "action.concurrency"}
    policies.save(Policy.from_metadata(policy_metadata.complete({**metadata, "parameters": parameters})))


def test_a_policy_holds_for_steps(stage: Stage) -> None:
    stage.write("items", "version: 1.0\ntasks: {each: {with: <% range(3) %>, action: core.local cmd=date}}")
    limit("core.local", threshold=1)
    identity = stage.start("items")
    for ended in range(3):
        states = ["succeeded"] * ended + ["requested"] + ["delayed"] * (2 - ended)
        eventually(lambda: sorted(status for _, status in stage.tasks(identity)) == sorted(states), PATIENCE)  # noqa: B023
        stage.finish(next(step for step in stage.steps(identity) if step["status"] == Status.REQUESTED))
        Admission(stage.database, stage.transport).release_waiting()
    assert stage.ended(identity)["status"] == "succeeded"


def test_a_policy_holds_for_steps_that_need_nobody(stage: Stage) -> None:
    """Of two at the same time the second is canceled by the policy, and cancels its workflow."""
    stage.write("items", "version: 1.0\ntasks: {each: {with: <% range(2) %>, action: core.noop}}")
    limit("core.noop", threshold=1, action="cancel")
    identity = stage.start("items")
    eventually(lambda: [status for _, status in stage.tasks(identity)] == ["requested", "canceled"], PATIENCE)
    stage.finish(stage.steps(identity)[0])
    assert stage.ended(identity)["status"] == "canceled"


WRONG_VALUE = """
version: 1.0
tasks:
  a:
    action: core.noop
    next:
      - {when: <% succeeded() %>, do: c}
      - {when: <% failed() %>, do: b}
  b:
    action: core.local
    input: {cmd: date, timeout: soon}
  c:
    action: core.local
    input: {cmd: date, timeout: soon}
"""


def test_a_value_that_the_action_does_not_take_fails_its_task_alone(stage: Stage) -> None:
    stage.write("wrong", WRONG_VALUE)
    ended = stage.run("wrong")
    assert ended["status"] == "failed"
    assert stage.tasks(str(ended["_id"])) == [("a", "succeeded"), ("c", "failed")]
    (error,) = ended["result"]["errors"]
    assert error["task_id"] == "c"
    assert "soon" in error["result"]["error"]


def test_a_delay_of_a_task(stage: Stage) -> None:
    stage.write("later", "version: 1.0\ntasks: {a: {delay: <% 100 %>, action: core.local cmd=date}}")
    identity = stage.start("later")
    step = stage.step(identity, "a")
    # Milliseconds: from when its turn came, some of which have passed.
    assert step["status"] == "delayed"
    assert 50_000 < step["delay"] <= 100_000
    assert step["not_before"] == step["start_timestamp"] + step["delay"] * 1000
    assert release_delayed(stage.database, stage.transport) == 0
    stage.executions.collection.update_one({"_id": step["_id"]}, {"$set": {"not_before": step["start_timestamp"]}})
    assert release_delayed(stage.database, stage.transport) == 1
    stage.finish(stage.step(identity, "a"))
    assert stage.ended(identity)["status"] == "succeeded"


@pytest.mark.parametrize(("name", "definition"), [("orquesta", TASKS), ("action-chain", CHAIN)])
def test_steps_are_in_the_trace_of_their_workflow(stage: Stage, name: str, definition: str) -> None:
    for _ in range(2):
        # What one has requested the others request again, if they look at the same time.
        stage.engine()
    stage.write("traced", definition, runner=name)
    identity = stage.start("traced", context={"trace_context": {"trace_tag": "release-7"}})
    for task in ("a", "c"):
        stage.finish(stage.step(identity, task))
    stage.ended(identity)
    [trace] = Traces(stage.database).collection.find({"trace_tag": "release-7"})
    expected = [identity, *(str(step["_id"]) for step in stage.steps(identity))]
    assert len(expected) == 4
    assert sorted(each["object_id"] for each in trace["action_executions"]) == sorted(expected)
    causes = {each["object_id"]: each["caused_by"] for each in trace["action_executions"]}
    assert causes.pop(identity) == {}
    assert all(cause == {"type": "action_execution", "id": identity} for cause in causes.values())


GROWING = """
version: 1.0
vars:
  - much: <% "x" * 9000000 %>
tasks:
  a:
    action: core.local
    input: {cmd: "<% ctx(much) %><% ctx(much) %>"}
    next:
      - when: <% failed() %>
        publish: why=<% result().error %>
        do: told
  told:
    action: core.local
    input: {cmd: "<% ctx(why) %>"}
"""


def test_parameters_of_a_step_that_the_database_does_not_take(stage: Stage) -> None:
    """The step fails before anything of it runs, and says why; the workflow can handle it."""
    stage.write("growing", GROWING)
    identity = stage.start("growing")
    told = stage.step(identity, "told")
    assert "cannot be stored" in told["parameters"]["cmd"]
    assert len(told["parameters"]["cmd"]) < 1000
    stage.finish(told)
    assert stage.ended(identity)["status"] == "succeeded"
    refused = stage.steps(identity)[0]
    assert (refused["status"], refused["parameters"], refused["attempt"]) == ("failed", {}, 0)


@pytest.mark.parametrize("times", [1, 2])
def test_a_result_that_the_database_does_not_take(stage: Stage, times: int) -> None:
    """Variables of 9 MB and an output of the same size, or twice that, are too much for one document."""
    output = "\n".join(f"  - out{number}: <% ctx(much) %>" for number in range(times))
    stage.write(
        "large",
        f'version: 1.0\nvars:\n  - much: <% "x" * 9000000 %>\ntasks: {{a: {{action: core.noop}}}}\noutput:\n{output}\n',
    )
    ended = stage.run("large")
    assert ended["status"] == "failed"
    assert "can be stored" in str(ended["result"])
    assert len(str(ended["result"])) < 2000


def test_variables_that_the_database_does_not_take(stage: Stage) -> None:
    variables = "".join(f'  - much{number}: <% "x" * 9000000 %>\n' for number in range(2))
    stage.write("large", f"version: 1.0\nvars:\n{variables}tasks: {{a: {{action: core.local cmd=date}}}}\n")
    ended = stage.run("large")
    assert "can be stored" in str(ended["result"])
    assert stage.steps(str(ended["_id"])) == []
