"""``/v1/workflows/inspect``: the form of its answer, and what only the platform knows."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

WORKFLOW = """
version: 1.0
tasks:
  right: {action: core.local cmd=date}
  expressions: {action: "core.<% 'local' %>", input: "<% dict(a=>1) %>"}
  none: {next: [{do: noop}]}
  unknown: {action: core.nothing}
  nameless: {action: nothing}
  needs: {action: core.local}
  more: {action: core.local, input: {cmd: date, colour: red}}
  cast: {action: core.local, input: {cmd: date, timeout: "5"}}
  later: {action: core.local, input: {cmd: "<% 1 %>", timeout: "{{ 'x' }}"}}
  wrong: {action: core.local, input: {cmd: date, timeout: soon}}
  inline: {action: core.local cmd=date timeout=ten}
"""


def inspect(client: FlaskClient, text: str) -> Any:
    response = client.post("/v1/workflows/inspect", data=text, content_type="text/plain")
    assert response.status_code == 200, response.text
    return response.json


def test_actions_are_looked_at(client: FlaskClient) -> None:
    found = inspect(client, WORKFLOW)
    assert {problem["type"] for problem in found} == {"content"}
    assert [(problem["spec_path"], problem["message"], problem["line"]) for problem in found[:4]] == [
        ("tasks.unknown", 'Action "core.nothing" cannot be found.', 7),
        ("tasks.nameless", 'Action "nothing" cannot be found.', 8),
        ("tasks.needs", 'The action "core.local" needs the parameter "cmd"', 9),
        ("tasks.more", 'The action "core.local" has no parameter "colour"', 10),
    ]
    assert [(problem["spec_path"], problem["line"]) for problem in found[4:]] == [
        ("tasks.wrong", 13),
        ("tasks.inline", 14),
    ]
    for problem in found[4:]:
        assert problem["message"].startswith('The action "core.local" does not take this value of "timeout": ')


def test_chains_too(client: FlaskClient) -> None:
    assert inspect(client, "chain: [{name: a, ref: core.local, parameters: {cmd: date}}]") == []
    assert inspect(client, "chain: [{name: a, ref: core.nothing}]")[0]["spec_path"] == "chain[0]"
    [problem] = inspect(client, "chain: [{name: a, ref: core.local, parameters: {cmd: date, timeout: [1]}}]")
    assert "timeout" in problem["message"]


def test_what_is_found_before_that(client: FlaskClient) -> None:
    [problem] = inspect(client, "version: 1.0\ntasks: {a: {action: core.nothing, delay: <% ctx(x) %>}}")
    assert set(problem) == {"type", "message", "spec_path", "schema_path", "expression", "language", "line"}


@pytest.mark.parametrize(
    "body", [{"json": {}}, {"json": {"version": 1.0}}, {"data": b"\xff", "content_type": "text/plain"}]
)
def test_what_is_no_text(client: FlaskClient, body: dict[str, Any]) -> None:
    assert client.post("/v1/workflows/inspect", **body).status_code == 400
