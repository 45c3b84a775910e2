"""The stream service: live output and events over HTTP."""

from __future__ import annotations

from oslo_config import cfg
from pymongo.database import Database

from st2common.config.loopback import require_loopback
from st2common.http import hosts, probes, raw_output
from st2common.http.app import create_app
from st2common.http.authentication import Authentication
from st2common.http.authorization import Authorization
from st2common.http.cors import allowed_origins
from st2common.http.open_streams import OpenStreams
from st2common.http.serving import GeventServer, WebApplication
from st2common.http.visible_executions import find_execution
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.sensor_runs import SensorRuns
from st2common.output.bells import BellTower
from st2common.output.mongo_log import MongoOutputLog, final_status, run_status
from st2common.transport.port import Transport
from st2stream import execution_output, live_stream, sensor_output
from st2stream.events import EventHub
from st2stream.feeds import FeedHub

PREFIXES = ("/v1", "/stream/v1")

# Seconds of silence after which a watcher is told that the connection still lives, if the heartbeat is slower.
KEEP_ALIVE = 15.0


class Stream:
    """The application and what it runs on; whoever runs it calls :meth:`close` at the end."""

    def __init__(self, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        executions = Executions(database)
        log = MongoOutputLog(database)
        self._bells = BellTower(transport)
        feeds = FeedHub(log, self._bells, final_status(executions))
        self._hub = EventHub(transport, feeds, executions, log, config.webui.webui_base_url)
        heartbeat = config.stream.heartbeat

        def find(id_or_last: str) -> Document:
            return find_execution(executions.collection, id_or_last)

        self.app = create_app("st2stream", prefixes=PREFIXES, origins=allowed_origins(config))
        hosts.guard(self.app, config)
        Authentication(config, database).guard(self.app)
        Authorization(config, database).guard(self.app)
        OpenStreams(config).guard(self.app)
        self.app.register_blueprint(live_stream.blueprint(self._hub, heartbeat))
        self.app.register_blueprint(
            execution_output.blueprint(feeds, self._bells, executions, find, min(heartbeat, KEEP_ALIVE))
        )
        readiness = probes.Readiness(database, transport, {"st2stream": self.health})
        self.app.register_blueprint(probes.blueprint(readiness))
        sensor_feeds = FeedHub(log, self._bells, run_status(SensorRuns(database)))
        self.app.register_blueprint(sensor_output.blueprint(sensor_feeds, database, min(heartbeat, KEEP_ALIVE)))
        self.app.register_blueprint(raw_output.blueprint(log, self._bells, executions, find))

    def health(self) -> str | None:
        if self._bells.healthy() and self._hub.healthy():
            return None
        return "the broker is away: output comes with a delay of a second, events do not come"

    def close(self) -> None:
        self._hub.stop()
        self._bells.stop()


class StreamService:
    """Answers on ``[stream] host`` and ``port`` from inside this process."""

    name = "st2stream"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        require_loopback(config, "stream")
        self._stream = Stream(config, database, transport)
        self._server = GeventServer(self.name, self._stream.app, config.stream.host, config.stream.port)

    def start(self) -> None:
        self._server.start()

    @property
    def port(self) -> int:
        return self._server.port

    def stop(self, deadline: float) -> None:
        self._server.stop(deadline)
        self._stream.close()

    def health(self) -> str | None:
        return self._stream.health() or self._server.health()


def make(config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> WebApplication:
    """What a worker of the stream daemon serves."""
    stream = Stream(config, database, transport)
    return WebApplication(stream.app, stream.health, lambda _seconds: stream.close())
