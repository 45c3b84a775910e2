"""What all workflow executions need."""

from __future__ import annotations

from dataclasses import dataclass

from pymongo.database import Database

from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.workflow_executions import WorkflowExecutions
from st2common.services.events import ExecutionEvents
from st2common.transport.port import Transport


@dataclass(frozen=True)
class Workshop:
    database: Database[Document]
    transport: Transport
    executions: Executions
    workflows: WorkflowExecutions
    events: ExecutionEvents
