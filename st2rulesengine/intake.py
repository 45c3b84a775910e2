"""Taking trigger instances from the queue, as many at once as have come while the last ones were seen to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from typing import Protocol

from pymongo.errors import PyMongoError

from st2common.transport.port import Delivery

LOG = logging.getLogger(__name__)

# Instances that are seen to at once: enough that many share one look at the database.
BATCH = 100
# Messages that an engine holds: those it works on, and the next.
PREFETCH = 2 * BATCH

# Seconds before another try while the database is away: doubled from the first to the last.
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 5.0


class Process(Protocol):
    def __call__(self, instance_ids: Collection[str], *, repeated: bool) -> None: ...


class Intake:
    """Deliveries are given to :meth:`take` in any thread; ``process`` is called in one of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: list[Delivery] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._work, name="rules", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, delivery: Delivery) -> None:
        with self._changed:
            self._waiting.append(delivery)
            self._changed.notify()

    def stop(self, deadline: float) -> None:
        """Finish what is in work, and give the rest back with the connection that it came by."""
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(deadline)

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        batch: list[Delivery] = []
        while not self._stopping.is_set():
            batch = batch or self._next()
            again = self.problem is not None
            self.problem = self._try(batch, again)
            if self.problem:
                self._stopping.wait(pause)
                pause = min(2 * pause, _LAST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            for delivery in batch:
                delivery.ack()
            batch = []

    def _try(self, batch: Sequence[Delivery], again: bool) -> str | None:
        """What has kept us from seeing to these; None where it is done."""
        ids = dict.fromkeys(str(delivery.message.body.get("trigger_instance_id")) for delivery in batch)
        try:
            self._process([*ids], repeated=again or any(delivery.message.redelivered for delivery in batch))
        except PyMongoError as error:
            LOG.warning("%d trigger instances wait for the database: %s", len(ids), error)
            return "the database is away"
        except Exception as error:
            LOG.exception("%d trigger instances wait", len(ids))
            return f"trigger instances wait: {error}"
        return None

    def _next(self) -> list[Delivery]:
        with self._changed:
            while not self._waiting and not self._stopping.is_set():
                self._changed.wait()
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        return batch
