"""The rules engine of a platform that has no rules yet: it keeps what they will work on.

Trigger instances are work messages. With their queue declared, the broker stores what is dispatched instead of
refusing it; nothing consumes the queue, so nothing is lost until a release matches instances with rules.
"""

from __future__ import annotations

import threading

from oslo_config import cfg
from pymongo.database import Database

from st2common.errors import TransportError
from st2common.models.connection import Document
from st2common.transport.port import Transport
from st2common.transport.topology import TRIGGER_INSTANCES

# Seconds between two attempts to declare the queue while the broker is away.
_RETRY_INTERVAL = 1.0


class RulesEngineService:
    name = "st2rulesengine"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._transport = transport
        self._declared = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._declare, name="declare-queue", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: float) -> None:
        self._stop.set()
        self._thread.join(deadline)

    def health(self) -> str | None:
        if not self._declared.is_set():
            return "the queue of trigger instances is not declared: no connection to the broker yet"
        return None if self._transport.healthy() else "no connection to the broker"

    def _declare(self) -> None:
        while not self._stop.is_set():
            try:
                self._transport.declare(TRIGGER_INSTANCES)
            except TransportError:
                self._stop.wait(_RETRY_INTERVAL)
            else:
                self._declared.set()
                return
