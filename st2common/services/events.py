"""What the platform tells about executions: an event on the broker for each change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.models.execution_view import to_api
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import COMPLETED, Status
from st2common.output.doorbell import Doorbell
from st2common.services.work_queue import advance_workflow
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import EXECUTION

# What a workflow has to know of its steps.
_TOLD_TO_WORKFLOWS = COMPLETED | {Status.PENDING, Status.PAUSED}


class ExecutionEvents:
    """Publishes on the exchange ``st2.execution``, so that a binding can choose by status::

        {"v": 1, "execution": <the API's document, secrets masked>, "earlier": [<status>, ...]}

    ``earlier`` are statuses that it passed on the way, each to be told as a change of its own before this one.
    The stream service derives the ``st2.liveaction__*`` events from the same messages. The workflow that an execution
    is a step of is told what it may wait for.
    """

    def __init__(self, transport: Transport, web_base_url: str | None = None) -> None:
        self._transport = transport
        self._web_base_url = web_base_url

    def created(self, stored: Mapping[str, Any]) -> None:
        self._publish("create", stored)

    def updated(self, stored: Mapping[str, Any]) -> None:
        self._publish("update", stored)
        if stored.get("parent") and self._concerns_parent(stored):
            advance_workflow(self._transport, stored["parent"])

    def settled(self, requested: Mapping[str, Any], ended: Mapping[str, Any]) -> None:
        """A step of a workflow that had ended before anybody could be told that it was requested."""
        self._publish("create", requested)
        self._publish("update", ended, Status.SCHEDULED, Status.RUNNING)

    def claimed(self, stored: Mapping[str, Any]) -> None:
        """A claim is told as "scheduled" first, then as "running"."""
        self._publish("update", stored, Status.SCHEDULED)
        if stored.get("parent"):
            # Whoever watches the workflow sees its step begin.
            Doorbell(self._transport).nudge(stored["parent"])

    @staticmethod
    def _concerns_parent(stored: Mapping[str, Any]) -> bool:
        if stored["status"] in _TOLD_TO_WORKFLOWS:
            return True
        # A step that is a workflow itself may be paused and go on again.
        return stored["status"] == Status.RUNNING and stored["runner"]["name"] in WORKFLOWS

    def _publish(self, key: str, stored: Mapping[str, Any], *earlier: Status) -> None:
        execution = to_api(stored, web_base_url=self._web_base_url)
        key = f"{key}.{stored['status']}"
        if stored["liveaction"].get("notify"):
            key += ".notify"
        body = {"v": SCHEMA_VERSION, "execution": execution, "earlier": [str(status) for status in earlier]}
        self._transport.notify(EXECUTION, key, body)
