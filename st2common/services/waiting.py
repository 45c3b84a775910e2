"""Why an execution has not started, or does not go on, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from st2common.clock import isoformat, now_us
from st2common.models import leases, policies
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.policy_slots import COLLECTION as SLOTS
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import Status

# No more executions that wait before this one are counted: a queue may be of any length.
_COUNTED = 1000
# Executions and users that are named; of more the count is told.
_NAMED = 3

# What is read of an execution: never its output or its action.
_FIELDS = ("status", "start_timestamp", "attempt", "owner", "lease_until", "not_before", "waits_for", "pending_until")
_PROJECTION = {
    **dict.fromkeys(_FIELDS, 1),
    "cancel": 1,
    "result.users": 1,
    "result.roles": 1,
    "runner.name": 1,
}


@dataclass(frozen=True)
class Facts:
    """What else the words depend on."""

    #: Microseconds since the epoch.
    now: int
    #: Names of the action runners that are alive.
    runners: Sequence[str] = ()
    #: Names of the workflow engines that are alive.
    engines: Sequence[str] = ()
    collector_alive: bool = True
    broker_healthy: bool = True
    #: Of a workflow: its steps that wait for an answer.
    inquiries: Sequence[str] = ()
    #: How many wait before it for the same: for a runner, or for a slot. Counted up to a thousand.
    before: int = 0
    #: The policy that delays it, in its API form, and the executions that hold its slots.
    policy: Mapping[str, Any] | None = None
    holders: Sequence[str] = ()


def why(database: Database[Document], execution_id: str, *, broker_healthy: bool) -> str | None:
    """What an execution waits for; None where it does not wait, or is not there."""
    stored = Executions(database).get(execution_id, _PROJECTION)
    if stored is None or Status(stored["status"]) not in _WORDS:
        return None
    return in_words(stored, _facts(database, stored, broker_healthy))


def in_words(stored: Mapping[str, Any], facts: Facts) -> str | None:
    """The same of facts that were found already."""
    words = _WORDS.get(Status(stored["status"]))
    return words(stored, facts) if words else None


def _facts(database: Database[Document], stored: Mapping[str, Any], broker_healthy: bool) -> Facts:
    policy, holders, before = None, [], 0
    same = {"status": stored["status"], "start_timestamp": {"$lt": stored["start_timestamp"]}}
    if key := stored.get("waits_for"):
        policy = policies.get(_policy_of(key))
        slot = database[SLOTS].find_one({"_id": key})
        holders = [holder for holder in (slot["holders"] if slot else []) if holder != str(stored["_id"])]
        same["waits_for"] = key
    if key or stored["status"] == Status.REQUESTED:
        before = Executions(database).collection.count_documents(same, limit=_COUNTED + 1)
    return Facts(
        now=now_us(),
        runners=leases.holders(database, leases.RUNNERS),
        engines=leases.holders(database, leases.ENGINES),
        collector_alive=bool(leases.holders(database, leases.COLLECTOR)),
        broker_healthy=broker_healthy,
        before=before,
        inquiries=_pending_steps(database, stored) if stored["status"] == Status.PAUSED else (),
        policy=policy,
        holders=holders,
    )


def _pending_steps(database: Database[Document], stored: Mapping[str, Any]) -> list[str]:
    steps = {"parent": str(stored["_id"]), "status": str(Status.PENDING)}
    return [str(step["_id"]) for step in Executions(database).collection.find(steps, {"_id": 1})]


def _is_workflow(stored: Mapping[str, Any]) -> bool:
    return (stored.get("runner") or {}).get("name") in WORKFLOWS


def _requested(stored: Mapping[str, Any], facts: Facts) -> str:
    if _is_workflow(stored):
        missing = "" if facts.engines else ": none is alive (st2rulesengine)"
        return f"Waits for a workflow engine{missing}."
    again = "Its runner was lost, and it is to be run again. " if stored.get("attempt") else ""
    if not facts.runners:
        return f"{again}Waits for an action runner: none is alive."
    if not facts.broker_healthy:
        return f"{again}Waits for an action runner: the message broker is away."
    runners = "the action runner" if len(facts.runners) == 1 else f"one of {len(facts.runners)} action runners"
    return f"{again}Waits for a free place on {runners}: {_before(facts)}."


def _delayed(stored: Mapping[str, Any], facts: Facts) -> str:
    if stored.get("waits_for"):
        words = _delayed_by_policy(stored["waits_for"], facts)
    elif stored.get("not_before"):
        over = stored["not_before"] <= facts.now
        words = f"Its delay {'was over at' if over else 'lasts until'} {isoformat(stored['not_before'])}."
    else:
        words = "Is delayed."
    return words + _without_collector(facts)


def _delayed_by_policy(key: str, facts: Facts) -> str:
    ref = _policy_of(key)
    if facts.policy is None:
        return f'Was delayed by policy "{ref}", which is not there any more: it is about to go on.'
    limit = facts.policy["parameters"].get("threshold")
    alike = " with the same values" if "/" in key else ""
    words = f'Delayed by policy "{ref}": at most {limit} of "{facts.policy["resource_ref"]}"{alike} may run at once.'
    if facts.holders:
        words += f" Waits for the end of {_listed(facts.holders, 'or')}: {_before(facts)}."
    return words


def _running(stored: Mapping[str, Any], facts: Facts) -> str | None:
    """Only what its runner has left alone waits."""
    if stored.get("lease_until", facts.now) >= facts.now:
        return None
    return f"Waits for the garbage collector: {_silent(stored)}.{_without_collector(facts)}"


def _canceling(stored: Mapping[str, Any], facts: Facts) -> str:
    who = (stored.get("cancel") or {}).get("user")
    asked = f"Its end was asked for by {who}. " if who else ""
    if _is_workflow(stored):
        return f"{asked}Waits for the end of its steps."
    if stored.get("lease_until", facts.now) < facts.now:
        return f"{asked}Waits for the garbage collector: {_silent(stored)}.{_without_collector(facts)}"
    return f"{asked}Waits for action runner {stored.get('owner')} to end its processes."


def _pending(stored: Mapping[str, Any], facts: Facts) -> str:
    asked = stored.get("result") or {}
    users, roles = asked.get("users") or [], asked.get("roles") or []
    whom = _listed(users, "or") if users else "anybody"
    if roles:
        whom += f" with the role {_listed(roles, 'or')}"
    until = f" until {isoformat(stored['pending_until'])}" if stored.get("pending_until") else ""
    identity = stored["_id"]
    return f"Waits for {whom} to answer inquiry {identity}{until}: st2 inquiry respond {identity}"


def _paused(_stored: Mapping[str, Any], facts: Facts) -> str:
    if facts.inquiries:
        answer = f"st2 inquiry respond {facts.inquiries[0]}"
        return f"Is paused until somebody answers inquiry {_listed(facts.inquiries, 'and')}: {answer}"
    return "Is paused: it goes on when somebody resumes it."


_WORDS: dict[Status, Callable[[Mapping[str, Any], Facts], str | None]] = {
    Status.REQUESTED: _requested,
    Status.DELAYED: _delayed,
    Status.RUNNING: _running,
    Status.CANCELING: _canceling,
    Status.PENDING: _pending,
    Status.PAUSED: _paused,
}


def _policy_of(key: str) -> str:
    return key.partition("/")[0]


def _before(facts: Facts) -> str:
    if facts.before > _COUNTED:
        return f"more than {_COUNTED} executions are before it"
    if facts.before == 0:
        return "it is the next one"
    return "1 execution is before it" if facts.before == 1 else f"{facts.before} executions are before it"


def _silent(stored: Mapping[str, Any]) -> str:
    return f"action runner {stored.get('owner')} has been silent, its lease ended at {isoformat(stored['lease_until'])}"


def _without_collector(facts: Facts) -> str:
    return "" if facts.collector_alive else " No garbage collector is alive, without which it does not go on."


def _listed(names: Sequence[str], word: str) -> str:
    """``a``; ``a or b``; ``a, b, c or 4 others``."""
    shown = [str(name) for name in names[:_NAMED]]
    if len(names) > len(shown):
        return f"{', '.join(shown)} {word} {len(names) - len(shown)} others"
    return f" {word} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
