"""``GET /stream``: the platform's events from now on, in the form that the family's clients read.

Query: ``events`` (comma list, shell globs), ``action_refs``, ``execution_ids`` (comma lists), and ``end_event`` with
``end_execution_id``: the stream ends once that event has told that execution's end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, request

from st2common.http import query
from st2common.models.execution_view import to_api
from st2common.models.executions import Executions
from st2common.models.statuses import COMPLETED
from st2stream.events import EventHub, execution_events
from st2stream.execution_output import stream
from st2stream.subscriber import DEFAULT_EVENTS, Filter, StreamEvent

# What clients expect first, and after a while of silence.
_LINE = b"\n"

# Seconds between two looks at the database for a client that waits for one execution's end: an event may be lost.
_CHECK_INTERVAL = 5.0


def blueprint(hub: EventHub, executions: Executions, heartbeat: float) -> Blueprint:
    """``heartbeat``: seconds of silence after which an empty line is sent."""
    routes = Blueprint("live_stream", __name__)

    @routes.get("/stream")
    def live() -> Response:
        client_gone: Callable[[], bool] = request.environ.get("st2.client_gone", lambda: False)
        return stream(_events(hub, executions, _filter(), heartbeat, client_gone))

    return routes


def _filter() -> Filter:
    return Filter(
        events=_list("events") or DEFAULT_EVENTS,
        action_refs=frozenset(_list("action_refs")),
        execution_ids=frozenset(_list("execution_ids")),
        end_event=query.text("end_event"),
        end_execution_id=query.text("end_execution_id"),
    )


def _list(name: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in (query.text(name) or "").split(",") if item.strip())


def _events(
    hub: EventHub, executions: Executions, wanted: Filter, heartbeat: float, client_gone: Callable[[], bool]
) -> Iterator[bytes]:
    with hub.client(wanted) as subscriber:
        yield _LINE
        spoke_at = checked_at = time.monotonic()
        # Whoever waits for an end that came just before the connection must not wait for ever.
        ending = _ending(executions, wanted)
        while not ending:
            if events := subscriber.take(min(heartbeat, _CHECK_INTERVAL)):
                yield events
                spoke_at = time.monotonic()
            if subscriber.closed and not events:
                return
            now = time.monotonic()
            if not events and now - spoke_at >= heartbeat:
                yield _LINE
                spoke_at = now
            if not events and client_gone():
                return
            if now - checked_at >= _CHECK_INTERVAL:
                checked_at = now
                ending = _ending(executions, wanted)
        yield subscriber.take(0) + (ending.encoded if wanted.wants(ending) else b"")


def _ending(executions: Executions, wanted: Filter) -> StreamEvent | None:
    """The end event that the client waits for, if the execution has ended already."""
    stored = executions.get(wanted.end_execution_id) if wanted.end_execution_id else None
    if not stored or stored["status"] not in COMPLETED:
        return None
    found: Mapping[str, Any] = to_api(stored)
    return next((event for event in execution_events("update", found) if wanted.ends_with(event)), None)
