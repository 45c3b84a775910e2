"""``GET /executions/<id|last>/output``: everything that an execution has printed, then what it prints, then ``EOF``.

Events (server-sent)::

    id: 17                                   the cursor; a client resumes with the header Last-Event-ID
    event: st2.execution.output__create      data: an output document, see :mod:`st2stream.sse`
    event: st2.execution.output__end         data: status, exit code, totals
    event: EOF                               data: ''

Query: ``output_type`` (stdout, stderr, all), ``since_seq`` (only what follows that number), ``follow=false`` (stop at
what is stored now).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, request

from st2common.errors import ValidationError
from st2common.http import query
from st2common.output.chunk import End
from st2stream import sse
from st2stream.feeds import Encoded, FeedHub, Subject

Document = dict[str, Any]


def blueprint(feeds: FeedHub, find_execution: Callable[[str], Document]) -> Blueprint:
    """``find_execution`` takes an id or ``last`` and raises NotFound."""
    routes = Blueprint("execution_output", __name__)

    @routes.get("/executions/<execution_id>/output")
    def output(execution_id: str) -> Response:
        execution = find_execution(execution_id)
        subject = Subject(str(execution["_id"]), execution["action"]["ref"], execution["runner"]["name"])
        seq, part = _cursor()
        follow = query.boolean("follow", default=True)
        items = feeds.watch(subject, seq) if follow else feeds.stored(subject, seq)
        events = _events(items, query.text("output_type") or "all", seq + 1, part)
        response = stream(_until_gone(events))
        response.headers["X-St2-Execution-Id"] = subject.execution_id
        if execution.get("stream_output") is False:
            response.headers["X-St2-Stream-Output"] = "off"
        return response

    return routes


def stream(events: Iterator[bytes]) -> Response:
    """An answer that goes on, which no proxy may hold back."""
    response = Response(events, content_type="text/event-stream; charset=UTF-8")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _cursor() -> tuple[int, int]:
    """Where to begin: the last chunk that the client has whole, and how many events of the next one it has.

    Raises:
        ValidationError: the client's cursor is none of ours.
    """
    last = request.headers.get("Last-Event-ID", "")
    if not last:
        return query.integer("since_seq") or 0, 0
    seq, _, part = last.partition(".")
    if not (seq.isdecimal() and (part.isdecimal() or not part) and len(last) < 30):
        raise ValidationError(f'Last-Event-ID "{last}" is not an id of this stream')
    return (int(seq) - 1, int(part)) if part else (int(seq), 0)


def _events(items: Iterator[Encoded | End | None], output_type: str, first: int, part: int) -> Iterator[bytes]:
    """The events of ``items``, without the first ``part`` of chunk ``first``."""
    for item in items:
        if item is None:
            yield sse.KEEP_ALIVE
        elif isinstance(item, End):
            yield sse.event(sse.OUTPUT_END, sse.end_document(item))
        elif output_type in ("all", item.stream):
            events = item.events[part:] if item.seq == first else item.events
            yield b"".join(sse.with_id(cursor, event) for cursor, event in events)
    yield sse.EOF


def _until_gone(events: Iterator[bytes]) -> Iterator[bytes]:
    """A silent stream learns only by asking that nobody listens any more."""
    client_gone: Callable[[], bool] = request.environ.get("st2.client_gone", lambda: False)

    def until_gone() -> Iterator[bytes]:
        for event in events:
            if event is sse.KEEP_ALIVE and client_gone():
                return
            if event:
                yield event

    return until_gone()
