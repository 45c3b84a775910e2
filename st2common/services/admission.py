"""Concurrency policies: an execution of a limited action begins when it holds a slot of each policy, and waits or ends
otherwise. See ``docs/policies.md`` for why no two processes can let in one too many.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from st2common.models import policies, policy_types
from st2common.models.connection import Document
from st2common.models.delayed_executions import DelayedExecutions
from st2common.models.execution_view import result_size
from st2common.models.executions import Executions
from st2common.models.policy_slots import PolicySlots
from st2common.models.statuses import Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.events import ExecutionEvents
from st2common.services.log_end import end_log
from st2common.services.parameters import schema_of
from st2common.services.work_queue import queue_execution
from st2common.transport.port import Transport

# Waiting executions of one key that are looked at together. Mostly one begins when one has ended.
_BATCH = 10

_LIMITS = (policy_types.CONCURRENCY_BY_ATTRIBUTES, policy_types.CONCURRENCY)


@dataclass(frozen=True)
class Slot:
    """What one policy asks of one execution."""

    key: str
    threshold: int
    policy: Mapping[str, Any]
    #: Whether an execution that finds none free is canceled, and does not wait.
    cancels: bool


def slots_of(execution: Mapping[str, Any], limits: Sequence[Mapping[str, Any]]) -> list[Slot]:
    """The slots that an execution needs, of the ``limits`` (policies) that hold for its action.

    In the order in which everybody takes them, those of few executions first: whoever waits for such a slot holds
    nothing that others could use.
    """
    needed = [policy for policy in limits if policy["policy_type"] in _LIMITS]
    needed.sort(key=lambda policy: (_LIMITS.index(policy["policy_type"]), policy["ref"]))
    return [
        Slot(
            key=_key(execution, policy),
            threshold=policy["parameters"]["threshold"],
            policy=policy,
            cancels=policy["parameters"].get("action") == policy_types.CANCEL,
        )
        for policy in needed
    ]


class Admission:
    """Lets executions begin that hold all their slots."""

    def __init__(self, database: Database[Document], transport: Transport, web_base_url: str | None = None) -> None:
        self._executions = Executions(database)
        self._delayed = DelayedExecutions(database)
        self._slots = PolicySlots(database)
        self._log = MongoOutputLog(database)
        self._transport = transport
        self._events = ExecutionEvents(transport, web_base_url)

    def begin(self, execution: Document, slots: Sequence[Slot]) -> Document:
        """Decide about an execution that was just stored as "delayed" and that nobody has been told about.

        Its document afterwards: requested, still delayed, or canceled.
        """
        identity = str(execution["_id"])
        refused = self._take_all(execution, slots, in_turn=False)
        if refused is None:
            after = self._delayed.move(execution, Status.REQUESTED, logged=False)
        elif refused.cancels:
            after = self._cancel(execution, refused)
        else:
            after = self._delayed.move(execution, Status.DELAYED, waits_for=refused.key)
            self._slots.queue(refused.key)
        # None: whoever lets in what waits has seen it already, or somebody has canceled it.
        return after or self._executions.get(identity) or execution

    def release_due(self, limit: int) -> int:
        """Let the executions begin whose delay is over, or have them wait for their slots; how many were looked at."""
        due = self._delayed.due(limit)
        for execution in due:
            slots = slots_of(execution, policies.enabled_for(execution["action"]["ref"]))
            if slots and not self._delayed.move(execution, Status.DELAYED, waits_for=slots[0].key, logged=False):
                continue
            self._let_in(execution, slots)
        return len(due)

    def release_waiting(self) -> int:
        """Let executions begin that wait for slots, the oldest of each key first; how many began or ended."""
        limits: dict[str, list[Document]] = {}
        return sum(self._release(key, limits) for key in self._delayed.awaited_slots())

    def _release(self, key: str, limits: dict[str, list[Document]]) -> int:
        """``limits`` are the policies by action that were read already."""
        changed = 0
        while batch := self._delayed.waiting(key, _BATCH):
            for execution in batch:
                action_ref = execution["action"]["ref"]
                if action_ref not in limits:
                    limits[action_ref] = policies.enabled_for(action_ref)
                refused = self._let_in(execution, slots_of(execution, limits[action_ref]))
                if refused is None:
                    changed += 1
                elif refused.key == key:
                    return changed
        self._slots.unqueue(key)
        return changed

    def _let_in(self, execution: Document, slots: Sequence[Slot]) -> Slot | None:
        """Have an execution wait no more; or the slot that it waits for."""
        refused = self._take_all(execution, slots, in_turn=True)
        if refused is None:
            after = self._delayed.move(execution, Status.REQUESTED)
        elif refused.cancels:
            after = self._cancel(execution, refused)
        else:
            if refused.key != execution.get("waits_for"):
                self._delayed.move(execution, Status.DELAYED, waits_for=refused.key, logged=False)
                self._slots.queue(refused.key)
            return refused
        if after is not None:
            self._events.updated(after)
        if after is not None and refused is None:
            queue_execution(self._transport, execution)
        return None

    def _take_all(self, execution: Document, slots: Sequence[Slot], *, in_turn: bool) -> Slot | None:
        """Take the slots one after the other; the first that is not to be had.

        What was taken before it is kept: everybody takes them in the same order, so nobody waits for ever. Giving it
        back could take it from somebody else who lets in the same execution in this moment.
        """
        for slot in slots:
            taken = self._slots.take(
                slot.key,
                str(execution["_id"]),
                slot.threshold,
                functools.partial(self._running, slot.key, slot.policy),
                overtakes=in_turn or slot.cancels,
            )
            if not taken:
                return slot
        return None

    def _running(self, key: str, policy: Mapping[str, Any]) -> list[str]:
        """What runs already when the first execution asks for a key: it was let in without a slot."""
        active = self._delayed.let_in_before(policy["resource_ref"])
        return [str(execution["_id"]) for execution in active if _key(execution, policy) == key]

    def _cancel(self, execution: Document, refused: Slot) -> Document | None:
        message = (
            f'Canceled by policy "{refused.policy["ref"]}": {refused.threshold} executions of '
            f'action "{execution["action"]["ref"]}" have not ended yet.'
        )
        result = {"message": message, "policy": refused.policy["ref"]}
        fields = {"result": result, "result_size": result_size(result)}
        canceled = self._delayed.move(execution, Status.CANCELED, fields=fields)
        if canceled is not None:
            end_log(self._log, self._transport, canceled)
        return canceled


def _key(execution: Mapping[str, Any], policy: Mapping[str, Any]) -> str:
    """``<policy>`` or ``<policy>/<digest of the values>``: values may be secret, and of any size."""
    if policy["policy_type"] == policy_types.CONCURRENCY:
        return str(policy["ref"])
    schema = schema_of(execution["action"], execution["runner"])
    given = execution.get("parameters") or {}
    values = {name: given.get(name, schema.default(name)) for name in policy["parameters"]["attributes"]}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
    return f"{policy['ref']}/{digest}"
