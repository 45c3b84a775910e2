"""``GET /executions/<id|last>/output``: everything that an execution has printed, then what it prints, then ``EOF``.

Events (server-sent)::

    id: 17                                   the cursor; a client resumes with the header Last-Event-ID
    event: st2.execution.output__create      data: an output document, see :mod:`st2stream.sse`
    event: st2.execution.output__end         data: status, exit code, totals
    event: EOF                               data: ''

With ``tree=true`` and of a workflow, all that its steps print, see :mod:`st2stream.tree`::

    event: st2.execution.output__start       data: {execution_id, parent, path, action_ref, timestamp} of a step

and of each step its output and its end; the end of the workflow itself is the last. These events have no ids: the
``id`` in an output document names its execution and place. ``since=<execution id>:<seq>,...`` leaves out what the
client has.

Query: ``output_type`` (stdout, stderr, all), ``since_seq`` (only what follows that number), ``follow=false`` (stop at
what is stored now). In silence a comment tells that the connection still lives.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request

from st2common.errors import ValidationError
from st2common.http import open_streams, query
from st2common.http.authorization import needs, rights
from st2common.models.executions import Executions
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import COMPLETED
from st2common.output.bells import BellTower
from st2common.output.chunk import End
from st2common.rbac.executions import VIEW, may
from st2stream import sse
from st2stream.feeds import Encoded, FeedHub, Subject
from st2stream.tree import Tree

Document = dict[str, Any]

# A cursor: the number of a chunk, and how many of its events the client has if not all. The database's integers have
# 8 bytes.
_CURSOR = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?")

# The same of one execution of a tree, whole chunks only.
_PLACE = re.compile(r"([0-9a-f]{24}):([0-9]{1,18})")

# Seconds between two looks whether a client of a silent stream is still there.
_LOOK_INTERVAL = 5.0


def blueprint(
    feeds: FeedHub,
    bells: BellTower,
    executions: Executions,
    find_execution: Callable[[str], Document],
    keep_alive: float,
) -> Blueprint:
    """``find_execution`` takes an id or ``last`` and raises NotFound or AccessDenied.

    ``keep_alive``: seconds of silence after which a comment is sent.
    """
    routes = Blueprint("execution_output", __name__)

    @routes.get("/executions/<execution_id>/output")
    @needs("stream_view")
    def output(execution_id: str) -> Response:
        execution = find_execution(execution_id)
        subject = Subject(str(execution["_id"]), execution["action"]["ref"], execution["runner"]["name"])
        if query.boolean("tree") and subject.runner_ref in WORKFLOWS:
            asked = rights()
            tree = Tree(
                feeds,
                bells,
                executions,
                lambda step: may(asked, VIEW, step),
                _since(),
                query.text("output_type") or "all",
            )
            live = query.boolean("follow", default=True) and execution["status"] not in COMPLETED
            events = tree.follow(execution) if live else tree.stored(execution)
            response = stream(_until_gone(events, keep_alive), "output")
            response.headers["X-St2-Tree"] = "true"
        else:
            response = output_stream(feeds, subject, keep_alive)
        response.headers["X-St2-Execution-Id"] = subject.execution_id
        if execution.get("stream_output") is False:
            response.headers["X-St2-Stream-Output"] = "off"
        return response

    return routes


def output_stream(feeds: FeedHub, subject: Subject, keep_alive: float) -> Response:
    """The answer to the current request for what the subject prints."""
    seq, part = _cursor()
    if query.boolean("follow", default=True):
        items = feeds.watch(subject, seq, min(keep_alive, _LOOK_INTERVAL))
    else:
        items = feeds.stored(subject, seq)
    events = _events(items, query.text("output_type") or "all", seq + 1, part)
    return stream(_until_gone(events, keep_alive), "output")


def stream(events: Iterator[bytes], kind: str) -> Response:
    """An answer that goes on, which no proxy may hold back; ``kind``: see :func:`.open_streams.count`.

    Raises:
        TooManyRequests: there are too many of them.
    """
    response = Response(events, content_type="text/event-stream; charset=UTF-8")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    open_streams.count(response, kind)
    return response


def _cursor() -> tuple[int, int]:
    """Where to begin: the last chunk that the client has whole, and how many events of the next one it has.

    Raises:
        ValidationError: the client's cursor is none of ours.
    """
    last = request.headers.get("Last-Event-ID", "")
    if not last:
        return _since_seq(), 0
    cursor = _CURSOR.fullmatch(last)
    seq, part = (int(cursor[1]), int(cursor[2] or 0)) if cursor else (0, 0)
    if not cursor or (part and not seq):
        raise ValidationError(f'Last-Event-ID "{last}" is not an id of this stream')
    return (seq - 1, part) if part else (seq, 0)


def _since() -> dict[str, int]:
    """The last chunk that the client has of each execution of a tree.

    Raises:
        ValidationError: that is no list of ``<execution id>:<seq>``.
    """
    places = [_PLACE.fullmatch(text) for text in query.comma_list("since")]
    if not all(places):
        raise ValidationError('Parameter "since" is not a list of <execution id>:<number>')
    return {place[1]: int(place[2]) for place in places if place}


def _since_seq() -> int:
    seq = query.integer("since_seq") or 0
    if not 0 <= seq < 10**18:
        raise ValidationError(f'Parameter "since_seq" is not the number of a chunk, it is {seq}')
    return seq


def _events(items: Iterator[Encoded | End | None], output_type: str, first: int, part: int) -> Iterator[bytes]:
    """The events of ``items``, without the first ``part`` of chunk ``first``; empty where there is nothing to send."""
    for item in items:
        if item is None:
            yield b""
        elif isinstance(item, End):
            yield sse.event(sse.OUTPUT_END, sse.end_document(item))
        elif output_type not in ("all", item.stream):
            yield b""
        else:
            yield item.behind(part) if item.seq == first and part else item.events
    yield sse.EOF


def _until_gone(events: Iterator[bytes], keep_alive: float) -> Iterator[bytes]:
    """A silent stream learns only by asking that nobody listens any more."""
    client_gone: Callable[[], bool] = request.environ.get("st2.client_gone", lambda: False)

    def until_gone() -> Iterator[bytes]:
        spoke_at = looked_at = time.monotonic()
        for event in events:
            if event:
                yield event
                spoke_at = time.monotonic()
                continue
            now = time.monotonic()
            if now - looked_at >= min(keep_alive, _LOOK_INTERVAL):
                looked_at = now
                if client_gone():
                    return
            if now - spoke_at >= keep_alive:
                yield sse.KEEP_ALIVE
                spoke_at = time.monotonic()

    return until_gone()
