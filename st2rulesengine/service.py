"""The rules engine of a platform that has no rules yet: it keeps what they will work on.

Trigger instances are work messages. With their queue declared, the broker stores what is dispatched instead of
refusing it; nothing consumes the queue, so nothing is lost until a release matches instances with rules.
"""

from __future__ import annotations

from oslo_config import cfg
from pymongo.database import Database

from st2common.models.connection import Document
from st2common.transport.port import Transport
from st2common.transport.topology import TRIGGER_INSTANCES


class RulesEngineService:
    name = "st2rulesengine"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        self._transport = transport

    def start(self) -> None:
        # While the broker is away the transport remembers the queue and declares it when it is back.
        self._transport.declare(TRIGGER_INSTANCES)

    def stop(self, deadline: float) -> None:
        """Nothing is in hand."""

    def health(self) -> str | None:
        return None if self._transport.healthy() else "no connection to the broker"
