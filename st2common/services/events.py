"""What the platform tells about executions: an event on the broker for each change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.models.execution_view import to_api
from st2common.models.statuses import Status
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import EXECUTION


class ExecutionEvents:
    """Publishes on the exchange ``st2.execution``::

        {"v": 1, "execution": <the API's document, secrets masked>, "earlier": [<status>, ...]}

    ``earlier`` are statuses that it passed on the way, each to be told as a change of its own before this one.
    The stream service derives the ``st2.liveaction__*`` events from the same messages.
    """

    def __init__(self, transport: Transport, web_base_url: str | None = None) -> None:
        self._transport = transport
        self._web_base_url = web_base_url

    def created(self, stored: Mapping[str, Any]) -> None:
        self._publish("create", stored)

    def updated(self, stored: Mapping[str, Any]) -> None:
        self._publish("update", stored)

    def claimed(self, stored: Mapping[str, Any]) -> None:
        """A claim is told as "scheduled" first, then as "running"."""
        self._publish("update", stored, Status.SCHEDULED)

    def _publish(self, key: str, stored: Mapping[str, Any], *earlier: Status) -> None:
        execution = to_api(stored, web_base_url=self._web_base_url)
        body = {"v": SCHEMA_VERSION, "execution": execution, "earlier": [str(status) for status in earlier]}
        self._transport.notify(EXECUTION, key, body)
