"""Remembering for a moment what is asked for with every execution: its action, its runner type, its policies."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from st2common.models.listing import collection_of

T = TypeVar("T")

# Seconds for which a change that another process made may go unnoticed. Our own are noticed at once.
MOMENT = 1.0

# Entries; beyond that, what is remembered is dropped as a whole.
_MAX_ENTRIES = 10_000


class Recent(Generic[T]):
    """Answers of ``look_up``, each a moment old at most. Thread-safe; the answers are the caller's own."""

    def __init__(self, model: Any, look_up: Callable[[str], T]) -> None:
        """``model``: the mongoengine class whose database, and so whose answers, may change with the connection."""
        self._model = model
        self._look_up = look_up
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], tuple[float, T]] = {}

    def get(self, key: str) -> T:
        place = (collection_of(self._model).database.name, key)
        with self._lock:
            known = self._answers.get(place)
        if known is None or time.monotonic() - known[0] > MOMENT:
            # Timed before the look: the answer may be old already when it arrives.
            known = (time.monotonic(), self._look_up(key))
            with self._lock:
                if len(self._answers) >= _MAX_ENTRIES:
                    self._answers.clear()
                if known[1] is not None:
                    self._answers[place] = known
        return copy.deepcopy(known[1])

    def forget(self) -> None:
        """Something was changed by this process."""
        with self._lock:
            self._answers.clear()
