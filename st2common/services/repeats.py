"""Running an action once more whose runner was lost, where the action says that it may be run twice.

It says so by a tag in its metadata, which other platforms of the family read over::

    tags:
      - name: repeatable
        value: true
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.errors import Fenced
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.writer import Writer
from st2common.services.events import ExecutionEvents

TAG = "repeatable"

# An action that brings its runner down would do so for ever.
MAX_RUNS = 3


def may_run_again(execution: Mapping[str, Any]) -> bool:
    """Whether a lost run of it may be followed by another one. Never that of what somebody wants to end."""
    tags = execution["action"].get("tags") or []
    allowed = any(tag["name"] == TAG and str(tag.get("value")).lower() == "true" for tag in tags)
    return allowed and execution["status"] == Status.RUNNING and runs(execution) < MAX_RUNS


def runs(execution: Mapping[str, Any]) -> int:
    """How often a runner has begun it, the lost run included."""
    return int(execution.get("repeats", 0)) + 1


def run_again(
    executions: Executions, events: ExecutionEvents, writer: Writer, held: Mapping[str, Any], reason: str
) -> Document | None:
    """Mark in its log what has happened, and give it back; the sweeper queues it. None if it may not go back any more.

    ``held``: as its holder has it, whose ``attempt`` owns the log that ``writer`` writes to. Repeating it is safe, but
    for the mark, which is there twice then.

    Raises:
        Fenced: another attempt owns it.
    """
    lost = runs(held)
    writer.remark(f"--- {reason} The action is run again: run {lost + 1} of at most {MAX_RUNS}. ---")
    fields = {"repeats": lost, "republish_at": 0}
    execution_id, attempt = str(held["_id"]), held["attempt"]
    again = executions.change(execution_id, Status.REQUESTED, attempt=attempt, fields=fields)
    if again is None and (found := executions.get(execution_id)):
        if found["attempt"] != attempt:
            raise Fenced
        # Given back by an earlier try, whose answer was lost on the way?
        again = found if found["status"] == Status.REQUESTED else None
    if again is not None:
        events.updated(again)
    return again
