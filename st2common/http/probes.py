"""What a process says of itself to monitoring, with and without a prefix like ``/v1``::

GET /healthz   200: it lives
GET /readyz    200: it can work now; 503: it cannot, and what is wrong
GET /metrics   what it has counted, in Prometheus' text format
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pymongo
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.http import access_log
from st2common.http.authentication import public
from st2common.http.authorization import any_user
from st2common.http.responses import answer
from st2common.models.connection import Document
from st2common.transport.port import Transport

# Seconds for which the database gets to answer.
_PING_TIMEOUT = 2.0
# Seconds for which its last answer is believed: whoever asks us a thousand times a second does not ask the database so.
_PING_INTERVAL = 1.0

_WELL = "ok"


class Readiness:
    """Whether a process can do its work."""

    def __init__(
        self,
        database: Database[Document],
        transport: Transport | None,
        services: Mapping[str, Callable[[], str | None]],
    ) -> None:
        """``transport``: None where the process works without a broker. ``services``: what each of them says of its
        health."""
        self._database = database
        self._transport = transport
        self._services = services
        self._pinged_at = float("-inf")
        self._database_problem: str | None = None

    def checks(self) -> dict[str, str | None]:
        """By what was looked at: None when well, else what is wrong."""
        checks = {"database": self._database_health()}
        if self._transport is not None:
            checks["broker"] = None if self._transport.healthy() else "no connection to the message broker"
        return {**checks, **{name: health() for name, health in self._services.items()}}

    def _database_health(self) -> str | None:
        if time.monotonic() - self._pinged_at > _PING_INTERVAL:
            self._database_problem = self._ping()
            self._pinged_at = time.monotonic()
        return self._database_problem

    def _ping(self) -> str | None:
        try:
            with pymongo.timeout(_PING_TIMEOUT):
                self._database.command("ping")
        except PyMongoError:
            return "the database does not answer"
        return None


def blueprint(readiness: Readiness) -> Blueprint:
    routes = Blueprint(access_log.PROBES, __name__)

    @routes.get("/healthz")
    @public
    def healthz() -> Response:
        """Whether this process lives."""
        return answer({"status": _WELL})

    @routes.get("/readyz")
    @public
    def readyz() -> Response:
        """Whether this process can do its work now, and what is wrong if it cannot."""
        checks = readiness.checks()
        ready = not any(checks.values())
        shown = {name: problem or _WELL for name, problem in checks.items()}
        return answer({"ready": ready, "checks": shown}, 200 if ready else 503)

    @routes.get("/metrics")
    @any_user
    def metrics() -> Response:
        """What this process has counted, for Prometheus."""
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

    return routes
