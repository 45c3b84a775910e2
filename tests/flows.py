"""A pack of workflows for tests with whole platforms."""

from __future__ import annotations

from pathlib import Path

import yaml

#: Three steps, the second of which is a workflow itself. Each step notes in ``notes`` that it ran.
INNER = """
version: 1.0
input: [notes, gate]
tasks:
  wait:
    action: core.local
    input:
      cmd: "echo wait >> <% ctx(notes) %>; echo inside; until [ -e <% ctx(gate) %> ]; do sleep 0.02; done; echo out"
    next:
      - do: nothing
  nothing:
    action: core.noop
"""
OUTER = """
version: 1.0
input: [notes, gate]
tasks:
  before:
    action: core.local
    input: {cmd: "echo before >> <% ctx(notes) %>; echo one"}
    next:
      - when: <% succeeded() %>
        publish: said=<% result().stdout %>
        do: inner
  inner:
    action: flows.inner
    input: {notes: <% ctx(notes) %>, gate: <% ctx(gate) %>}
    next:
      - do: after
  after:
    with: <% [1, 2] %>
    action: core.local
    input: {cmd: "echo after <% item() %> >> <% ctx(notes) %>; echo last <% item() %>"}
output:
  - said: <% ctx(said) %>
"""
FAILING = """
version: 1.0
tasks:
  good:
    action: core.local cmd="echo fine"
    next:
      - do: bad
  bad:
    action: core.local cmd="echo bad; exit 3"
"""
#: ``count`` steps, twenty at a time, each of which prints ``lines`` lines: its number and theirs.
MANY = """
version: 1.0
input: [count, lines]
tasks:
  each:
    with: {items: <% range(ctx(count)) %>, concurrency: 20}
    action: core.local
    input: {cmd: "seq -f <% item() %>.%g <% ctx(lines) %>"}
"""
#: What the steps of OUTER note.
NOTES = ["after 1", "after 2", "before", "wait"]


def write_pack(packs: Path) -> None:
    """Put the pack ``flows`` below a directory of packs."""
    directory = packs / "flows"
    (directory / "actions" / "workflows").mkdir(parents=True)
    manifest = {"ref": "flows", "name": "flows", "description": "Workflows", "version": "1.0.0"}
    manifest |= {"author": "somebody", "email": "info@example.com"}
    (directory / "pack.yaml").write_text(yaml.safe_dump(manifest))
    place = {"notes": {"type": "string"}, "gate": {"type": "string"}}
    for name, (text, parameters) in {
        "inner": (INNER, place),
        "outer": (OUTER, place),
        "failing": (FAILING, {}),
        "many": (MANY, {"count": {"type": "integer"}, "lines": {"type": "integer"}}),
    }.items():
        (directory / "actions" / "workflows" / f"{name}.yaml").write_text(text)
        action = {"name": name, "runner_type": "orquesta", "entry_point": f"workflows/{name}.yaml"}
        (directory / "actions" / f"{name}.yaml").write_text(yaml.safe_dump({**action, "parameters": parameters}))
