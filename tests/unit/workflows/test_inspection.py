"""What is found wrong with a workflow before it runs, and where."""

from __future__ import annotations

import textwrap

import pytest

from st2common.workflows.inspection import inspect_text

RIGHT = """\
version: 1.0
description: Everything at once.
input:
  - hosts
  - count: <% len(ctx(hosts)) %>
vars:
  - seen: []
tasks:
  begin:
    action: core.local cmd="echo <% ctx().count %>"
    next:
      - when: <% succeeded() %>
        publish: first=<% result().stdout %> second="{{ ctx('first') | upper }}"
        do: each, loop
  each:
    with:
      items: host in <% ctx(hosts) %>
      concurrency: "{{ ctx().count }}"
    action: core.remote
    input:
      hosts: <% item(host) %>
      cmd: "{% for n in ctx('hosts') %}{{ n }} {{ loop.index }}{% endfor %}"
    retry:
      count: 3
      when: <% failed() and regex_match(ctx(second), "x") %>
    next:
      - do: end
  loop:
    next:
      - when: <% ctx(seen).len() < 3 %>
        publish:
          - seen: <% ctx(seen) + list(1) %>
          - last: <% ctx(seen).last() %>
        do: loop
      - when: <% ctx(seen).len() >= 3 %>
        do:
          - end
  end:
    join: all
    action: core.echo message=<% ctx(last) %><% task(each).result.select($.stdout) %>
output:
  - all: <% ctx().seen %>
  - again: <% ctx(all) %>
"""


def problems(text: str) -> list[tuple[str, str, int | None]]:
    """(type, place, line) of each."""
    return [(problem.kind, problem.spec_path, problem.line) for problem in inspect_text(textwrap.dedent(text))]


def test_nothing_is_wrong_with_what_is_right() -> None:
    assert [problem.as_json() for problem in inspect_text(RIGHT)] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("description:", "descriptoin:"), ("syntax", "", 1)),
        (("count: 3", "count: x: 3"), ("syntax", "", None)),
        (("count: 3", "times: 3"), ("syntax", "tasks.each.retry", 23)),
        (("join: all", "join: some"), ("syntax", "tasks.end.join", 39)),
        (("do: end\n", "do: ende\n"), ("semantic", "tasks.each.next[0].do", 27)),
        (("do: each, loop", "do: each"), ("semantic", "tasks.loop", 28)),
        (("join: all", "join: 3"), ("semantic", "tasks.end.join", 39)),
        (("    action: core.remote\n", ""), ("semantic", "tasks.each.with", 16)),
        (("task(each)", "task(every)"), ("semantic", "tasks.end.action", 40)),
        (("ctx(last)", "ctx(latest)"), ("context", "tasks.end.action", 40)),
        (("ctx(seen) + list(1)", "ctx(lst)"), ("context", "tasks.loop.next[0].publish[0].seen", 32)),
        (("len(ctx(hosts))", "ctx(seen)"), ("context", "input[1].count", 5)),
        (("ctx().seen", "ctx('__seen')"), ("context", "output[0].all", 42)),
        (("ctx('first')", "ctx('frist')"), ("context", "tasks.begin.next[0].publish", 13)),
        (("failed()", "faild()"), ("expression", "tasks.each.retry.when", 25)),
        (("failed() and", "failed() and and"), ("expression", "tasks.each.retry.when", 25)),
        (("| upper", "| upppper"), ("expression", "tasks.begin.next[0].publish", 13)),
        (("loop.index", "lop.index"), ("expression", "tasks.each.input.cmd", 22)),
        (("endfor", "endfr"), ("expression", "tasks.each.input.cmd", 22)),
        (("<% item(host) %>", "<% item(host) %>{{ item('host') }}"), ("expression", "tasks.each.input.hosts", 21)),
    ],
    ids=lambda value: "-".join(map(str, value)),
)
def test_what_is_wrong_is_found_with_its_line(change: tuple[str, str], expected: tuple[str, str, int | None]) -> None:
    assert change[0] in RIGHT
    assert expected in problems(RIGHT.replace(*change, 1))


def test_all_is_found_at_once() -> None:
    found = problems("""
        version: 1.0
        tasks:
          a: {action: "x.y z=<% ctx(u) + %>", next: [{do: b}, {when: "{{ nope() }}", do: noop}]}
          c: {next: [{do: d}]}
          d: {join: all, next: [{do: d}]}
        output: [{o: <% ctx(v) %>}]
        """)
    assert found == [
        ("semantic", "tasks.a.next[0].do", 4),
        ("expression", "tasks.a.action", 4),
        ("expression", "tasks.a.next[1].when", 4),
        ("semantic", "tasks.d.join", 6),
        ("context", "output[0].o", 7),
    ]


def test_a_join_of_branches_that_run_several_times() -> None:
    assert problems("""
        version: 1.0
        tasks:
          a: {next: [{do: c}]}
          b: {next: [{do: c}]}
          c: {next: [{do: joined}]}
          d: {next: [{do: joined}]}
          joined: {join: all}
        """) == [("semantic", "tasks.joined.join", 8)]


def test_a_circle_has_no_way_in() -> None:
    assert problems("{version: 1.0, tasks: {a: {next: [{do: b}]}, b: {next: [{do: a}]}}}") == [("semantic", "tasks", 1)]


def test_what_a_problem_looks_like() -> None:
    [problem] = inspect_text("version: 1.0\ntasks:\n  a: {action: core.echo message=<% ctx(x) %>}\n")
    assert problem.as_json() == {
        "type": "context",
        "message": 'The variable "x" is used before anything sets it',
        "spec_path": "tasks.a.action",
        "schema_path": r"properties.tasks.patternProperties.^\w+$.properties.action",
        "expression": "ctx(x)",
        "language": "yaql",
        "line": 3,
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "a", "1", "a: [", "a: &x [*x]", "\x00", "tasks: 1\nversion: 1.0", "? [a]\n: b"]
)
def test_what_is_no_workflow_at_all(text: str) -> None:
    assert {problem.kind for problem in inspect_text(text)} == {"syntax"}


def test_a_chain_is_inspected_as_one() -> None:
    text = "chain:\n  - {name: a, ref: core.noop, on-success: b}\n"
    assert problems(text) == [("semantic", "chain[0].on-success", 2)]
