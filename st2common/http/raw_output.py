"""One stream of an execution as plain text: its exact bytes, what was printed so far and then live.

``GET /executions/<id|last>/stdout`` and ``/stderr``, on the API and on the stream service.

* ``follow=false``: only what is stored now.
* ``tail=N``: from the last N lines on.
* ``Range: bytes=...``: that part of what is stored now (206), for downloads that go on where they stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.datastructures import ContentRange
from werkzeug.http import parse_range_header

from st2common.errors import ValidationError
from st2common.http import open_streams, query
from st2common.http.authorization import checks_objects
from st2common.models.executions import Executions
from st2common.output.bells import BellTower
from st2common.output.chunk import Chunk, End, Stream
from st2common.output.log import OutputLog, StreamPosition
from st2common.output.mongo_log import final_status
from st2common.output.reader import Reader

PLAIN_TEXT = "text/plain; charset=UTF-8"

Document = dict[str, Any]


def blueprint(
    log: OutputLog, bells: BellTower, executions: Executions, find_execution: Callable[[str], Document]
) -> Blueprint:
    """The two routes. ``find_execution`` takes an id or ``last`` and gives the stored execution, or raises NotFound or
    AccessDenied.

    Where the execution's output is stored at its end only, the header ``X-St2-Stream-Output: off`` says so.
    """
    routes = Blueprint("raw_output", __name__, url_prefix="/executions")

    @routes.get("/<execution_id>/<any(stdout, stderr):name>")
    @checks_objects
    def raw_output(execution_id: str, name: str) -> Response:
        execution = find_execution(execution_id)
        raw = RawOutput(log, bells, str(execution["_id"]), Stream(name), executions)
        response = raw.answer()
        response.headers["X-Accel-Buffering"] = "no"
        response.headers["X-St2-Execution-Id"] = str(execution["_id"])
        if execution.get("stream_output") is False:
            response.headers["X-St2-Stream-Output"] = "off"
        return response

    return routes


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading begins: a byte of the stream, and the numbers of the chunk before the one that holds it."""

    offset: int
    stream_seq: int
    seq: int


_BEGINNING = Start(0, 0, 0)


def _start_in(chunk: Chunk, offset: int) -> Start:
    return Start(offset, chunk.stream_seq - 1, chunk.seq - 1)


class RawOutput:
    def __init__(
        self,
        log: OutputLog,
        bells: BellTower,
        execution_id: str,
        stream: Stream,
        executions: Executions,
    ) -> None:
        self._log = log
        self._bells = bells
        self._execution_id = execution_id
        self._stream = stream
        self._executions = executions

    def answer(self) -> Response:
        """
        Raises:
            ValidationError: a parameter is not valid.
        """
        tail = query.integer("tail")
        if tail is not None and tail < 0:
            raise ValidationError(f'Parameter "tail" must not be negative, it is {tail}')
        follow = query.boolean("follow", default=True)
        if "Range" in request.headers and "If-Range" not in request.headers:
            ranged = self._range(self._position())
            if ranged is not None:
                return ranged
        if follow and tail is None:
            return _stream(self._follow(_BEGINNING))
        last = self._log.last(self._execution_id, self._stream)
        start = _BEGINNING if tail is None else self._tail(last, tail)
        if follow:
            return _stream(self._follow(start))
        response = self._part(start, StreamPosition.after(last).bytes)
        # From where a reader of both streams sees this and what follows: since_seq of the stream service.
        response.headers["X-St2-Since-Seq"] = str(start.seq)
        return response

    def _position(self) -> StreamPosition:
        return StreamPosition.after(self._log.last(self._execution_id, self._stream))

    def _range(self, position: StreamPosition) -> Response | None:
        """The asked range of what is stored now; None where the header is one to ignore (RFC 9110, 14.2)."""
        asked = parse_range_header(request.headers.get("Range"))
        if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
            return None
        bounds = asked.range_for_length(position.bytes)
        if bounds is None:
            response = Response(status=416, content_type=PLAIN_TEXT)
            response.headers["Content-Range"] = f"bytes */{position.bytes}"
            return response
        first, stop = bounds
        holder = self._holder(first, _byte_range, position.chunks)
        response = self._part(_start_in(holder, first) if holder else _BEGINNING, stop)
        response.status_code = 206
        # The whole length is only known once the log has ended.
        whole = position.bytes if self._log.end(self._execution_id) else None
        response.content_range = ContentRange("bytes", first, stop, whole)
        return response

    def _part(self, start: Start, stop: int) -> Response:
        response = Response(self._stored(start, stop), content_type=PLAIN_TEXT)
        response.headers["Content-Length"] = str(stop - start.offset)
        response.headers["Accept-Ranges"] = "bytes"
        return response

    def _stored(self, start: Start, stop: int) -> Iterator[bytes]:
        """The bytes up to ``stop``, which are stored already."""
        if start.offset >= stop:
            return
        for chunk in self._reader(start).snapshot():
            if isinstance(chunk, End) or chunk.offset >= stop:
                return
            yield chunk.data[max(0, start.offset - chunk.offset) : stop - chunk.offset]

    def _follow(self, start: Start) -> Iterator[bytes]:
        client_gone: Callable[[], bool] = request.environ.get("st2.client_gone", lambda: False)

        def pieces() -> Iterator[bytes]:
            for chunk in self._reader(start).follow():
                if isinstance(chunk, Chunk):
                    yield chunk.data[max(0, start.offset - chunk.offset) :]
                elif chunk is None and client_gone():
                    return

        return pieces()

    def _reader(self, start: Start) -> Reader:
        return Reader(
            self._log,
            self._bells,
            self._execution_id,
            self._stream,
            after=start.stream_seq,
            final_status=final_status(self._executions),
        )

    def _tail(self, last: Chunk | None, lines: int) -> Start:
        """Where the last ``lines`` lines begin; a last line without its newline counts as one."""
        if last is None:
            return _BEGINNING
        position = StreamPosition.after(last)
        if lines == 0:
            return Start(position.bytes, last.stream_seq, last.seq)
        skipped = position.lines + position.unfinished - lines
        if skipped <= 0:
            return _BEGINNING
        # The newline before the first line that is wanted; newlines are counted from 0 here.
        holder = self._holder(skipped - 1, _newline_range, position.chunks)
        if holder is None:
            return _BEGINNING
        return _start_in(holder, holder.offset + _behind_newline(holder.data, skipped - holder.line))

    def _holder(self, target: int, span: Callable[[Chunk], range], chunks: int) -> Chunk | None:
        """The chunk whose ``span`` holds ``target``, by bisection over pages; None where it lies behind the last."""
        low, high = 0, chunks
        while low < high:
            middle = (low + high) // 2
            page = self._log.read_stream(self._execution_id, self._stream, middle)
            if not page:
                return None
            if span(page[0]).start > target:
                high = middle
                continue
            for chunk in page:
                if target in span(chunk):
                    return chunk
            low = page[-1].stream_seq
        return None


def _byte_range(chunk: Chunk) -> range:
    return range(chunk.offset, chunk.offset + len(chunk.data))


def _newline_range(chunk: Chunk) -> range:
    return range(chunk.line, chunk.line + chunk.data.count(b"\n"))


def _behind_newline(data: bytes, count: int) -> int:
    """The index behind the newline with this number, counted from 1."""
    index = 0
    for _ in range(count):
        index = data.index(b"\n", index) + 1
    return index


def _stream(pieces: Iterator[bytes]) -> Response:
    response = Response(pieces, content_type=PLAIN_TEXT)
    response.headers["Cache-Control"] = "no-cache"
    open_streams.count(response, "output")
    return response
