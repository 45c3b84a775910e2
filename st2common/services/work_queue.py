"""Handing executions to those who run them: workflows to the workflow engine, all others to the action runners."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from st2common.errors import TransportError
from st2common.models import runner_types
from st2common.transport.port import SCHEMA_VERSION, Body, Transport, WorkQueue
from st2common.transport.topology import EXECUTIONS_TO_RUN, WORKFLOWS_TO_ADVANCE

LOG = logging.getLogger(__name__)


def publish_execution(transport: Transport, execution: Mapping[str, Any]) -> None:
    """Put a stored execution into the queue of those who run it.

    Raises:
        TransportError: the broker does not take it.
    """
    queue, body = _message(execution)
    transport.publish(queue.exchange, queue.routing_key, body)


def queue_execution(transport: Transport, execution: Mapping[str, Any]) -> None:
    """The same; what the broker does not take now goes out from this process when it is back. Should the process end
    before, the sweeper does it."""
    try:
        publish_execution(transport, execution)
    except TransportError as error:
        LOG.warning("Execution %s is accepted and waits for the broker: %s", execution["_id"], error)
        # A second message does no harm: an execution is claimed once.
        queue, body = _message(execution)
        transport.notify(queue.exchange, queue.routing_key, body)


def advance_workflow(transport: Transport, execution_id: str) -> None:
    """Tell the workflow engine that a workflow execution may go on, without waiting for the broker. What is lost on
    the way the engine finds by looking."""
    body = {"v": SCHEMA_VERSION, "execution_id": execution_id}
    transport.notify(WORKFLOWS_TO_ADVANCE.exchange, WORKFLOWS_TO_ADVANCE.routing_key, body)


def _message(execution: Mapping[str, Any]) -> tuple[WorkQueue, Body]:
    workflow = execution["runner"]["name"] in runner_types.WORKFLOWS
    queue = WORKFLOWS_TO_ADVANCE if workflow else EXECUTIONS_TO_RUN
    return queue, {"v": SCHEMA_VERSION, "execution_id": str(execution["_id"])}
