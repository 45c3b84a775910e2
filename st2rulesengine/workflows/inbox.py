"""Which workflow executions are to be looked at: each by one thread at a time, once for all that was told meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from st2common.transport.port import Delivery

LOG = logging.getLogger(__name__)


class Inbox:
    def __init__(self, look: Callable[[str], None], threads: int) -> None:
        """``look`` is called for each workflow execution, in one of ``threads``; it raises nothing."""
        self._look = look
        self._changed = threading.Condition()
        #: What to look at, in order, with the messages that have asked for it.
        self._waiting: dict[str, list[Delivery]] = {}
        self._looked_at: set[str] = set()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"workflows-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, execution_id: str, delivery: Delivery | None = None) -> None:
        """Have a workflow looked at, from now on: what is being looked at is looked at once more.

        ``delivery`` is acknowledged when that is done: should we die before, another engine gets it.
        """
        with self._changed:
            if self._stopping:
                return
            told = self._waiting.setdefault(execution_id, [])
            if delivery:
                told.append(delivery)
            self._changed.notify()

    def stop(self, deadline: float) -> None:
        """Let the looks that have begun finish. All else goes back to the queue when its consumer stops."""
        end = time.monotonic() + deadline
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            execution_id, told = taken
            try:
                self._look(execution_id)
                for delivery in told:
                    delivery.ack()
            finally:
                with self._changed:
                    self._looked_at.discard(execution_id)
                    self._changed.notify_all()

    def _take(self) -> tuple[str, list[Delivery]] | None:
        with self._changed:
            while not self._stopping:
                free = next((each for each in self._waiting if each not in self._looked_at), None)
                if free is not None:
                    self._looked_at.add(free)
                    return free, self._waiting.pop(free)
                self._changed.wait()
        return None
