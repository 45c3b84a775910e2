"""Workflows, through the official client."""

from __future__ import annotations

from pathlib import Path

from tests.official.client import Client


def test_a_definition_is_inspected(st2: Client, tmp_path: Path) -> None:
    file = tmp_path / "workflow.yaml"
    file.write_text("version: 1.0\ntasks:\n  a: {action: core.local cmd=date}\n")
    assert st2("workflow", "inspect", "--file", str(file)).out.strip() == "No errors found in workflow definition."
    file.write_text("version: 1.0\ntasks:\n  a: {action: core.nothing, next: [{do: b, when: <% ctx(x) + %>}]}\n")
    found = st2("workflow", "inspect", "--file", str(file)).out
    for told in ("semantic", "tasks.a.next[0].do", "expression", "tasks.a.next[0].when"):
        assert told in found, found
