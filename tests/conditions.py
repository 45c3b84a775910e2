"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds between two looks: short, so that a test ends as soon as its condition holds.
_INTERVAL = 0.01


def eventually(condition: Callable[[], T], timeout: float = 10.0, interval: float = _INTERVAL) -> T:
    """The first truthy value of ``condition``; fails with its last value when ``timeout`` seconds are over.

    ``interval``: seconds between two looks, for a look that takes what is waited for from its work.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s the condition still gives {value!r}")
        time.sleep(interval)
    return value
