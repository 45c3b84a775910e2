"""Plays the runner for tests of those who read what it writes."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from st2common.clock import now_us
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.chunk import Chunk, End, Run, Stream, StreamTotal
from st2common.output.doorbell import Doorbell
from st2common.output.mongo_log import MongoOutputLog
from st2common.transport.port import Transport


class Printer:
    """Claims an execution, writes its log chunk by chunk, and ends it."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        execution_id: str,
        stream_output: bool = True,
        transport: Transport | None = None,
    ) -> None:
        """With a ``transport`` it rings the doorbell."""
        self._bell = Doorbell(transport) if transport else None
        self._log = MongoOutputLog(database)
        self._executions = Executions(database)
        self._id = execution_id
        self._seq = 0
        self._counts = dict.fromkeys(Stream, StreamTotal())
        fields = {"liveaction.runner_info": {"hostname": "here", "pid": 1}, "stream_output": stream_output}
        assert self._executions.claim(execution_id, "runner", now_us() + 60_000_000, fields)

    def print(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        before = self._counts[stream]
        self._seq += 1
        chunk = Chunk(
            execution_id=self._id,
            stream=stream,
            stream_seq=before.chunks + 1,
            seq=self._seq,
            offset=before.bytes,
            data=data,
            runs=(Run(len(data), now_us()),),
            attempt=1,
            line=before.lines,
            unfinished=not data.endswith(b"\n"),
        )
        self._log.append([chunk])
        if self._bell:
            self._bell.ring(self._id, [chunk])
        lines = before.lines + data.count(b"\n")
        self._counts[stream] = StreamTotal(before.chunks + 1, before.bytes + len(data), lines)

    def end(self, result: Any = None, **fields: Any) -> None:
        totals = {"stdout": self._counts[Stream.STDOUT], "stderr": self._counts[Stream.STDERR]}
        end = End(self._id, self._seq + 1, 1, "succeeded", 0, now_us(), **totals)
        self._log.finish(end)
        if self._bell:
            self._bell.ring(self._id, [], end)
        assert self._executions.change(
            self._id, Status.SUCCEEDED, attempt=1, fields={"result": result or {"return_code": 0}, **fields}
        )
