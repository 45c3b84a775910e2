"""Running an execution once more: all of it, or a workflow from some of its tasks on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pymongo.database import Database

from st2common.datastore.lookup import KeyAccess
from st2common.errors import NotFound, ValidationError
from st2common.models import runner_types
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED, Status
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.services import traces
from st2common.services.executions import request_execution
from st2common.transport.port import Transport


def rerun_execution(
    database: Database[Document],
    transport: Transport,
    *,
    execution_id: str,
    parameters: Mapping[str, Any],
    user: str,
    tasks: list[str] | None = None,
    reset: list[str] | None = None,
    context: Mapping[str, Any] | None = None,
    delay: int | None = None,
    keys: KeyAccess | None = None,
    web_base_url: str | None = None,
) -> Document:
    """Run the action of an execution once more, with its parameters where ``parameters`` has no other value.

    Raises:
        NotFound: there is no such execution.
        TemplateError, ValidationError: as :func:`request_execution`; or tasks are named and it is no workflow.
    """
    earlier = Executions(database).get(execution_id)
    if earlier is None:
        raise NotFound(f'Unable to identify resource with id "{execution_id}".')
    if (tasks or reset) and earlier["action"]["runner_type"] not in runner_types.ORQUESTA:
        raise ValidationError("Only the tasks of an orquesta workflow can be run again.")
    if tasks:
        _check_tasks(database, earlier, tasks)
    chosen = {name: names for name, names in (("tasks", tasks), ("reset", reset)) if names}
    again = {"re-run": {"ref": execution_id, **chosen}, "trace_context": {"id_": traces.trace_id(earlier)}}
    return request_execution(
        database,
        transport,
        action_ref=earlier["action"]["ref"],
        parameters=parameters,
        user=user,
        context={**(context or {}), **again},
        delay=delay,
        kept=earlier.get("parameters"),
        kept_secrets=earlier.get("decrypted") or (),
        keys=keys,
        web_base_url=web_base_url,
    )


def _check_tasks(database: Database[Document], earlier: Document, tasks: list[str]) -> None:
    """
    Raises:
        ValidationError: the workflow has not ended, is not there any more, or has no such tasks.
    """
    if Status(earlier["status"]) not in COMPLETED:
        raise ValidationError("Tasks can be run again when the workflow has ended.")
    workflow = WorkflowExecutions(database).get(str(earlier["_id"]), {"definition": 1})
    if workflow is None:
        raise ValidationError(f'The workflow execution "{earlier["_id"]}" has not begun, or is not there any more.')
    unknown = [task for task in tasks if task not in json.loads(workflow["definition"])["tasks"]]
    if unknown:
        raise ValidationError(f"The workflow has no task {', '.join(unknown)}.")
