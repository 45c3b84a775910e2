"""Which tasks of an Orquesta workflow follow each other, and with what."""

from __future__ import annotations

from st2common.models.statuses import Status
from tests.unit.workflows.player import Player

SEQUENCE = """
version: 1.0
input:
  - name
  - greeting: <% "Hello " + ctx(name) %>
vars:
  - said: null
tasks:
  greet:
    action: core.echo message=<% ctx(greeting) %> count=3
    next:
      - when: <% succeeded() %>
        publish: said=<% result().stdout %>
        do: report
      - when: <% failed() %>
        publish:
          - said: "nothing: <% result().stderr %>"
        do: apologise
  report:
    action: core.local
    input:
      cmd: "{{ ctx('said') }}"
  apologise:
    action: core.echo message="So sorry, {{ ctx().name }}"
output:
  - said: <% ctx(said) %>
"""


def test_a_sequence_from_input_to_output() -> None:
    played = Player(SEQUENCE, {"name": "Ada"})
    assert played.status == Status.RUNNING
    assert played.input("greet") == {"message": "Hello Ada", "count": 3}
    played.end("greet", {"stdout": "hi"})
    assert played.input("report") == {"cmd": "hi"}
    assert played.requests[played.active[0]].action == "core.local"
    played.end("report")
    assert (played.status, played.output, played.errors) == (Status.SUCCEEDED, {"said": "hi"}, [])
    assert played.tasks == ["greet", "report"]


def test_a_failure_that_is_remedied() -> None:
    played = Player(SEQUENCE, {"name": "Ada"})
    played.fail("greet", {"stderr": "mute"})
    assert played.input("apologise") == {"message": "So sorry, Ada"}
    played.end("apologise")
    assert (played.status, played.output) == (Status.SUCCEEDED, {"said": "nothing: mute"})


def test_a_failure_that_nothing_follows() -> None:
    played = Player(SEQUENCE, {"name": "Ada"}).play(lambda request: {"stdout": 1 // (request.task != "report")})
    assert played.status == Status.FAILED
    error = {"error": "integer division or modulo by zero"}
    assert played.output == {"said": 1}
    assert played.errors == [
        {
            "type": "error",
            "message": "Execution failed. See result for details.",
            "task_id": "report",
            "route": 0,
            "result": error,
        }
    ]
