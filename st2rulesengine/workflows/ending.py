"""How a workflow execution ends: the status with the result, the end of its log, the news."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from st2common.models import execution_tree, runner_types
from st2common.models.connection import Document
from st2common.models.statuses import COMPLETED, Status, way
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.cancellation import NotCancelable, cancel_execution
from st2common.services.log_end import end_log
from st2common.services.stored_result import storable
from st2rulesengine.workflows.workshop import Workshop

LOG = logging.getLogger(__name__)


class Ending:
    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._log = MongoOutputLog(workshop.database)

    def end(self, execution: Document, workflow: Mapping[str, Any]) -> bool:
        """End an execution as its workflow has ended; False where something else has happened to it meanwhile."""
        result = json.loads(workflow.get("result") or "{}")
        return self._end(execution, Status(workflow["status"]), result, workflow["secrets"])

    def fail(self, execution: Document, errors: Sequence[Mapping[str, Any]]) -> bool:
        """End an execution that cannot go on, with all its steps; False as :meth:`end`."""
        if Status(execution["status"]) not in COMPLETED:
            self.cancel_steps(execution)
        return self._end(execution, Status.FAILED, _failure(execution, errors))

    def cancel_steps(self, execution: Document) -> None:
        """Ask for the end of all steps that have not ended."""
        for step in execution_tree.children_of(self._workshop.executions.collection, [str(execution["_id"])], _STATUS):
            if Status(step["status"]) not in COMPLETED:
                self.cancel_step(execution, str(step["_id"]))

    def cancel_step(self, execution: Document, step_id: str) -> None:
        """Ask for the end of one, in the name of whoever asked for that of the workflow."""
        user = (execution.get("cancel") or execution["context"])["user"]
        try:
            cancel_execution(self._workshop.database, self._workshop.transport, execution_id=step_id, user=user)
        except NotCancelable:
            LOG.debug("Step %s has ended, or is ending", step_id)

    def close(self, execution: Document) -> None:
        """What follows the final status. Repeating it is safe."""
        end_log(self._log, self._workshop.transport, execution)
        self._workshop.workflows.close(str(execution["_id"]))

    def _end(self, execution: Document, wanted: Status, result: Mapping[str, Any], secrets: Sequence[str] = ()) -> bool:
        status, stored, size = storable(wanted, result, {**execution, "result": None})
        *between, last = way(Status(execution["status"]), status) or [Status.CANCELED]
        execution_id = str(execution["_id"])
        for passed in between:
            if self._workshop.executions.change(execution_id, passed) is None:
                return False
        # Whoever has canceled it has set the result.
        canceled = last is Status.CANCELED and "cancel" in execution
        fields = {} if canceled else {"result": stored, "result_size": size}
        if hidden := dict.fromkeys([*(execution.get("decrypted") or ()), *secrets]):
            fields["decrypted"] = [*hidden]
        ended = self._workshop.executions.change(execution_id, last, fields=fields)
        if ended is None:
            return False
        self.close(ended)
        self._workshop.events.updated(ended)
        return True


_STATUS = {"status": 1}


def _failure(execution: Document, errors: Sequence[Mapping[str, Any]]) -> Document:
    if execution["runner"]["name"] in runner_types.ORQUESTA:
        return {"output": None, "errors": [dict(error) for error in errors]}
    return {"tasks": [], "error": "; ".join(error["message"] for error in errors), "errors": [*errors]}
