"""The API as a service, and as what a worker of the API daemon serves."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg
from pymongo.database import Database

from st2api import application
from st2common.auth import authenticator
from st2common.config.loopback import require_loopback
from st2common.http.serving import GeventServer, WebApplication
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.keys import Keys
from st2common.models.roles import Roles
from st2common.models.rule_enforcements import RuleEnforcements
from st2common.models.sensor_runs import SensorRuns
from st2common.models.traces import Traces
from st2common.models.trigger_instances import TriggerInstances
from st2common.output.mongo_log import MongoOutputLog
from st2common.service import Service
from st2common.transport.port import Transport
from st2common.transport.topology import EXECUTIONS_TO_RUN, TRIGGER_INSTANCES, WORKFLOWS_TO_ADVANCE


class ApiService:
    """Answers on ``[api] host`` and ``port`` from inside this process."""

    name = "st2api"

    def __init__(
        self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport, beside: Sequence[Service] = ()
    ) -> None:
        """``beside``: the other services of this process."""
        require_loopback(config, "api")
        self._transport = transport
        self._database = database
        self._app = application.make_app(config, database, transport, beside)
        self._server = GeventServer(self.name, self._app, config.api.host, config.api.port)

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        prepare(self._database, self._transport)
        self._server.start()

    def stop(self, deadline: float) -> None:
        # Half of the time for requests that are being answered, the rest for what they leave to be sent.
        self._server.stop(deadline / 2)
        application.close(self._app)

    def health(self) -> str | None:
        return application.health(self._app) or self._server.health()


def make(config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> WebApplication:
    """What a worker of the API daemon serves."""
    prepare(database, transport)
    app = application.make_app(config, database, transport)
    return WebApplication(app, lambda: application.health(app), lambda _seconds: application.close(app))


def prepare(database: Database[Document], transport: Transport) -> None:
    """What has to be there before the first request is answered."""
    authenticator.ensure_indexes(database)
    Roles(database).prepare()
    Executions(database).ensure_indexes()
    Keys(database).ensure_indexes()
    Traces(database).ensure_indexes()
    MongoOutputLog(database).ensure_indexes()
    RuleEnforcements(database).ensure_indexes()
    SensorRuns(database).ensure_indexes()
    TriggerInstances(database).ensure_indexes()
    transport.declare(EXECUTIONS_TO_RUN, TRIGGER_INSTANCES, WORKFLOWS_TO_ADVANCE)
