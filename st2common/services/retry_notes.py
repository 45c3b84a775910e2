"""Which executions a retry policy applies to: asked when one is requested, and again when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.database import Database

from st2common.models import policy_types
from st2common.models.connection import Document
from st2common.models.policy_retries import PolicyRetries
from st2common.models.statuses import Status

_RETRIED = {policy_types.ON_FAILURE: Status.FAILED, policy_types.ON_TIMEOUT: Status.TIMEOUT}


def watch(database: Database[Document], execution: Mapping[str, Any], policies: Sequence[Mapping[str, Any]]) -> None:
    """Note an execution that is going to be stored, if one of the ``policies`` may retry it."""
    if any(_applies(policy, execution) for policy in policies):
        PolicyRetries(database).watch(execution["_id"])


def policy_for(execution: Mapping[str, Any], policies: Sequence[Document]) -> Document | None:
    """The policy that retries an execution which has ended as it did."""
    matching = [
        policy
        for policy in sorted(policies, key=lambda policy: str(policy["ref"]))
        if _applies(policy, execution) and execution["status"] == _RETRIED[policy["parameters"]["retry_on"]]
    ]
    return matching[0] if matching else None


def retries_before(execution: Mapping[str, Any]) -> int:
    """How many retries have led to this execution."""
    count = (execution["context"].get("policies") or {}).get("retry", {}).get("retry_count", 0)
    return count if isinstance(count, int) else 0


def _applies(policy: Mapping[str, Any], execution: Mapping[str, Any]) -> bool:
    if policy["policy_type"] != policy_types.RETRY or execution["context"].get("parent"):
        return False
    return retries_before(execution) < int(policy["parameters"]["max_retry_count"])
