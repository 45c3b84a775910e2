"""The garbage collector: heals what was left behind and removes what is old. One of them works at a time."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time

from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common import metrics
from st2common.datastore.lookup import KeyAccess
from st2common.models.connection import Document
from st2common.models.executions import Executions
from st2common.models.leases import COLLECTOR, Lease
from st2common.models.trigger_instances import TriggerInstances
from st2common.output.log import LogUnavailable
from st2common.output.mongo_log import MongoOutputLog
from st2common.services.events import ExecutionEvents
from st2common.transport.port import Transport
from st2garbagecollector.census import Census
from st2garbagecollector.inquiries import InquiryTimeout
from st2garbagecollector.job import Job
from st2garbagecollector.kinds import kinds
from st2garbagecollector.policies import PolicyKeeper
from st2garbagecollector.purge import Purge, days
from st2garbagecollector.releaser import Releaser
from st2garbagecollector.rescuer import Rescuer
from st2garbagecollector.sweeper import InstanceSweeper, Sweeper

LOG = logging.getLogger(__name__)

# Seconds after which another collector, or the next process of one that was killed, takes over from one that is silent.
# Should a piece of work take longer, two work at once: nothing of what they do does harm when it is done twice.
LEASE = 15.0

# Seconds between two looks at whether a job is due.
TICK = 1.0


class GarbageCollectorService:
    name = "st2garbagecollector"

    def __init__(self, *, config: cfg.ConfigOpts, database: Database[Document], transport: Transport) -> None:
        """
        Raises:
            ConfigError: something would be kept for less than a day.
        """
        owner = f"{socket.gethostname()}-{os.getpid()}"
        self._lease = Lease(database, COLLECTOR, owner, LEASE)
        self._policies = PolicyKeeper(database, transport, KeyAccess.of_config(config), self._hurry)
        self._jobs = [*_jobs(config, database, transport, owner), self._policies]
        self._due = dict.fromkeys(self._jobs, 0.0)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._problems: dict[Job, str] = {}
        self._thread = threading.Thread(target=self._work, name="collector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: float) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(deadline)
        self._policies.stop()

    def health(self) -> str | None:
        if not self._thread.is_alive():
            return "the collector has stopped"
        return "; ".join(self._problems.values()) or None

    def run_now(self) -> None:
        """Do everything that is to be done now and then at once."""
        self._due = dict.fromkeys(self._jobs, 0.0)
        self._wake.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            for job in self._jobs:
                if not self._stop.is_set() and time.monotonic() >= self._due[job]:
                    self._run(job)
            self._wake.wait(TICK)
            self._wake.clear()
        try:
            self._lease.release()
        except PyMongoError as error:
            LOG.info("The lease runs out by itself, the database is away: %s", error)

    def _hurry(self) -> None:
        """Something has ended that others may have waited for."""
        self._due[self._policies] = 0.0
        self._wake.set()

    def _run(self, job: Job) -> None:
        """A job that fails is told by ``health`` until it works again; the others go on."""
        more = False
        try:
            ours = self._lease.acquire()
            metrics.COLLECTOR.set(ours)
            if not ours:
                # Another one counts them now.
                metrics.UNFINISHED.clear()
            else:
                more = job.run()
                metrics.JOB_RUNS.labels(job.name).inc()
                metrics.JOB_RAN.labels(job.name).set_to_current_time()
        except (PyMongoError, LogUnavailable) as error:
            LOG.warning("The %s could not work: %s", job.name, error)
            metrics.JOB_FAILURES.labels(job.name).inc()
            self._problems = {**self._problems, job: f"{job.name}: the database is away"}
        except Exception as error:
            LOG.exception("The %s failed", job.name)
            metrics.JOB_FAILURES.labels(job.name).inc()
            self._problems = {**self._problems, job: f"{job.name}: {error}"}
        else:
            self._problems = {other: problem for other, problem in self._problems.items() if other is not job}
        self._due[job] = time.monotonic() + (job.rest if more else job.interval)


def _jobs(config: cfg.ConfigOpts, database: Database[Document], transport: Transport, owner: str) -> list[Job]:
    executions, log = Executions(database), MongoOutputLog(database)
    events = ExecutionEvents(transport, config.webui.webui_base_url)
    interval, rest = config.garbagecollector.collection_interval, config.garbagecollector.sleep_delay
    jobs: list[Job] = [
        Sweeper(executions, transport),
        InstanceSweeper(TriggerInstances(database), transport),
        Releaser(database, transport),
        Rescuer(executions, log, transport, events, owner),
        Census(executions),
    ]
    if config.garbagecollector.purge_inquiries:
        jobs.append(InquiryTimeout(database, transport, config.webui.webui_base_url))
    purges = [
        Purge(kind, keep, interval, rest)
        for kind in kinds(database).values()
        if (keep := days(config, kind.option)) is not None
    ]
    return [*jobs, *purges]
