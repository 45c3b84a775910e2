"""``st2 policy-type``: the kinds of policies."""

from __future__ import annotations

from st2cli.commands.resources import Resource

VERBS = Resource(
    path="/policytypes",
    singular="policy type",
    plural="policy types",
    listed=("ref", "resource_type", "enabled", "description"),
    shown=("id", "ref", "resource_type", "enabled", "description", "parameters"),
    filters={"resource_type": "only those for this kind of content, for instance action"},
    word="policy-type",
    sample="action.concurrency",
).reading()
