"""The end of an execution that this runner holds: what its log says becomes its status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from st2actionrunner.workshop import Workshop
from st2common import metrics
from st2common.models.connection import Document
from st2common.models.statuses import Status
from st2common.retry import until_done

LOG = logging.getLogger(__name__)


def end_execution(shop: Workshop, held: Mapping[str, Any], status: Status, fields: Mapping[str, Any]) -> None:
    """Give it the status that the end record of its log has. ``held``: as the claim gave it."""
    # Who asked for its end has set the result of a canceled one already.
    stored = set_status(shop, held, status, {} if status is Status.CANCELED else fields)
    if stored is None:
        LOG.warning("Execution %s belonged to another attempt before it was %s", held["_id"], status)
        return
    metrics.ENDED.labels(str(status)).inc()
    shop.events.updated(stored)


def set_status(
    shop: Workshop, held: Mapping[str, Any], status: Status, fields: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The execution as it is then; None where it may not change so, or belongs to another attempt."""
    execution_id, attempt = str(held["_id"]), held["attempt"]

    def step() -> Mapping[str, Any] | None:
        stored: Mapping[str, Any] | None = None
        if status not in (Status.CANCELED, Status.PENDING, Status.REQUESTED):
            stored = shop.executions.end(held, status, fields)
        # Somebody may have asked for its end, and changed more than we know.
        stored = stored or shop.executions.change(execution_id, status, attempt=attempt, fields=fields)
        return stored or _done_before(shop.executions.get(execution_id), status, attempt)

    return until_done(f"Execution {execution_id}", step)


def _done_before(found: Document | None, status: Status, attempt: int) -> Document | None:
    """What an earlier try changed, whose answer was lost on the way."""
    return found if found and (found["status"], found["attempt"]) == (status, attempt) else None
