"""The doorbell: tells readers that a log has grown. It may be lost, doubled or late without harm.

Published on the exchange ``st2.execution.output`` with the execution's id as routing key. The body::

    {"v": 1, "execution_id": "...", "first": 15, "seq": 17, "chunks": [chunk, ...], "end": end or null}

``first`` and ``seq`` are the first and the last number written. ``chunks`` carries what was written when it is small,
else it is empty and the reader reads the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from st2common.output.chunk import Chunk, End
from st2common.transport.port import SCHEMA_VERSION, Message, Transport
from st2common.transport.topology import EXECUTION_OUTPUT

# More than this and readers fetch the chunk from the database: the broker stays out of the way of loud actions.
MAX_CARRIED_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Bell:
    execution_id: str
    first: int
    seq: int
    chunks: tuple[Chunk, ...] = ()
    end: End | None = None


class Doorbell:
    """Rings for a writer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ring(self, execution_id: str, chunks: Sequence[Chunk], end: End | None = None) -> None:
        small = sum(len(chunk.data) for chunk in chunks) <= MAX_CARRIED_BYTES
        last = end.seq if end else chunks[-1].seq
        body = {
            "v": SCHEMA_VERSION,
            "execution_id": execution_id,
            "first": chunks[0].seq if chunks else last,
            "seq": last,
            "chunks": [chunk.to_wire() for chunk in chunks] if small else [],
            "end": end.to_wire() if end else None,
        }
        self._transport.notify(EXECUTION_OUTPUT, execution_id, body)

    def nudge(self, execution_id: str) -> None:
        """Have those who listen look at the database: the steps of a workflow have changed."""
        body = {"v": SCHEMA_VERSION, "execution_id": execution_id, "first": 0, "seq": 0, "chunks": [], "end": None}
        self._transport.notify(EXECUTION_OUTPUT, execution_id, body)


def parse(message: Message) -> Bell:
    """The bell that a message of :data:`EXECUTION_OUTPUT` carries."""
    body = message.body
    execution_id = body["execution_id"]
    return Bell(
        execution_id=execution_id,
        first=body["first"],
        seq=body["seq"],
        chunks=tuple(Chunk.from_wire(execution_id, wire) for wire in body["chunks"]),
        end=End.from_wire(execution_id, body["end"]) if body["end"] else None,
    )
