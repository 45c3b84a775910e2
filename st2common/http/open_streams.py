"""The answers that go on: how many there are now."""

from __future__ import annotations

from flask import Response

from st2common import metrics


def count(response: Response, kind: str) -> None:
    """Count an answer as one that somebody follows, until it is closed; ``kind``: ``output`` or ``events``."""
    watchers = metrics.WATCHERS.labels(kind)
    watchers.inc()
    response.call_on_close(watchers.dec)
