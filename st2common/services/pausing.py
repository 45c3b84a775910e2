"""Pausing a workflow, and having it go on. Other executions cannot be paused."""

from __future__ import annotations

from pymongo.database import Database

from st2common.clock import now_us
from st2common.errors import NotFound, ValidationError
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import Status
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.services.events import ExecutionEvents
from st2common.services.work_queue import advance_workflow
from st2common.transport.port import Transport

# What is asked for: from where it is possible, where it is so already, and what the context calls who asked.
_WAYS = {
    Status.PAUSING: (Status.RUNNING, frozenset({Status.PAUSING, Status.PAUSED}), "paused_by"),
    Status.RESUMING: (Status.PAUSED, frozenset({Status.RESUMING, Status.RUNNING}), "resumed_by"),
}


def pause_execution(
    database: Database[Document], transport: Transport, *, execution_id: str, user: str, web_base_url: str | None = None
) -> Document:
    """Have a workflow begin no more steps: it is "pausing" until those that run have ended. The stored execution.

    Steps that are workflows are paused too. Pausing what is paused changes nothing.

    Raises:
        NotFound: there is no such execution.
        ValidationError: it is no workflow, or does not run.
    """
    return _ask(database, transport, Status.PAUSING, execution_id, user, web_base_url)


def resume_execution(
    database: Database[Document], transport: Transport, *, execution_id: str, user: str, web_base_url: str | None = None
) -> Document:
    """Have a paused workflow go on, with the workflows among its steps. The stored execution.

    Raises:
        NotFound: there is no such execution.
        ValidationError: it is no workflow, or is not paused.
    """
    return _ask(database, transport, Status.RESUMING, execution_id, user, web_base_url)


def tell_engine(database: Database[Document], transport: Transport, execution_id: str) -> None:
    """Somebody wants something of a workflow: have an engine look, also if the message is lost."""
    WorkflowExecutions(database).look_soon(execution_id, now_us())
    advance_workflow(transport, execution_id)


def _ask(
    database: Database[Document],
    transport: Transport,
    wanted: Status,
    execution_id: str,
    user: str,
    web_base_url: str | None,
) -> Document:
    executions = Executions(database)
    execution = executions.get(execution_id)
    if execution is None:
        raise NotFound(f'Unable to identify resource with id "{execution_id}".')
    if execution["runner"]["name"] not in WORKFLOWS:
        raise ValidationError("Failed updating execution. Only workflows can be paused and resumed.")
    before, already, name = _WAYS[wanted]
    if execution["status"] in already:
        return execution
    changed = None
    if execution["status"] == before:
        changed = executions.change(execution_id, wanted, fields={f"context.{name}": user})
    if changed is None:
        verb = "paused" if wanted is Status.PAUSING else "resumed"
        raise ValidationError(f"Failed updating execution. It cannot be {verb}: its status is {execution['status']}.")
    tell_engine(database, transport, execution_id)
    ExecutionEvents(transport, web_base_url).updated(changed)
    return changed
