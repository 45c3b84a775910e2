"""The end of a log whose execution ended without a runner. Readers wait for the end record, whatever the status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.clock import now_us
from st2common.output.chunk import End, StreamTotal
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog, Position, StreamPosition
from st2common.transport.port import Transport


def end_log(log: OutputLog, transport: Transport, execution: Mapping[str, Any]) -> None:
    """Write the end record of an ended execution that no runner holds, and ring. Repeating it is safe.

    Raises:
        LogUnavailable: the database does not answer.
    """
    execution_id, attempt = str(execution["_id"]), execution["attempt"]
    if log.end(execution_id):
        return
    # An execution that was given back after an attempt may have a log; that attempt must not add to it any more.
    position = log.take_over(execution_id, attempt + 1) if attempt else Position()
    end = End(
        execution_id=execution_id,
        seq=position.seq + 1,
        attempt=attempt + 1 if attempt else 0,
        status=execution["status"],
        exit_code=None,
        time_us=now_us(),
        stdout=_total(position.stdout),
        stderr=_total(position.stderr),
        masked=position.stdout.masked + position.stderr.masked,
    )
    log.finish(end)
    Doorbell(transport).ring(execution_id, [], end)


def _total(position: StreamPosition) -> StreamTotal:
    return StreamTotal(chunks=position.chunks, bytes=position.bytes, lines=position.lines)
