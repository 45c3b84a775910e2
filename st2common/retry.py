"""Repeating what the database refused, until it answers: nobody drops what is known because of an outage."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from pymongo.errors import PyMongoError

from st2common.output.log import LogUnavailable

LOG = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two tries, jittered so that the runs of a runner do not come back at once.
_FIRST_DELAY = 0.05
_MAX_DELAY = 2.0


def until_done(what: str, step: Callable[[], T]) -> T:
    """The value of ``step``, which may be repeated safely. ``what`` is for the log: "<what> waits for the database"."""
    delay = _FIRST_DELAY
    while True:
        try:
            return step()
        except (PyMongoError, LogUnavailable) as error:
            LOG.warning("%s waits for the database: %s", what, error)
            time.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            delay = min(delay * 2, _MAX_DELAY)
