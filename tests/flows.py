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
#: Branches, one that is tried again, one with items, where they meet, and a step that needs nobody.
BUSY = """
version: 1.0
input: [notes]
tasks:
  begin:
    action: core.local cmd="echo begin >> <% ctx(notes) %>"
    next:
      - when: <% succeeded() %>
        do: left, right, flaky, items
  left:
    action: core.local cmd="echo left >> <% ctx(notes) %>; echo left"
    next:
      - when: <% succeeded() %>
        publish: left=<% result().stdout %>
        do: nothing
  nothing:
    action: core.noop
    next:
      - do: meet
  right:
    action: core.local cmd="echo right >> <% ctx(notes) %>; sleep 0.3; echo right"
    next:
      - when: <% succeeded() %>
        publish: right=<% result().stdout %>
        do: meet
  flaky:
    action: core.local cmd="echo flaky >> <% ctx(notes) %>; test $(grep -c flaky <% ctx(notes) %>) -ge 3"
    retry: {count: 3, delay: 0}
    next:
      - when: <% succeeded() %>
        do: meet
  items:
    with: {items: <% range(4) %>, concurrency: 2}
    action: core.local cmd="echo item <% item() %> >> <% ctx(notes) %>; echo <% item() %>"
    next:
      - when: <% succeeded() %>
        publish: items=<% result().select($.stdout) %>
        do: meet
  meet:
    join: all
    action: core.local cmd="echo meet >> <% ctx(notes) %>"
output:
  - items: <% ctx(items) %>
  - sides: <% ctx(left) %> and <% ctx(right) %>
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
        "busy": (BUSY, {"notes": {"type": "string"}}),
        "many": (MANY, {"count": {"type": "integer"}, "lines": {"type": "integer"}}),
    }.items():
        (directory / "actions" / "workflows" / f"{name}.yaml").write_text(text)
        action = {"name": name, "runner_type": "orquesta", "entry_point": f"workflows/{name}.yaml"}
        (directory / "actions" / f"{name}.yaml").write_text(yaml.safe_dump({**action, "parameters": parameters}))
