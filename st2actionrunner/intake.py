"""Takes executions from the queue, no more at a time than there are places for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from st2common.transport.port import Consumer, Delivery, Transport
from st2common.transport.topology import EXECUTIONS_TO_RUN

LOG = logging.getLogger(__name__)

# Messages that are on their way to us while we claim others. Each is unavailable to other runners meanwhile.
_PREFETCH = 8

# Seconds without a free place after which what waits here is given back, for runners that have one.
_PATIENCE = 1.0


class Intake:
    """Calls ``take(delivery)`` in a thread of its own for each message; it occupies a place until it returns."""

    def __init__(self, transport: Transport, places: int, take: Callable[[Delivery], None]) -> None:
        self._transport = transport
        self._take = take
        self._changed = threading.Condition()
        self._free = places
        self._stopping = False
        #: No place is free: we take nothing from the queue until one is.
        self._paused = False
        self._consumer: Consumer | None = None

    def start(self) -> None:
        consumer = self._transport.consume(EXECUTIONS_TO_RUN, self._on_delivery, _PREFETCH)
        with self._changed:
            if not self._stopping:
                self._consumer = consumer
                return
        consumer.stop()

    def stop(self) -> None:
        """Take no more. What was not taken yet goes back to the queue; what was, goes on."""
        with self._changed:
            self._stopping = True
            consumer, self._consumer = self._consumer, None
            self._changed.notify_all()
        if consumer:
            consumer.stop()

    def healthy(self) -> bool:
        """Whether messages can reach us, or are not to for now."""
        consumer = self._consumer
        return consumer.healthy() if consumer else self._paused

    def _on_delivery(self, delivery: Delivery) -> None:
        if self._take_place():
            threading.Thread(target=self._occupy, args=(delivery,), daemon=True).start()
        elif self._stopping:
            delivery.requeue()
        else:
            self._pause(delivery)

    def _take_place(self) -> bool:
        """Wait for a free place and take it; False when there is none for too long, or we are stopping."""
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._stopping, _PATIENCE)
            if self._stopping or not self._free:
                return False
            self._free -= 1
            return True

    def _pause(self, delivery: Delivery) -> None:
        """Give back all that is not acknowledged, until a place is free."""
        with self._changed:
            consumer, self._consumer = self._consumer, None
            self._paused = consumer is not None
        if consumer is None:  # it is only just being made
            delivery.requeue()
            return
        consumer.stop()
        with self._changed:
            resumes = self._resumes()
        if resumes:
            self.start()

    def _resumes(self) -> bool:
        """Whether the caller has to begin consuming again."""
        if not self._paused or not self._free or self._stopping:
            return False
        self._paused = False
        return True

    def _occupy(self, delivery: Delivery) -> None:
        try:
            self._take(delivery)
        finally:
            with self._changed:
                self._free += 1
                resumes = self._resumes()
                self._changed.notify()
            if resumes:
                self.start()
