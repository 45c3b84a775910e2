"""Listening to the doorbell: one subscription of a process serves all its readers, bound only to what they watch."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator

from st2common.output.doorbell import Bell, parse
from st2common.transport.port import Message, Transport
from st2common.transport.topology import EXECUTION_OUTPUT

# Bells that a reader has not looked at yet. One that falls behind reads the database anyway: the oldest may go.
_MAX_WAITING = 64


class Ear:
    """What one reader hears."""

    def __init__(self) -> None:
        self._bells: deque[Bell] = deque(maxlen=_MAX_WAITING)
        self._rung = threading.Condition()
        self._muffled = False

    def put(self, bell: Bell) -> None:
        with self._rung:
            self._bells.append(bell)
            self._rung.notify()

    def wake(self) -> None:
        """Make the reader look at the database: bells may have been missed."""
        with self._rung:
            self._muffled = True
            self._rung.notify()

    def wait(self, timeout: float) -> Bell | None:
        """The next bell; None after ``timeout`` seconds, or at once where some may have been missed."""
        deadline = time.monotonic() + timeout
        with self._rung:
            while not self._bells and not self._muffled:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._rung.wait(left)
            if self._muffled:
                self._muffled = False
                self._bells.clear()
                return None
            return self._bells.popleft()


class BellTower:
    """Hands the bells of an execution to those that listen to it."""

    def __init__(self, transport: Transport) -> None:
        self._lock = threading.Lock()
        #: Held while a binding comes or goes, so that the last to leave cannot undo what the next to come has made.
        self._binding = threading.Lock()
        self._ears: dict[str, set[Ear]] = defaultdict(set)
        self._subscription = transport.subscribe(self._on_message, self._on_reconnect)

    @contextlib.contextmanager
    def listen(self, execution_id: str) -> Iterator[Ear]:
        """Hear every bell of an execution that rings from now on."""
        ear = Ear()
        with self._binding:
            with self._lock:
                ears = self._ears[execution_id]
                ears.add(ear)
            if len(ears) == 1:
                self._subscription.bind(EXECUTION_OUTPUT, execution_id)
        try:
            yield ear
        finally:
            with self._binding:
                with self._lock:
                    ears.discard(ear)
                    if not ears:
                        del self._ears[execution_id]
                if not ears:
                    self._subscription.unbind(EXECUTION_OUTPUT, execution_id)

    def _on_message(self, message: Message) -> None:
        bell = parse(message)
        with self._lock:
            ears = list(self._ears.get(bell.execution_id, ()))
        for ear in ears:
            ear.put(bell)

    def _on_reconnect(self) -> None:
        with self._lock:
            ears = [ear for listening in self._ears.values() for ear in listening]
        for ear in ears:
            ear.wake()

    def healthy(self) -> bool:
        return self._subscription.healthy()

    def stop(self) -> None:
        self._subscription.stop()
