"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as bytes."""

from __future__ import annotations

import binascii
import json
from typing import Any

from st2common.clock import isoformat
from st2common.output.chunk import Chunk, End
from st2common.output.lines import whole_characters

OUTPUT_CREATE = "st2.execution.output__create"
OUTPUT_START = "st2.execution.output__start"
OUTPUT_END = "st2.execution.output__end"

# The sentinel that closes an output stream; its data are two quote characters.
EOF = b"event: EOF\ndata: ''\n\n"

KEEP_ALIVE = b": keep-alive\n\n"

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def event(name: str, data: Any, event_id: str | None = None) -> bytes:
    # JSON escapes line ends within text, so that the data are one line; lone surrogates cannot be sent.
    first = f"id: {event_id}\n" if event_id else ""
    return f"{first}event: {name}\ndata: {_encode(data)}\n\n".encode("utf-8", "replace")


def output_documents(chunk: Chunk, action_ref: str, runner_ref: str) -> list[tuple[str, dict[str, Any]]]:
    """A chunk as (cursor, output document) pairs: one for what arrived at one time, normally one line.

    The cursor is ``<seq>`` for the last of a chunk and ``<seq>.<n>`` for the n-th before it.
    """
    documents = []
    pieces = _pieces(chunk)
    for number, (data, time_us) in enumerate(pieces, 1):
        cursor = str(chunk.seq) if number == len(pieces) else f"{chunk.seq}.{number}"
        document: dict[str, Any] = {
            "id": f"{chunk.execution_id}:{cursor}",
            "execution_id": chunk.execution_id,
            "action_ref": action_ref,
            "runner_ref": runner_ref,
            "timestamp": isoformat(time_us),
            "output_type": str(chunk.stream),
            "data": data.decode("utf-8", "replace"),
            "seq": chunk.seq,
        }
        if "\ufffd" in document["data"]:
            document["data_base64"] = binascii.b2a_base64(data, newline=False).decode("ascii")
        documents.append((cursor, document))
    return documents


def _pieces(chunk: Chunk) -> list[tuple[bytes, int]]:
    """What arrived at one time, with that time; a character that arrived in two parts goes with the second one."""
    pieces = []
    start = end = 0
    for run in chunk.runs:
        end += run.length
        cut = end if end == len(chunk.data) else whole_characters(chunk.data, end)
        if cut > start:
            pieces.append((chunk.data[start:cut], run.time_us))
            start = cut
    return pieces


def end_document(end: End) -> dict[str, Any]:
    """What is known of an ended log."""
    return {
        "execution_id": end.execution_id,
        "timestamp": isoformat(end.time_us),
        "status": end.status,
        "exit_code": end.exit_code,
        "stdout": {"bytes": end.stdout.bytes, "lines": end.stdout.lines, "chunks": end.stdout.chunks},
        "stderr": {"bytes": end.stderr.bytes, "lines": end.stderr.lines, "chunks": end.stderr.chunks},
        "truncated_bytes": end.truncated_bytes,
        "masked": end.masked,
    }
