"""``st2 policy``: what limits or repeats executions."""

from __future__ import annotations

from st2cli.commands.resources import Resource

_POLICIES = Resource(
    path="/policies",
    singular="policy",
    plural="policies",
    listed=("ref", "resource_ref", "policy_type", "enabled"),
    shown=("id", "ref", "pack", "name", "description", "enabled", "resource_ref", "policy_type", "parameters"),
    filters={
        "pack": "only the policies of this pack",
        "resource_ref": "only the policies of this action",
        "policy_type": "only the policies of this type, for instance action.retry",
    },
    word="policy",
    sample="examples.retry",
)

VERBS = {**_POLICIES.reading(), **_POLICIES.changing()}
