"""``announcement``: tells everybody who watches the event stream, without a process of its own."""

from __future__ import annotations

from typing import Any

from st2actionrunner.launch import RunnerError, RunRequest, Settled
from st2common.models.secrets import masked, object_schema
from st2common.models.statuses import Status
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import ANNOUNCEMENT


class Announcement:
    """Runner of ``announcement``. A runner that dies in the middle of it may tell it twice."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def settle(self, run: RunRequest) -> Settled:
        if not run.runner_parameters.get("experimental"):
            raise RunnerError('The parameter "experimental" of an announcement must be true.')
        # Everybody may watch the stream.
        schemas = run.action.get("parameters") or {}
        payload: dict[str, Any] = masked(dict(run.action_parameters), object_schema(schemas))
        body = {"v": SCHEMA_VERSION, "payload": payload, "trace_context": run.context.get("trace_context")}
        try:
            self._transport.notify(ANNOUNCEMENT, str(run.runner_parameters.get("route") or "general"), body)
        except ValueError as error:
            raise RunnerError(f'The parameter "route": {error}') from error
        return Settled(Status.SUCCEEDED, {"output": payload, **payload})
