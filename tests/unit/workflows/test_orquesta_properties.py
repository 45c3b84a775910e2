"""Whatever the graph and in whatever order its children end: each task runs as often as it was reached, joins are met
once a round, and the workflow ends. (That engines decide the same, and nothing twice, is what the player checks.)"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from st2common.models.statuses import COMPLETED, Status
from st2common.workflows.inspection import inspect_text
from tests.unit.workflows.player import Json, Player

_SETTINGS = settings(max_examples=40, derandomize=True)


@st.composite
def graphs(draw: st.DrawFn) -> Json:
    """A workflow without cycles. Each transition holds always, or after one of the two ends."""
    count = draw(st.integers(1, 7))
    names = [f"t{number}" for number in range(count)]
    tasks: dict[str, Json] = {name: {} for name in names}
    for number, name in enumerate(names):
        if draw(st.booleans()):
            tasks[name]["action"] = f"a.{name} seen=<% ctx().keys().len() %>"
        if "action" in tasks[name] and draw(st.integers(0, 4)) == 0:
            tasks[name] |= {"with": {"items": f"<% range({draw(st.integers(0, 4))}) %>", "concurrency": 2}}
        if draw(st.integers(0, 5)) == 0:
            tasks[name]["retry"] = {"count": draw(st.integers(0, 2))}
        later = names[number + 1 :]
        tasks[name]["next"] = [
            {
                **draw(st.sampled_from([{}, {"when": "<% succeeded() %>"}, {"when": "<% failed() %>"}])),
                "publish": [{f"by_{name}": index}],
                "do": draw(st.lists(st.sampled_from([*later, "noop"]), min_size=1, max_size=3, unique=True)),
            }
            for index in range(draw(st.integers(0, 2)))
        ]
    for name in names:
        sources = {source for source in names for transition in tasks[source]["next"] if name in transition["do"]}
        if len(sources) > 1 and draw(st.booleans()):
            tasks[name]["join"] = draw(st.one_of(st.just("all"), st.integers(1, len(sources))))
    definition = {"version": 1.0, "tasks": tasks, "output": [{"all": "<% ctx().keys().len() %>"}]}
    assume(not _problems(definition))
    return definition


_STATUSES = st.sampled_from([Status.SUCCEEDED] * 5 + [Status.FAILED, Status.TIMEOUT, Status.ABANDONED])


def play(played: Player, data: st.DataObject, statuses: Any = _STATUSES, steps: int = 400) -> None:
    """End the children in any order."""
    while played.active and steps:
        steps -= 1
        key = data.draw(st.sampled_from(played.active), label="child")
        status = data.draw(statuses, label="status")
        assert not played.decision.ended
        played.end_child(key, {"of": key}, status)
        assert list(played.requests) == list(dict.fromkeys(played.requests))
    assert not played.active


@_SETTINGS
@given(graphs(), st.data())
def test_every_workflow_ends(definition: Json, data: st.DataObject) -> None:
    played = Player(definition)
    play(played, data)
    assert played.status in {Status.SUCCEEDED, Status.FAILED}
    assert bool(played.errors) == (played.status == Status.FAILED)
    # Nothing is left that could still run.
    unfinished = [run for run in played.state["runs"].values() if run["status"] not in COMPLETED]
    assert not unfinished or played.status == Status.FAILED


@_SETTINGS
@given(graphs(), st.data())
def test_tasks_run_as_often_as_they_were_reached(definition: Json, data: st.DataObject) -> None:
    """Without failures: what a plain walk through the graph counts. Joins of all, so that the order does not matter."""
    for task in definition["tasks"].values():
        task |= {"join": "all"} if "join" in task else {}
    assume(not _problems(definition))
    played = Player(definition)
    play(played, data, st.just(Status.SUCCEEDED))
    if played.status == Status.FAILED:
        assert all("cannot be met" in error["message"] for error in played.errors)
        return
    visits = dict.fromkeys(definition["tasks"], 0)
    for place, count in played.state["visits"].items():
        visits[place.split("/")[0]] += count
    assert visits == _reached(definition["tasks"])


def _reached(tasks: dict[str, Json]) -> dict[str, int]:
    """How often each task begins when all succeed. Names are in an order in which no transition leads back."""
    arrivals: dict[str, dict[str, int]] = {name: {} for name in tasks}
    pointed_at = {to for task in tasks.values() for transition in task["next"] for to in transition["do"]}
    reached: dict[str, int] = {}
    for name, task in tasks.items():
        came = arrivals[name]
        if "join" in task:
            sources = {source for source, other in tasks.items() for t in other["next"] if name in t["do"]}
            reached[name] = 0 if set(came) != sources else max(came.values())
        else:
            reached[name] = sum(came.values()) if name in pointed_at else 1
        joining: dict[str, int] = {}
        for transition in task["next"]:
            if transition.get("when") != "<% failed() %>":
                for to in transition["do"]:
                    if to in tasks:
                        # Two transitions of one task are one arrival at a join.
                        joining[to] = 1 if "join" in tasks[to] else joining.get(to, 0) + 1
        for to, times in joining.items():
            if reached[name]:
                arrivals[to][name] = times * reached[name]
    return reached


@_SETTINGS
@given(graphs(), st.data())
def test_pauses_lose_nothing(definition: Json, data: st.DataObject) -> None:
    """A workflow that is paused and resumed at any time requests what one that is not does."""
    plain, paused = Player(definition), Player(definition)
    while plain.active:
        key = data.draw(st.sampled_from(plain.active), label="child")
        status = data.draw(_STATUSES, label="status")
        pause = data.draw(st.booleans(), label="pause") and not paused.decision.ended
        if pause:
            assert paused.pause().status in {Status.PAUSING, Status.PAUSED}
        for player in (plain, paused):
            player.end_child(key, None, status)
        if pause and not paused.decision.ended:
            paused.resume()
        assert set(paused.active) == set(plain.active)
    assert (paused.status, paused.decision.result) == (plain.status, plain.decision.result)
    assert list(paused.requests) == list(plain.requests)


@_SETTINGS
@given(graphs(), st.data())
def test_a_cancel_ends_when_the_children_have(definition: Json, data: st.DataObject) -> None:
    played = Player(definition)
    for _ in range(data.draw(st.integers(0, 3))):
        if played.active:
            played.end_child(data.draw(st.sampled_from(played.active)), None)
    if played.decision.ended:
        return
    asked = len(played.requests)
    played.cancel()
    play(played, data)
    assert (played.status, len(played.requests)) == (Status.CANCELED, asked)


@_SETTINGS
@given(graphs(), st.data())
def test_a_rerun_of_what_failed_ends_well(definition: Json, data: st.DataObject) -> None:
    """Without conditions every failure can be made good by running it again."""
    for task in definition["tasks"].values():
        task["join"] = "all" if "join" in task else None
        task["next"] = [{"when": "<% succeeded() %>", "do": t["do"]} for t in task["next"]][:1]
    definition["tasks"] = {name: {k: v for k, v in task.items() if v} for name, task in definition["tasks"].items()}
    assume(not _problems(definition))
    played = Player(definition)
    for _ in range(20):
        play(played, data)
        if played.status == Status.SUCCEEDED:
            return
        failed = [error["task_id"] for error in played.errors if "task_id" in error]
        if not failed:
            return
        played.rerun(*dict.fromkeys(failed))
    play(played, data, st.just(Status.SUCCEEDED))


def _problems(definition: Json) -> list[Any]:
    return inspect_text(json.dumps(definition))


@settings(max_examples=100, derandomize=True)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=8)
        | st.sampled_from(["<% ctx(x) %>", "{{ a b }}", "<%", "a=1"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "tasks", "input", "a", "action", "next", "do", "when", "publish", "with", "join"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=15,
    )
)
def test_no_definition_breaks_the_inspection(definition: Any) -> None:
    for text in (json.dumps(definition), json.dumps({"version": 1.0, "tasks": definition})):
        for problem in inspect_text(text):
            assert problem.as_json()["message"]
