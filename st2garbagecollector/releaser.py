"""Queues executions that were asked for with a delay, once it is over."""

from __future__ import annotations

from pymongo.database import Database

from st2common.models.connection import Document
from st2common.services.executions import release_delayed
from st2common.transport.port import Transport

BATCH = 100


class Releaser:
    name = "releaser"
    interval = 1.0
    rest = 0.0

    def __init__(self, database: Database[Document], transport: Transport) -> None:
        self._database = database
        self._transport = transport

    def run(self) -> bool:
        return release_delayed(self._database, self._transport, BATCH) == BATCH
