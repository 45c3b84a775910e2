"""Answers: JSON as compact as it goes, and lists with their paging headers."""

from __future__ import annotations

import json
import math
from typing import Any

from flask import Response

JSON = "application/json"


def dumps(value: Any) -> str:
    """Compact JSON. Infinity and NaN, which an action may well return, become null: JSON has neither."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def answer(value: Any, status: int = 200) -> Response:
    return Response(dumps(value), status=status, content_type=JSON)


def fault(message: str, status: int, **more: str) -> Response:
    """The one form of every error: ``{"faultstring": "..."}``."""
    return answer({"faultstring": message, **more}, status)


def no_content() -> Response:
    return Response(status=204)
