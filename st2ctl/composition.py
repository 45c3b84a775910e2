"""The services of all daemons in one process, with the embedded database as its child and no broker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg
from pymongo.database import Database

from st2actionrunner.service import RunnerService
from st2api.auth.service import AuthService
from st2api.service import ApiService
from st2common import daemon, service
from st2common.config.clients import connect_database
from st2common.content import registrar
from st2common.membership import Membership
from st2common.models import connection
from st2common.models.connection import Document
from st2common.service import Service
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Transport
from st2ctl.daemons import STANDALONE
from st2ctl.embedded import EmbeddedDatabase, ServerFailed
from st2ctl.supervised_database import SupervisedDatabase
from st2garbagecollector.service import GarbageCollectorService
from st2reactor.container.service import SensorContainerService
from st2rulesengine.service import RulesEngineService
from st2rulesengine.workflows.service import WorkflowEngineService
from st2stream.service import StreamService

LOG = logging.getLogger(__name__)


def main(args: Sequence[str] | None = None) -> int:
    return daemon.guarded(STANDALONE, lambda: _run(daemon.prepare("st2api", args)))


def _run(config: cfg.ConfigOpts) -> int:
    state_path = Path(config.system.state_path)
    server = SupervisedDatabase(EmbeddedDatabase(state_path / "database", config.database.port))
    try:
        server.launch()
        return _run_on(server, config, state_path)
    except ServerFailed as error:
        LOG.error("%s", error)
        return 1
    finally:
        server.stop(daemon.STOP_TIMEOUT)


def _run_on(server: SupervisedDatabase, config: cfg.ConfigOpts, state_path: Path) -> int:
    database = connect_database(config)
    try:
        # What is not valid is in the log, and leaves the rest usable.
        registrar.register(config)
        transport = MemoryTransport()
        try:
            services = _compose(config, database, transport)
            members = Membership(config, database, [each.name for each in services])
            asks = config.auth.enable
            groups = (config.api, config.stream, *([config.auth] if asks else []))
            listen = ", ".join(f"{group.host}:{group.port}" for group in groups)
            if not asks:
                LOG.info("Authentication is off: whoever can reach %s may do everything", listen)
            return service.run(STANDALONE, [server, *services, members], state_path, daemon.STOP_TIMEOUT, listen)
        finally:
            transport.close()
    finally:
        connection.disconnect()


def _compose(config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> list[Service]:
    """In the order in which they start: what takes work in is last, so that it stops first."""
    asks = config.auth.enable
    services: list[Service] = [
        *([AuthService(config=config, database=database, transport=transport)] if asks else []),
        StreamService(config=config, database=database, transport=transport),
        GarbageCollectorService(config=config, database=database, transport=transport),
        RulesEngineService(config=config, database=database, transport=transport),
        WorkflowEngineService(config=config, database=database, transport=transport),
        RunnerService(config=config, database=database, transport=transport),
        SensorContainerService(config=config, database=database, transport=transport),
    ]
    return [*services, ApiService(config=config, database=database, transport=transport, beside=services)]
