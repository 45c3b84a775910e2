"""Times out inquiries that nobody has answered within their ``ttl``."""

from __future__ import annotations

from pymongo.database import Database

from st2common.models.connection import Document
from st2common.services.inquiries import expire_inquiries
from st2common.transport.port import Transport

BATCH = 100


class InquiryTimeout:
    name = "timeout of inquiries"
    # The time to wait is given in minutes.
    interval = 10.0
    rest = 0.0

    def __init__(self, database: Database[Document], transport: Transport, web_base_url: str | None = None) -> None:
        self._database = database
        self._transport = transport
        self._web_base_url = web_base_url

    def run(self) -> bool:
        return expire_inquiries(self._database, self._transport, BATCH, self._web_base_url) == BATCH
