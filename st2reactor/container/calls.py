"""What sensors ask their container for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from st2common.errors import ValidationError
from st2reactor.container.child import Child
from st2reactor.sensor.channel import encode, read

LOG = logging.getLogger(__name__)

#: (trigger, payload, trace_context); raises ValidationError for what is refused.
Dispatch = Callable[[str, Any, dict[str, Any] | None], None]


class CallServer:
    """Answers the calls of one child, in the thread of whoever calls :meth:`serve`."""

    def __init__(self, sensor: str, child: Child, dispatch: Dispatch) -> None:
        self._sensor = sensor
        self._child = child
        self._dispatch = dispatch
        #: What the sensor says why it failed.
        self.error: str | None = None

    def serve(self) -> None:
        """Until the child has closed its end. A child that does not keep to the rules is ended."""
        try:
            with self._child.calls.makefile("rb") as calls:
                while (call := read(calls)) is not None:
                    self._child.calls.sendall(encode(self._answer(call)))
        except OSError:
            LOG.debug("Sensor %s is gone in the middle of a call", self._sensor)
        except ValueError as error:
            LOG.error("Sensor %s is ended: %s", self._sensor, error)
            self.error = f"It has sent something that is no call: {error}"
            self._child.kill()

    def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        method = call.get("method")
        if method == "failed":
            self.error = str(call.get("error"))
            return {}
        if method != "dispatch":
            return {"refused": f'there is no method "{method}"'}
        trigger, context = call.get("trigger"), call.get("trace_context")
        if not isinstance(trigger, str) or not isinstance(context, dict | None):
            return {"refused": "a trigger is a text and a trace context an object"}
        try:
            self._dispatch(trigger, call.get("payload"), context)
        except ValidationError as error:
            return {"refused": str(error)}
        return {}
