"""Results whose output is too long to be stored twice: what is missing is read from the log, up to a limit."""

from __future__ import annotations

import json
from typing import Any

from st2common.models.connection import Document
from st2common.output.chunk import Stream
from st2common.output.log import OutputLog

# Bytes of each stream that a result carries when somebody asks for one execution, and when they ask for its result.
OUTPUT_IN_EXECUTION = 1024 * 1024
OUTPUT_IN_RESULT = 14 * 1024 * 1024

# The runners whose output is told as data where it is JSON.
_PARSING_RUNNERS = frozenset({"local-shell-cmd", "local-shell-script"})


def complete(stored: Document, log: OutputLog, limit: int) -> None:
    """Put the output that lies in the log alone into ``stored["result"]``: at most ``limit`` bytes of each stream.

    What is left out is marked at the place where it is missing, with the path that gives the rest. A limit of 0
    reads nothing.
    """
    result = stored.get("result")
    if not isinstance(result, dict):
        return
    for name, total in (stored.get("output_in_log") or {}).items():
        if name not in result:
            continue
        text = _beginning(log, str(stored["_id"]), Stream(name), min(limit, total)).decode("utf-8", "replace")
        if total > limit:
            mark = f"[{total - limit} of {total} bytes left out: GET /v1/executions/{stored['_id']}/{name}]"
            result[name] = f"{text}\n{mark}" if text else mark
        else:
            result[name] = _parsed(text) if _parses(stored) else text


def _beginning(log: OutputLog, execution_id: str, stream: Stream, limit: int) -> bytes:
    data, after = bytearray(), 0
    while len(data) < limit and (page := log.read_stream(execution_id, stream, after)):
        for chunk in page:
            data += chunk.data
        after = page[-1].stream_seq
    return bytes(data[:limit])


def _parses(stored: Document) -> bool:
    return (stored.get("action") or {}).get("runner_type") in _PARSING_RUNNERS


def _parsed(text: str) -> Any:
    """As the runner does it with output that is short."""
    text = text.removesuffix("\n").removesuffix("\r")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
