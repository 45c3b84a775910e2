"""What a runner made of an execution, as it can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson

from st2common.models.execution_view import result_size
from st2common.models.statuses import Status

# Bytes that need no closer look, and what an execution may have in the database, whose limit is 16 MiB a document.
_SMALL = 1024 * 1024
_MAX_DOCUMENT = 15 * 1024 * 1024


def storable(
    status: Status, result: Mapping[str, Any], execution: Mapping[str, Any]
) -> tuple[Status, Mapping[str, Any], int]:
    """Status, result and its size in bytes; a failure that says so, where the result does not fit into the document."""
    size = result_size(result)
    if size > _SMALL and len(bson.encode(result)) + len(bson.encode(execution)) > _MAX_DOCUMENT:
        result = {"error": f"The result is too large to be stored: {size} bytes.", "failed": True, "succeeded": False}
        return Status.FAILED, result, result_size(result)
    return status, result, size
