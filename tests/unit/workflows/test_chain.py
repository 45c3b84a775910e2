"""Action chains: which node follows which, what they know of each other, how the chain ends."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.errors import ValidationError
from st2common.models.statuses import Status
from st2common.workflows.languages import parse
from st2common.workflows.problems import InvalidWorkflow
from tests.unit.workflows.player import Player

CHAIN = """
vars:
  where: "{{ host }}.example.org"
chain:
  - name: c1
    ref: core.local
    parameters:
      cmd: "ping {{ where }}"
      env: {HOSTS: ["{{ host }}", "{{ count }}"]}
    publish:
      answer: "{{ c1.stdout }}"
    on-success: c2
    on-failure: repair
  - name: c2
    ref: core.echo
    parameters:
      message: "{{ answer }} {{ __results['c1'].stdout }} {{ st2kv.system.colour }} {{ action_context.user }}"
  - name: repair
    ref: core.noop
    notify:
      on-complete: {routes: [mail]}
    on-success: "{{ where_next }}"
"""


def chain(text: str = CHAIN, **inputs: Any) -> Player:
    return Player(text, {"host": "h", "count": 2, "where_next": "c2", **inputs}, runner_type="action-chain")


def test_nodes_follow_each_other_and_know_results() -> None:
    played = chain()
    assert played.input("c1") == {"cmd": "ping h.example.org", "env": {"HOSTS": ["h", 2]}}
    played.end("c1", {"stdout": "pong"})
    assert played.input("c2") == {"message": "pong pong red ada"}
    played.end("c2", {"stdout": "done"})
    assert played.status == Status.SUCCEEDED
    result = played.decision.result
    assert result is not None
    assert result["published"] == {"answer": "pong"}
    assert [(task["id"], task["state"], task["result"]) for task in result["tasks"]] == [
        ("c1", "succeeded", {"stdout": "pong"}),
        ("c2", "succeeded", {"stdout": "done"}),
    ]
    assert result["tasks"][0]["created_at"] == "1970-01-01T00:00:02.000000+00:00"
    assert result["tasks"][0]["execution_id"] == "execution c1/0/0/0"


def test_a_node_that_remedies_decides_how_the_chain_ends() -> None:
    played = chain(where_next="")
    played.fail("c1")
    assert played.requests[played.active[0]].notify == {"on-complete": {"routes": ["mail"]}}
    played.end("repair")
    assert played.status == Status.SUCCEEDED
    assert chain(where_next="nowhere").play(lambda request: 1 // (request.task != "c1")).status == Status.FAILED


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMEOUT, Status.ABANDONED])
def test_the_chain_ends_like_its_last_node(status: Status) -> None:
    played = chain()
    played.end("c1", {"stdout": "pong"})
    played.end("c2", status=status)
    assert played.status == (Status.TIMEOUT if status == Status.TIMEOUT else Status.FAILED)


def test_templates_that_fail_end_the_chain() -> None:
    played = chain(CHAIN.replace("{{ where }}", "{{ nowhere }}"))
    assert played.status == Status.FAILED
    assert played.decision.result is not None
    assert played.decision.result["error"] == (
        "Failed to run task \"c1\". Parameter rendering failed: 'nowhere' is undefined"
    )
    played = chain()
    played.end("c1", {})
    assert played.decision.result is not None
    assert played.decision.result["error"].startswith('Failed to go on after the node "c1":')


def test_a_circle_visits_nodes_again() -> None:
    played = chain("default: c1" + CHAIN.replace("on-success: c2", "on-success: c1"))
    for number in range(3):
        played.end("c1", {"stdout": str(number)})
    assert list(played.requests) == [f"c1/0/{number}/0" for number in range(4)]


def test_pause_resume_and_cancel() -> None:
    played = chain()
    assert played.pause().status == Status.PAUSING
    assert played.end("c1", {"stdout": ""}).status == Status.PAUSED
    assert played.active == []
    assert played.resume().status == Status.RUNNING
    assert played.tasks == ["c1", "c2"]
    assert played.change(played.active[0], Status.PAUSED).status == Status.PAUSED
    assert played.resume().status == Status.RUNNING
    assert played.cancel().status == Status.CANCELING
    assert played.end("c2").status == Status.CANCELED
    with pytest.raises(ValidationError):
        played.rerun("c1")


@pytest.mark.parametrize(
    ("definition", "place", "message"),
    [
        ({"chain": []}, "chain", "non-empty"),
        ({"chain": [{"name": "a"}]}, "chain[0]", "'ref' is a required property"),
        ({"chain": [{"name": "a", "ref": "b.c", "retry": 1}]}, "chain[0]", "'retry' was unexpected"),
        ({"chain": [{"name": "a", "ref": "b.c", "on-success": "x"}]}, "chain[0].on-success", '"x"'),
        ({"chain": [{"name": "a", "ref": "b.c"}], "default": "x"}, "default", '"x"'),
        ({"chain": [{"name": "a", "ref": "b.c"}] * 2}, "chain[1].name", "two nodes"),
        ({"chain": [{"name": "a", "ref": "b.c", "params": {"x": 1}, "parameters": {"x": 1}}]}, "chain[0]", "not both"),
        ([], "", "not of type 'object'"),
    ],
)
def test_definitions_that_are_refused(definition: Any, place: str, message: str) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        parse("action-chain", definition)
    assert [problem.spec_path for problem in caught.value.problems] == [place]
    assert message in caught.value.problems[0].message
    assert caught.value.problems[0].as_json()["type"] in {"syntax", "semantic"}
