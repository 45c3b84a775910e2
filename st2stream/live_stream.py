"""``GET /stream``: the platform's events from now on, in the form that the family's clients read.

Query: ``events`` (comma list, shell globs), ``action_refs``, ``execution_ids`` (comma lists), and ``end_event`` with
``end_execution_id``: the stream ends once that event has told that execution's end.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, request
from pymongo.errors import PyMongoError

from st2common.http import query
from st2common.http.authorization import needs, rights
from st2stream.client import Client
from st2stream.events import EventHub
from st2stream.execution_output import stream
from st2stream.subscriber import DEFAULT_EVENTS, Filter

LOG = logging.getLogger(__name__)

# What clients expect first, and after a while of silence.
_LINE = b"\n"

# Seconds between two looks whether the client is still there, and whether the end that it waits for has come unseen.
_CHECK_INTERVAL = 5.0


def blueprint(hub: EventHub, heartbeat: float) -> Blueprint:
    """``heartbeat``: seconds of silence after which an empty line is sent."""
    routes = Blueprint("live_stream", __name__)

    @routes.get("/stream")
    @needs("stream_view")
    def live() -> Response:
        client_gone: Callable[[], bool] = request.environ.get("st2.client_gone", lambda: False)
        # Before the answer begins, so that it can still be an error.
        with contextlib.ExitStack() as leaving:
            client = leaving.enter_context(hub.client(_filter(), rights()))
            response = stream(_events(hub, client, heartbeat, client_gone), "events")
            response.call_on_close(leaving.pop_all().close)
        return response

    return routes


def _filter() -> Filter:
    return Filter(
        events=tuple(query.comma_list("events")) or DEFAULT_EVENTS,
        action_refs=frozenset(query.comma_list("action_refs")),
        execution_ids=frozenset(query.comma_list("execution_ids")),
        end_event=query.text("end_event"),
        end_execution_id=query.text("end_execution_id"),
    )


def _events(hub: EventHub, client: Client, heartbeat: float, client_gone: Callable[[], bool]) -> Iterator[bytes]:
    yield _LINE
    _tell_end(hub, client)
    check_interval = min(heartbeat, _CHECK_INTERVAL)
    spoke_at = checked_at = time.monotonic()
    while True:
        if events := client.take(check_interval):
            yield events
            spoke_at = time.monotonic()
        elif client.closed or client_gone():
            return
        now = time.monotonic()
        if now - spoke_at >= heartbeat:
            yield _LINE
            spoke_at = now
        if now - checked_at >= check_interval:
            _tell_end(hub, client)
            checked_at = time.monotonic()


def _tell_end(hub: EventHub, client: Client) -> None:
    try:
        hub.tell_end(client)
    except PyMongoError as error:
        LOG.warning("Whether execution %s has ended is not known yet: %s", client.filter.end_execution_id, error)
