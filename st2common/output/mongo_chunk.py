"""A chunk as a document of the database.

``runs`` are packed: as a list of numbers they would take longer to store and to read than the output itself.
``v`` is the version of this form; the first documents had none.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from bson import Binary, ObjectId

from st2common.models.connection import Document
from st2common.output.chunk import Chunk, Run, Stream
from st2common.output.log import LaterForm

# One run: its length in bytes and its time in microseconds since the epoch, little-endian.
_RUN = struct.Struct("<IQ")

# Readers know this version and the one before.
VERSION = 1


def to_document(chunk: Chunk) -> Document:
    return {
        "_id": ObjectId(),
        "v": VERSION,
        "execution_id": chunk.execution_id,
        "stream_seq": chunk.stream_seq,
        "seq": chunk.seq,
        "offset": chunk.offset,
        "data": Binary(chunk.data),
        "runs": Binary(b"".join(_RUN.pack(run.length, run.time_us) for run in chunk.runs)),
        "attempt": chunk.attempt,
        "line": chunk.line,
        "source": chunk.source,
        "covered": chunk.covered,
        "masked": chunk.masked,
        "unfinished": chunk.unfinished,
    }


def require_known(document: Mapping[str, Any]) -> None:
    """
    Raises:
        LaterForm: of a chunk or an end record. Readers then wait: they pass nothing over.
    """
    version = document.get("v", 0)
    if version > VERSION:
        raise LaterForm(
            f"output of {document['execution_id']} is stored in form {version}; this release reads forms up to "
            f"{VERSION}: upgrade this host"
        )


def to_chunk(stream: Stream, document: Mapping[str, Any]) -> Chunk:
    """
    Raises:
        LaterForm: as :func:`require_known`.
    """
    require_known(document)
    return Chunk(
        execution_id=document["execution_id"],
        stream=stream,
        stream_seq=document["stream_seq"],
        seq=document["seq"],
        offset=document["offset"],
        data=document["data"],
        runs=tuple(Run(length, time_us) for length, time_us in _RUN.iter_unpack(document["runs"])),
        attempt=document["attempt"],
        line=document["line"],
        source=document["source"],
        covered=document["covered"],
        masked=document["masked"],
        unfinished=document["unfinished"],
    )
