"""Handing an execution to the runners."""

from __future__ import annotations

import logging

from st2common.errors import TransportError
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import EXECUTIONS_TO_RUN

LOG = logging.getLogger(__name__)


def queue_execution(transport: Transport, execution_id: str) -> None:
    """Publish a stored execution. When the broker does not take it, the sweeper does it later."""
    body = {"v": SCHEMA_VERSION, "execution_id": execution_id}
    try:
        transport.publish(EXECUTIONS_TO_RUN.exchange, EXECUTIONS_TO_RUN.routing_key, body)
    except TransportError as error:
        LOG.warning("Execution %s is accepted and waits to be queued: %s", execution_id, error)
