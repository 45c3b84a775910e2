"""The sensor container: runs the enabled sensors of its partition, each in a process of its own."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from st2common.auth.tokens import Tokens
from st2common.content.errors import ContentError
from st2common.errors import ConfigError, ValidationError
from st2common.models import sensors, triggers
from st2common.models.connection import Document
from st2common.models.leases import SENSOR_CONTAINERS, Lease
from st2common.models.sensor_runs import SensorRuns
from st2common.models.trigger_types import SENSOR_EXIT, SENSOR_SPAWN
from st2common.output.doorbell import Doorbell
from st2common.output.log import LogUnavailable
from st2common.output.mongo_log import MongoOutputLog
from st2common.retry import until_done
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.transport.port import Transport
from st2common.transport.topology import TRIGGER_INSTANCES
from st2reactor.container import partitions
from st2reactor.container.child import Child
from st2reactor.container.launcher import Launcher
from st2reactor.container.lost_runs import end_lost_runs
from st2reactor.container.supervisor import GRACE, MAX_RESTARTS, Supervisor, Workshop

LOG = logging.getLogger(__name__)

# Seconds between two looks at which sensors there are to run, and which triggers.
TICK = 2.0
# Seconds after which another container of the same node takes over from one that is silent.
LEASE = 15.0


class SensorContainerService:
    """One of the containers with the same node name works at a time; the others wait for it to go."""

    name = "st2sensorcontainer"

    def __init__(
        self,
        *,
        config: cfg.ConfigOpts,
        database: Database[Document],
        transport: Transport,
        single_sensor: str | None = None,
    ) -> None:
        """``single_sensor``: the reference of the one sensor to run, whatever the partition; with its end, SIGTERM is
        sent to this process, and :attr:`exit_code` is the sensor's.

        Raises:
            ConfigError: the partition is not understood, or there is no such sensor.
        """
        self._config = config
        self._database = database
        self._transport = transport
        self._single = single_sensor
        self._node: str = config.sensorcontainer.sensor_node_name
        self._partition = partitions.provider(config, database)
        if single_sensor and sensors.stored(single_sensor) is None:
            raise ConfigError(
                f'--sensor-ref: there is no sensor "{single_sensor}"; st2 sensor list shows those there are'
            )
        place = f"{self._node}/{single_sensor}" if single_sensor else self._node
        owner = f"{socket.gethostname()}-{os.getpid()}"
        self._lease = Lease(database, SENSOR_CONTAINERS + place, owner, LEASE)
        self._runs = SensorRuns(database)
        self._log = MongoOutputLog(database)
        self._workshop = Workshop(
            node=self._node,
            host=socket.gethostname(),
            runs=self._runs,
            log=self._log,
            doorbell=Doorbell(transport),
            launcher=Launcher(config, database),
            dispatch=self._dispatch,
            spawned=self._tell_spawn,
            exited=self._tell_exit,
        )
        self._supervisors: dict[str, Supervisor] = {}
        self._holds = False
        self._stopping = threading.Event()
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._work, name="sensor-container", daemon=True)
        #: Of the process of a single sensor.
        self.exit_code = 0

    def start(self) -> None:
        until_done("Making indexes", self._runs.ensure_indexes)
        until_done("Making indexes", self._log.ensure_indexes)
        until_done("Making indexes", Tokens(self._database).ensure_indexes)
        self._transport.declare(TRIGGER_INSTANCES)
        self._thread.start()

    def stop(self, deadline: float) -> None:
        end = time.monotonic() + deadline
        self._stopping.set()
        self._thread.join(deadline)
        self._stop_all(list(self._supervisors.values()), min(GRACE, end - time.monotonic()))
        try:
            self._lease.release()
        except PyMongoError as error:
            LOG.info("The lease runs out by itself, the database is away: %s", error)

    def health(self) -> str | None:
        if not self._thread.is_alive():
            return "the container has stopped"
        return self._problem

    # The container's own thread.

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
                self._problem = None
            except (PyMongoError, LogUnavailable) as error:
                LOG.warning("Sensors stay as they are, the database is away: %s", error)
                self._problem = "the database is away: sensors stay as they are"
            except ContentError as error:
                LOG.error("Sensors stay as they are: %s", error)
                self._problem = str(error)
            except Exception as error:
                LOG.exception("The container failed to look after its sensors")
                self._problem = f"it failed to look after its sensors: {error}"
            self._stopping.wait(TICK)

    def _look(self) -> None:
        """Run what is to run now, and nothing else."""
        if not self._take_lease():
            return
        wanted = self._wanted()
        stale = [each for each in self._supervisors.values() if wanted.get(each.reference) != each.sensor]
        self._stop_all(stale, GRACE)
        for supervisor in stale:
            del self._supervisors[supervisor.reference]
        types = {reference for sensor in wanted.values() for reference in sensor.get("trigger_types") or ()}
        known = triggers.find(types)[0] if types else []
        for reference, sensor in wanted.items():
            own = [trigger for trigger in known if trigger["type"] in sensor["trigger_types"]]
            if reference in self._supervisors:
                self._supervisors[reference].set_triggers(own)
                self._supervisors[reference].renew_token()
            elif not self._stopping.is_set():
                self._start(sensor, own)

    def _take_lease(self) -> bool:
        held, self._holds = self._holds, self._lease.acquire()
        if self._holds and not held:
            end_lost_runs(self._runs, self._log, self._workshop.doorbell, self._node, self._single)
        elif held and not self._holds:
            LOG.error("Another container of node %s runs its sensors now: ending ours", self._node)
            self._stop_all(list(self._supervisors.values()), GRACE)
            self._supervisors = {}
        elif not self._holds:
            LOG.debug("Another container of node %s runs its sensors", self._node)
        return self._holds

    def _wanted(self) -> dict[str, Document]:
        if self._single:
            found = sensors.stored(self._single)
            return {self._single: found} if found else {}
        mine = self._partition()
        return {sensor["ref"]: sensor for sensor in sensors.enabled() if mine(sensor["ref"])}

    def _start(self, sensor: Document, own: list[Document]) -> None:
        restarts = 0 if self._single else MAX_RESTARTS
        supervisor = Supervisor(self._workshop, sensor, own, self._on_over, restarts)
        self._supervisors[sensor["ref"]] = supervisor
        supervisor.start()

    def _stop_all(self, supervisors: list[Supervisor], grace: float) -> None:
        end = time.monotonic() + grace
        for supervisor in supervisors:
            supervisor.ask_to_stop()
        for supervisor in supervisors:
            supervisor.join(max(0.0, end - time.monotonic()))

    def _on_over(self) -> None:
        if self._single and not self._stopping.is_set():
            code = self._supervisors[self._single].exit_code
            # As a shell says it of a process that a signal has ended.
            self.exit_code = 1 if code is None else code if code >= 0 else 128 - code
            os.kill(os.getpid(), signal.SIGTERM)

    # Events.

    def _dispatch(self, trigger: str, payload: Any, trace_context: Mapping[str, Any] | None) -> None:
        """Store an event, once, however often the database has to be asked.

        Raises:
            ValidationError: there is no such trigger, or the payload is not valid.
        """
        if not isinstance(payload, dict | None):
            raise ValidationError(f"the payload is no object but of type {type(payload).__name__}")
        identity = ObjectId()

        def step() -> None:
            try:
                dispatch_trigger(
                    self._database,
                    self._transport,
                    trigger=trigger,
                    payload=payload or {},
                    trace_context=trace_context,
                    validate_payload=self._config.system.validate_trigger_payload,
                    instance_id=identity,
                )
            except DuplicateKeyError:
                LOG.debug("Event %s was stored before, and only the answer was lost", identity)

        until_done(f"An event of {trigger}", step)

    def _tell_spawn(self, sensor: Mapping[str, Any], child: Child) -> None:
        payload = {"id": sensor["name"], "timestamp": int(time.time()), "pid": child.pid}
        self._tell(SENSOR_SPAWN, {**payload, "cmd": shlex.join(child.command)})

    def _tell_exit(self, sensor: Mapping[str, Any], exit_code: int) -> None:
        self._tell(SENSOR_EXIT, {"id": sensor["name"], "timestamp": int(time.time()), "exit_code": exit_code})

    def _tell(self, trigger: str, payload: Document) -> None:
        try:
            dispatch_trigger(self._database, self._transport, trigger=trigger, payload=payload, validate_payload=False)
        except (PyMongoError, ValidationError) as error:
            LOG.warning("%s of %s is not told: %s", trigger, payload["id"], error)
