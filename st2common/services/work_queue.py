"""Handing work to those who do it: executions to the action runners, workflows to the workflow engine, events to the
rules engines. What is handed out is stored before; the sweepers find what gets lost on the way.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from st2common.errors import TransportError
from st2common.models import runner_types
from st2common.transport.port import SCHEMA_VERSION, Body, Transport, WorkQueue
from st2common.transport.topology import EXECUTIONS_TO_RUN, TRIGGER_INSTANCES, WORKFLOWS_TO_ADVANCE

LOG = logging.getLogger(__name__)


def publish_execution(transport: Transport, execution: Mapping[str, Any]) -> None:
    """Put a stored execution into the queue of those who run it.

    Raises:
        TransportError: the broker does not take it.
    """
    _publish(transport, *_of_execution(execution))


def queue_execution(transport: Transport, execution: Mapping[str, Any]) -> None:
    """The same, now or, from this process, as soon as the broker takes it."""
    _queue(transport, *_of_execution(execution))


def publish_instance(transport: Transport, instance_id: object) -> None:
    """Put a stored trigger instance into the queue of the rules engines.

    Raises:
        TransportError: the broker does not take it.
    """
    _publish(transport, *_of_instance(instance_id))


def queue_instance(transport: Transport, instance_id: object) -> None:
    """The same, now or, from this process, as soon as the broker takes it."""
    _queue(transport, *_of_instance(instance_id))


def advance_workflow(transport: Transport, execution_id: str) -> None:
    """Tell the workflow engine that a workflow execution may go on, without waiting for the broker. What is lost on
    the way the engine finds by looking."""
    body = {"v": SCHEMA_VERSION, "execution_id": execution_id}
    transport.notify(WORKFLOWS_TO_ADVANCE.exchange, WORKFLOWS_TO_ADVANCE.routing_key, body)


def _of_execution(execution: Mapping[str, Any]) -> tuple[WorkQueue, Body]:
    workflow = execution["runner"]["name"] in runner_types.WORKFLOWS
    queue = WORKFLOWS_TO_ADVANCE if workflow else EXECUTIONS_TO_RUN
    return queue, {"v": SCHEMA_VERSION, "execution_id": str(execution["_id"])}


def _of_instance(instance_id: object) -> tuple[WorkQueue, Body]:
    return TRIGGER_INSTANCES, {"v": SCHEMA_VERSION, "trigger_instance_id": str(instance_id)}


def _publish(transport: Transport, queue: WorkQueue, body: Body) -> None:
    transport.publish(queue.exchange, queue.routing_key, body)


def _queue(transport: Transport, queue: WorkQueue, body: Body) -> None:
    try:
        _publish(transport, queue, body)
    except TransportError as error:
        LOG.warning("This is stored and waits for the broker: %s %s: %s", queue.name, body, error)
        # Whoever takes it looks whether it is still to be done, so a second message does no harm.
        transport.notify(queue.exchange, queue.routing_key, body)
