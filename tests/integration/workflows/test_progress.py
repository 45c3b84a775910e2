"""Workflows from their beginning to their end."""

from __future__ import annotations

from typing import Any

from st2common.models.statuses import Status
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.output.mongo_log import MongoOutputLog
from st2common.services import waiting
from st2common.services.inquiries import answer_inquiry
from tests.conditions import eventually
from tests.integration.workflows.stage import Stage

TWO = """
version: 1.0
input: [who]
tasks:
  ask:
    action: core.local cmd="echo <% ctx(who) %>"
    next:
      - when: <% succeeded() %>
        publish: said=<% result().stdout %>
        do: nothing
  nothing:
    action: core.noop
output:
  - said: <% ctx(said) %>
"""

ITEMS = """
version: 1.0
tasks:
  each:
    with: {items: <% range(6) %>, concurrency: 2}
    action: core.local cmd="echo <% item() %>"
"""

OUTER = """
version: 1.0
tasks:
  inner:
    action: flows.two who=them
    next:
      - publish: said=<% result().output.said %>
output:
  - said: <% ctx(said) %>
"""

ASKING = """
version: 1.0
tasks:
  ask:
    action: core.ask
    next:
      - when: <% succeeded() and result().response.continue %>
        do: after
  beside:
    action: core.local cmd=date
  after:
    action: core.noop
"""


def test_one_task_after_the_other(stage: Stage) -> None:
    stage.write("two", TWO, who="string")
    identity = stage.start("two", who="me")
    step = stage.step(identity, "ask")
    assert step["parameters"] == {"cmd": "echo me"}
    assert step["parent"] == identity
    assert step["context"]["parent"] == {"execution_id": identity, "user": "tester", "pack": "flows"}
    about = step["context"]["orquesta"]
    assert about["workflow_execution_id"] == step["workflow_execution"] == identity
    assert about["task_execution_id"] == step["task_execution"]
    assert (about["task_name"], about["task_id"], about["task_route"]) == ("ask", "ask", 0)
    stage.finish(step, stdout="me")
    ended = stage.ended(identity)
    assert (ended["status"], ended["result"]) == ("succeeded", {"output": {"said": "me"}})
    assert [entry["status"] for entry in ended["log"]] == ["requested", "scheduled", "running", "succeeded"]
    assert stage.tasks(identity) == [("ask", "succeeded"), ("nothing", "succeeded")]
    noop = stage.steps(identity)[1]
    assert noop["result"] == {"failed": False, "succeeded": True, "return_code": 0}
    end = eventually(lambda: MongoOutputLog(stage.database).end(identity))
    assert end is not None
    assert end.status == "succeeded"


def test_items_run_a_few_at_a_time(stage: Stage) -> None:
    stage.write("items", ITEMS)
    identity = stage.start("items")
    for number in range(6):
        eventually(lambda: len(stage.steps(identity)) == min(6, number + 2))  # noqa: B023 - called at once
        by_item = {each["context"]["orquesta"]["item_id"]: each for each in stage.steps(identity)}
        stage.finish(by_item[number])
    assert stage.ended(identity)["status"] == "succeeded"


def test_a_workflow_in_a_workflow(stage: Stage) -> None:
    stage.write("two", TWO, who="string")
    stage.write("outer", OUTER)
    identity = stage.start("outer")
    inner = str(stage.step(identity, "inner")["_id"])
    stage.finish(stage.step(inner, "ask"), stdout="deep")
    assert stage.ended(identity)["result"] == {"output": {"said": "deep"}}


def test_an_inquiry_holds_the_workflow_until_it_is_answered(stage: Stage) -> None:
    stage.write("asking", ASKING)
    identity = stage.start("asking")
    inquiry = stage.begin(stage.step(identity, "ask"))
    asked: dict[str, Any] = {"schema": {"type": "object"}, "roles": [], "users": [], "route": "", "ttl": 5}
    pending = stage.executions.change(str(inquiry["_id"]), Status.PENDING, attempt=1, fields={"result": asked})
    assert pending is not None
    stage.finish(stage.step(identity, "beside"))
    stage.wait(identity, Status.PAUSED)
    words = waiting.why(stage.database, identity, broker_healthy=True)
    assert words == f"Is paused until somebody answers inquiry {inquiry['_id']}: st2 inquiry respond {inquiry['_id']}"
    answer_inquiry(
        stage.database,
        stage.transport,
        inquiry_id=str(inquiry["_id"]),
        response={"continue": True},
        user="ann",
        roles=None,
    )
    ended = stage.ended(identity)
    assert ended["status"] == "succeeded"
    assert [entry["status"] for entry in ended["log"]][2:] == ["running", "paused", "resuming", "succeeded"]
    assert stage.tasks(identity)[-1] == ("after", "succeeded")


def test_a_step_does_not_render_what_it_gets(stage: Stage) -> None:
    stage.write("two", TWO, who="string")
    identity = stage.start("two", who="{% raw %}{{ st2kv.system.secret }}{% endraw %}")
    assert stage.step(identity, "ask")["parameters"] == {"cmd": "echo {{ st2kv.system.secret }}"}


def test_secrets_of_the_workflow_are_secrets_of_its_steps(stage: Stage) -> None:
    stage.write("two", TWO, who="string")
    stage.database["action_d_b"].update_one({"name": "two"}, {"$set": {"parameters.who.secret": True}})
    identity = stage.start("two", who="correct horse")
    assert stage.step(identity, "ask")["decrypted"] == ["correct horse"]


def test_what_is_not_done_is_remembered_as_that(stage: Stage) -> None:
    stage.write("two", TWO, who="string")
    identity = stage.start("two", who="me")
    stage.step(identity, "ask")
    unfinished = WorkflowExecutions(stage.database).get(identity)
    assert unfinished is not None
    assert unfinished["look_at"]
    stage.finish(stage.step(identity, "ask"), stdout="me")
    stage.ended(identity)
    eventually(lambda: "look_at" not in (WorkflowExecutions(stage.database).get(identity) or {"look_at"}))


CHAIN = """
vars:
  greeting: hello
chain:
  - name: first
    ref: core.local
    parameters: {cmd: "echo {{ greeting }} {{ who }}"}
    publish: {said: "{{ first.stdout }}"}
    on-success: nothing
    on-failure: repair
  - {name: nothing, ref: core.noop, on-success: last}
  - {name: repair, ref: core.noop}
  - {name: last, ref: core.local, parameters: {cmd: "echo {{ said }}"}}
"""


def test_a_chain(stage: Stage) -> None:
    stage.write("chain", CHAIN, runner="action-chain", who="string")
    identity = stage.start("chain", who="me")
    first = stage.step(identity, "first")
    assert first["parameters"] == {"cmd": "echo hello me"}
    assert first["context"]["parent"]["execution_id"] == identity
    assert first["context"]["chain"]["on_failure"] == "repair"
    stage.finish(first, stdout="hi")
    last = stage.step(identity, "last")
    assert last["parameters"] == {"cmd": "echo hi"}
    stage.finish(last, Status.TIMEOUT)
    ended = stage.ended(identity)
    assert (ended["status"], ended["result"]["published"]) == ("timeout", {"said": "hi"})
    assert [(task["name"], task["state"]) for task in ended["result"]["tasks"]] == [
        ("first", "succeeded"),
        ("nothing", "succeeded"),
        ("last", "timeout"),
    ]
    assert ended["result"]["tasks"][0]["execution_id"] == str(first["_id"])
