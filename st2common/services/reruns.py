"""Running an execution once more: all of it, or a workflow from some of its tasks on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.database import Database

from st2common.datastore.crypto import KeyFile
from st2common.errors import NotFound, ValidationError
from st2common.models import runner_types
from st2common.models.connection import Document
from st2common.models.executions import Executions
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
    key_file: KeyFile | None = None,
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
        key_file=key_file,
        web_base_url=web_base_url,
    )
