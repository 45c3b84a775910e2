"""``self.sensor_service`` of a sensor: events, loggers and the datastore.

Events go to the container over a socket that the process has inherited, so that a sensor needs neither the broker nor
the database. The datastore is that of actions: the HTTP API, with the token of the sensor.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from st2common.runners.action_service import DatastoreService
from st2reactor.sensor.channel import Calls, Refused

LOG = logging.getLogger(__name__)


class SensorService(DatastoreService):
    """Also has the verbs of the datastore: ``list_values``, ``get_value``, ``set_value``, ``delete_value``, and
    ``get_user_info``. Local keys belong to the class of the sensor: ``<pack>.<Class>:<name>``."""

    def __init__(self, pack: str, class_name: str, calls: Calls) -> None:
        super().__init__(pack, class_name)
        self._class_name = class_name
        self._calls = calls

    @property
    def datastore_service(self) -> DatastoreService:
        return self

    def get_logger(self, name: str) -> logging.Logger:
        """A logger whose messages are a part of the sensor's log, from DEBUG on."""
        logger = logging.getLogger(f"{self._class_name}.{name}")
        logger.setLevel(logging.DEBUG)
        return logger

    def dispatch(self, trigger: str, payload: Any = None, trace_tag: str | None = None) -> None:
        """Tell an event. It is stored when this returns, whatever happens to this process afterwards.

        ``trigger``: a reference, ``<pack>.<name>``, of a trigger type or of one trigger. An event of a trigger that is
        not known, or whose payload does not fit its schema, is refused: a warning in the sensor's log says why.

        Raises:
            TypeError: the payload has something in it that JSON has no form for.
        """
        self.dispatch_with_context(trigger, payload, {"trace_tag": trace_tag} if trace_tag else None)

    def dispatch_with_context(
        self, trigger: str | Mapping[str, Any], payload: Any = None, trace_context: Mapping[str, Any] | None = None
    ) -> None:
        """:meth:`dispatch` with ``{"trace_tag": ...}`` or ``{"id_": ...}``: the trace that the event belongs to."""
        reference = trigger if isinstance(trigger, str) else trigger.get("ref") or trigger.get("type")
        context = _plain(trace_context) if trace_context else None
        try:
            self._calls.call("dispatch", trigger=reference, payload=_plain(payload), trace_context=context)
        except Refused as error:
            LOG.warning("An event of %s is not sent: %s", reference, error)


def _plain(value: Any) -> Any:
    """The value as JSON can have it: times as text, sets and tuples as lists, names as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    if isinstance(value, UUID):
        return str(value)
    return value
