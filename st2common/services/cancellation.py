"""Canceling an execution."""

from __future__ import annotations

from pymongo.database import Database

from st2common.errors import NotFound, ValidationError
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.executions import Executions
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import CANCELABLE, Status
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.events import ExecutionEvents
from st2common.services.log_end import end_log
from st2common.services.pausing import tell_engine
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import CANCEL

# Held by no runner: nothing has to be ended before the execution is.
_UNHELD = frozenset({Status.REQUESTED, Status.SCHEDULED, Status.DELAYED, Status.PENDING})


class NotCancelable(ValidationError):
    """Action cannot be canceled."""


def cancel_execution(
    database: Database[Document],
    transport: Transport,
    *,
    execution_id: str,
    user: str,
    web_base_url: str | None = None,
) -> Document:
    """Ask for the end of an execution; the stored document as it is then.

    What no runner has begun is canceled at once. What runs becomes "canceling", and its runner is told; the runner
    also finds out by itself when it renews its lease. A workflow is "canceling" until its steps have ended, which are
    canceled too. Canceling what is canceled already changes nothing.

    Raises:
        NotFound: there is no such execution.
        NotCancelable: it has ended, or somebody asked for its end before.
    """
    executions = Executions(database)
    # Each turn that changes nothing has seen the execution move on, and it does not do that for ever.
    while True:
        execution = executions.get(execution_id)
        if execution is None:
            raise NotFound(f'Unable to identify resource with id "{execution_id}".')
        status = Status(execution["status"])
        if status is Status.CANCELED:
            return execution
        if status not in CANCELABLE:
            raise NotCancelable(f"Action cannot be canceled. State = {status}.")
        result = {"message": "Action canceled by user.", "user": user}
        changed = executions.change(
            execution_id,
            Status.CANCELED if status in _UNHELD else Status.CANCELING,
            attempt=execution["attempt"],
            fields={
                "cancel": {"user": user},
                "context.cancelled_by": user,
                "result": result,
                "result_size": result_size(result),
            },
        )
        if changed:
            break
    if status in _UNHELD:
        end_log(MongoOutputLog(database), transport, changed)
    elif changed["runner"]["name"] in WORKFLOWS:
        tell_engine(database, transport, execution_id)
    elif changed.get("owner"):
        body = {"v": SCHEMA_VERSION, "execution_id": execution_id}
        transport.notify(CANCEL, changed["owner"], body)
    ExecutionEvents(transport, web_base_url).updated(changed)
    return changed
