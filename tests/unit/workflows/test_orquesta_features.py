"""What the Orquesta language can say: branches, joins, cycles, items, retries, commands, pauses."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.errors import ValidationError
from st2common.models.statuses import Status
from tests.unit.workflows.player import Player

DIAMOND = """
version: 1.0
vars: [{x: 0}, {kept: 0}]
tasks:
  begin:
    next: [{do: "left, right"}]
  left:
    action: a.left
    next: [{when: <% succeeded() %>, publish: "x=1 left=<% task_status(begin) %>", do: end}]
  right:
    action: a.right
    next: [{when: <% succeeded() %>, publish: [{x: 2}, {kept: 7}], do: end}]
  end: {join: JOIN, action: "a.end x=<% ctx(x) %> kept=<% ctx(kept) %>", next: [{do: after}]}
  after: {action: a.after}
output: [{x: <% ctx(x) %>}]
"""


def diamond(join: str = "all") -> Player:
    return Player(DIAMOND.replace("JOIN", join))


def test_a_join_runs_once_and_the_last_publication_wins() -> None:
    played = diamond()
    played.end("right")
    assert played.tasks == ["left", "right"]
    played.end("left")
    assert played.input("end") == {"x": 1, "kept": 7}
    played.play()
    assert (played.output, played.tasks) == ({"x": 1}, ["left", "right", "end", "after"])


def test_a_join_of_a_number_goes_on_without_the_others() -> None:
    played = diamond("1")
    played.end("left")
    assert played.tasks == ["left", "right", "end"]
    played.end("end")
    played.end("right")
    played.play()
    assert played.status == Status.SUCCEEDED
    assert played.tasks == ["left", "right", "end", "after"]


def test_a_join_that_cannot_be_met_any_more() -> None:
    text = DIAMOND.replace("JOIN", "all").replace(
        "when: <% succeeded() %>, publish: [{x: 2}", "when: <% 1 = 2 %>, publish: [{x: 2}"
    )
    played = Player(text).play()
    assert played.status == Status.FAILED
    assert [error["message"] for error in played.errors] == [
        'The join of the task "end" cannot be met any more: left arrived, right did not'
    ]


def test_nothing_begins_after_a_failure_and_the_running_end() -> None:
    played = diamond()
    assert played.fail("left").status == Status.RUNNING
    assert played.end("right").status == Status.FAILED
    assert played.tasks == ["left", "right"]
    assert played.output == {"x": 2}


def test_without_a_join_each_branch_goes_its_own_way() -> None:
    played = Player(
        """
        version: 1.0
        tasks:
          a: {action: a.a, next: [{publish: "from=a", do: c}]}
          b: {action: a.b, next: [{publish: "from=b", do: c}]}
          c: {action: "a.c of=<% ctx(from) %>", next: [{do: d}]}
          d: {action: "a.d of=<% ctx(from) %> c=<% result(c) %>"}
        """
    ).play(lambda request: request.input.get("of"))
    ds = [request for request in played.requests.values() if request.task == "d"]
    assert [(request.route, request.input) for request in ds] == [
        (1, {"of": "a", "c": "a"}),
        (2, {"of": "b", "c": "b"}),
    ]
    assert played.status == Status.SUCCEEDED


def test_a_cycle_visits_its_tasks_again_and_forgets_old_visits() -> None:
    played = Player(
        """
        version: 1.0
        vars: [{n: 0}]
        tasks:
          begin: {next: [{do: count}]}
          count:
            action: a.count
            next:
              - {when: <% ctx(n) < 50 %>, publish: "n=<% ctx(n) + 1 %>", do: log}
              - {when: <% ctx(n) >= 50 %>, do: noop}
          log: {action: "a.log n=<% ctx(n) %>", next: [{do: count}]}
        output: [{n: <% ctx(n) %>}]
        """
    ).play()
    assert played.output == {"n": 50}
    assert played.tasks == ["count", "log"] * 50 + ["count"]
    assert len(played.state["runs"]) == 3
    assert len(played.state["contexts"]["values"]) < 20


def test_tasks_without_actions_in_a_circle_end() -> None:
    played = Player("{version: 1.0, tasks: {a: {next: [{do: b}]}, b: {next: [{do: c}]}, c: {next: [{do: b}]}}}")
    assert played.status == Status.FAILED
    assert "without end" in played.errors[0]["message"]


@pytest.mark.parametrize(
    ("do", "status", "asked"),
    [
        ("noop", Status.SUCCEEDED, ["work"]),
        ("continue", Status.FAILED, ["work"]),
        ("fail", Status.FAILED, ["work"]),
        ("other, fail", Status.FAILED, ["work", "other"]),
        ("other", Status.SUCCEEDED, ["work", "other", "third"]),
        ("retry", Status.FAILED, ["work"] * 4),
    ],
)
def test_commands(do: str, status: Status, asked: list[str]) -> None:
    text = """
        version: 1.0
        tasks:
          work: {action: a.work, next: [{when: <% failed() %>, publish: "why=<% result().error %>", do: [DO]}]}
          other: {action: "a.other why=<% ctx(why) %>", next: [{do: third}]}
          third: {action: a.third}
        output: [{why: <% ctx(why) %>}]
        """
    if "other" not in do:
        text = text.replace("do: [DO]}", "do: [DO]}, {when: <% 1 = 2 %>, publish: why=1, do: other}")
    played = Player(text.replace("DO", do)).play(lambda request: 1 // (request.task != "work"))
    assert (played.status, played.tasks) == (status, asked)
    assert played.output == {"why": "integer division or modulo by zero"}


def test_fail_fails_what_has_succeeded() -> None:
    played = Player("{version: 1.0, tasks: {a: {action: a.a, next: [{do: fail}]}}}").play()
    assert played.errors == [
        {"type": "error", "message": 'The workflow was told to fail after the task "a".', "task_id": "a", "route": 0}
    ]


ITEMS = """
version: 1.0
input: [hosts, cmds]
tasks:
  each:
    with: {items: "host, cmd in <% zip(ctx(hosts), ctx(cmds)) %>", concurrency: 2}
    action: core.remote hosts=<% item(host) %> cmd="{{ item('cmd') }} {{ item().host }}"
    next:
      - {when: <% succeeded() %>, publish: "all=<% result().select($.out) %>"}
output: [{all: <% ctx(all) %>}]
"""


def items(number: int = 4) -> Player:
    return Player(ITEMS, {"hosts": [f"h{n}" for n in range(number)], "cmds": ["ls"] * number})


def test_items_run_some_at_a_time_and_give_a_list_in_order() -> None:
    played = items()
    assert [request.item for request in played.requests.values()] == [0, 1]
    assert played.requests["each/0/0/0/1"].input == {"hosts": "h1", "cmd": "ls h1"}
    assert played.requests["each/0/0/0/1"].about["item_id"] == 1
    played.end("each", {"out": "b"}, item=1)
    assert [request.item for request in played.requests.values()] == [0, 1, 2]
    played.play(lambda request: {"out": request.input["hosts"]})
    assert played.output == {"all": ["h0", "b", "h2", "h3"]}


def test_no_items_are_begun_after_one_failed_and_a_rerun_repeats_those_that_did_not_succeed() -> None:
    played = items()
    played.end("each", {"out": "a"}, item=0)
    played.fail("each", "broken", item=1)
    assert played.status == Status.RUNNING
    played.end("each", {"out": "c"}, item=2)
    assert (played.status, len(played.requests), played.errors[0]["result"]) == (Status.FAILED, 3, "broken")
    assert played.rerun("each").status == Status.RUNNING
    assert played.active == ["each/0/0/1/1", "each/0/0/1/3"]
    played.play(lambda request: {"out": request.key})
    assert played.output == {"all": ["a", "each/0/0/1/1", "c", "each/0/0/1/3"]}
    played.rerun("each", reset=("each",))
    played.play(lambda request: {"out": request.attempt})
    assert played.output == {"all": [2, 2, 2, 2]}


def test_no_items() -> None:
    assert items(0).output == {"all": []}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<% zip(ctx(hosts), ctx(cmds)) %>", "<% ctx(cmds)[0] %>"), "The items are no list: 'ls'"),
        (("<% zip(ctx(hosts), ctx(cmds)) %>", "<% ctx(cmds) %>"), "Item 0 does not have 2 parts (host, cmd)"),
        (("concurrency: 2", "concurrency: <% 0 %>"), 'The concurrency "0" is no whole number of at least 1'),
        (("item(host)", "item(port)"), "The item has no part \"port\" (in the expression '<% item(port) %>')"),
    ],
)
def test_items_that_cannot_be(change: tuple[str, str], message: str) -> None:
    played = Player(ITEMS.replace(*change), {"hosts": ["h"], "cmds": ["ls"]})
    assert (played.status, played.tasks) == (Status.FAILED, [])
    assert {"type": "error", "message": message, "task_id": "each", "route": 0} in played.errors


RETRY = """
version: 1.0
tasks:
  ask:
    action: core.http url=<% ctx(st2).url %>
    delay: 3
    retry: {count: 2, delay: "<% 1 + 1 %>", when: <% result().code != 200 %>}
    next: [{when: <% result().code = 200 %>, publish: "got=<% task().result.code %>"}]
output: [{got: <% ctx(got) %>}]
"""


def test_a_retry_with_a_condition() -> None:
    codes = iter([500, 500, 200])
    played = Player(RETRY, context={"st2": {"url": "u"}}).play(lambda request: {"code": next(codes)})
    asked = list(played.requests.values())
    assert [(request.key, request.attempt, request.delay) for request in asked] == [
        ("ask/0/0/0", 0, 3),
        ("ask/0/0/1", 1, 2),
        ("ask/0/0/2", 2, 2),
    ]
    assert {request.run for request in asked} == {"ask/0/0"}
    assert (played.status, played.output) == (Status.SUCCEEDED, {"got": 200})


def test_a_retry_that_gives_up() -> None:
    played = Player(RETRY.replace("when: <% result().code != 200 %>", ""), context={"st2": {"url": "u"}})
    played.end("ask", status=Status.TIMEOUT)
    played.play(lambda request: 1 // 0)
    assert (played.status, len(played.requests)) == (Status.FAILED, 3)


def test_pause_and_resume() -> None:
    played = diamond()
    assert played.pause().status == Status.PAUSING
    played.end("left")
    assert played.end("right").status == Status.PAUSED
    assert played.tasks == ["left", "right"]
    assert played.resume().status == Status.RUNNING
    assert played.play().status == Status.SUCCEEDED


def test_it_pauses_while_all_children_wait_for_somebody() -> None:
    played = diamond()
    left, right = played.active
    assert played.change(left, Status.PENDING).status == Status.RUNNING
    assert played.change(right, Status.PAUSED).status == Status.PAUSED
    assert played.change(right, Status.RUNNING).status == Status.RUNNING
    played.end_child(right)
    assert played.status == Status.PAUSED
    assert played.end_child(left).status == Status.RUNNING
    assert played.play().status == Status.SUCCEEDED


def test_an_answer_does_not_end_a_pause_that_was_asked_for() -> None:
    played = diamond()
    played.change(played.active[0], Status.PENDING)
    played.change(played.active[1], Status.PENDING)
    assert played.pause().status == Status.PAUSED
    played.end("left")
    assert played.end("right").status == Status.PAUSED
    assert played.resume().status == Status.RUNNING


def test_cancel() -> None:
    played = diamond()
    assert played.cancel().status == Status.CANCELING
    played.end("left")
    assert played.end("right", status=Status.CANCELED).status == Status.CANCELED
    assert played.tasks == ["left", "right"]
    assert played.decision.result == {"output": {"x": 1}}


def test_a_child_that_is_canceled_cancels_the_workflow() -> None:
    played = diamond()
    assert played.end("left", status=Status.CANCELED).status == Status.CANCELING
    assert played.end("right").status == Status.CANCELED


def test_a_rerun_goes_on_from_a_task_and_meets_its_joins_again() -> None:
    played = diamond()
    played.end("left")
    played.fail("right")
    assert played.status == Status.FAILED
    played.rerun("right")
    assert played.active == ["right/0/0/1"]
    played.play()
    assert (played.status, played.output) == (Status.SUCCEEDED, {"x": 2})
    assert played.tasks == ["left", "right", "right", "end", "after"]
    played.rerun("left")
    played.play()
    assert (played.status, played.output) == (Status.SUCCEEDED, {"x": 1})
    assert played.tasks[5:] == ["left", "end", "after"]
    for tasks, reset in ((("nothing",), ()), (("left",), ("right",))):
        with pytest.raises(ValidationError):
            played.rerun(*tasks, reset=reset)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("core.echo message=<% ctx(a).b.c %>", {"task_id": "one", "route": 0}),
        ("<% ctx(a) + 1 %>", {"task_id": "one", "route": 0}),
    ],
)
def test_expressions_that_fail_name_the_task(place: str, error: dict[str, Any]) -> None:
    played = Player({"version": 1.0, "input": [{"a": {}}], "tasks": {"one": {"action": place}}})
    assert played.status == Status.FAILED
    assert len(played.errors) == 1
    assert played.errors[0].items() >= error.items()
    assert "in the expression '" in played.errors[0]["message"]


def test_transitions_and_outputs_that_fail() -> None:
    played = Player(
        """
        version: 1.0
        input: [a]
        output: [{good: 1}, {bad: <% ctx(a).b %>}, {never: <% st2kv(no) %>}, {key: <% st2kv("system.colour") %>}]
        output-on-error: [{good: 2}, {bad: <% ctx(a).b %>}]
        tasks:
          one: {action: a.a, next: [{when: <% WHEN %>, do: two}]}
          two: {action: a.b}
        """.replace("WHEN", "result().x > 1"),
        {"a": {"b": 3}},
    ).play(lambda request: {"x": "text"})
    assert played.status == Status.FAILED
    assert played.errors[0]["task_transition_id"] == "one__t0"
    assert played.output == {"good": 2, "bad": 3}
