"""Chunks and writers for tests of the output log."""

from __future__ import annotations

from collections.abc import Iterable

from bson import ObjectId

from st2common.output.chunk import Chunk, End, Run, Stream, StreamTotal
from st2common.output.log import OutputLog

NOW = 1_600_000_000_000_000


def new_execution() -> str:
    return str(ObjectId())


def chunk(
    execution_id: str,
    seq: int,
    stream_seq: int,
    data: bytes = b"line\n",
    stream: Stream = Stream.STDOUT,
    attempt: int = 1,
) -> Chunk:
    return Chunk(
        execution_id=execution_id,
        stream=stream,
        stream_seq=stream_seq,
        seq=seq,
        offset=(stream_seq - 1) * len(data),
        data=data,
        runs=(Run(len(data), NOW + seq),),
        attempt=attempt,
        line=stream_seq - 1,
        source=stream_seq * len(data),
    )


def end(execution_id: str, chunks: Iterable[Chunk], attempt: int = 1) -> End:
    """The end record of a log with these chunks."""
    chunks = list(chunks)
    totals = []
    for stream in Stream:
        own = [chunk for chunk in chunks if chunk.stream is stream]
        totals.append(StreamTotal(len(own), sum(len(chunk.data) for chunk in own), len(own)))
    return End(execution_id, len(chunks) + 1, attempt, "succeeded", 0, NOW, *totals)


def everything(log: OutputLog, execution_id: str) -> list[Chunk]:
    found: list[Chunk] = []
    while page := log.read(execution_id, found[-1].seq if found else 0):
        found += page
    return found


def contents(chunks: Iterable[Chunk], stream: Stream | None = None) -> bytes:
    return b"".join(chunk.data for chunk in chunks if stream in (None, chunk.stream))
