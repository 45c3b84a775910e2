"""Removes what is older than the configuration wants to keep, in bounded pieces, never of an unfinished execution."""

from __future__ import annotations

import logging

from oslo_config import cfg

from st2common.clock import now_us
from st2common.errors import ConfigError
from st2common.models.executions import Executions
from st2common.models.sensor_runs import SensorRuns
from st2common.output.log import OutputLog

LOG = logging.getLogger(__name__)

# Executions per piece. Each can have thousands of chunks, and one deletion must end within the driver's timeout.
BATCH = 100

_DAY_US = 24 * 3600 * 1_000_000


def days(config: cfg.ConfigOpts, option: str) -> int | None:
    """How many days ``[garbagecollector] option`` keeps things; None: for ever.

    Raises:
        ConfigError: less than a day.
    """
    value: int | None = config.garbagecollector[option]
    if not value:
        return None
    if value < 1:
        raise ConfigError(f"[garbagecollector] {option} = {value}: at least 1 (day), or 0 to keep for ever")
    return value


class PurgeOutput:
    """Removes the output of old executions and keeps the executions."""

    name = "purge of output"

    def __init__(self, executions: Executions, log: OutputLog, keep_days: int, interval: float, rest: float) -> None:
        self.interval = interval
        self.rest = rest
        self._executions = executions
        self._log = log
        self._keep_us = keep_days * _DAY_US

    def run(self) -> bool:
        old = self._executions.ended_before(now_us() - self._keep_us, BATCH, with_output=True)
        if old:
            removed = self._log.delete(old)
            self._executions.mark_output_purged(old)
            LOG.info("Removed the output of %d executions (%d documents)", len(old), removed)
        return len(old) == BATCH


class PurgeExecutions:
    """Removes old executions; their output first, so that a crash in between leaves nothing that nobody finds."""

    name = "purge of executions"

    def __init__(self, executions: Executions, log: OutputLog, keep_days: int, interval: float, rest: float) -> None:
        self.interval = interval
        self.rest = rest
        self._executions = executions
        self._log = log
        self._keep_us = keep_days * _DAY_US

    def run(self) -> bool:
        old = self._executions.ended_before(now_us() - self._keep_us, BATCH)
        if old:
            self._log.delete(old)
            LOG.info("Removed %d executions with their output", self._executions.delete(old))
        return len(old) == BATCH


class PurgeSensorLogs:
    """Removes what sensors printed in runs that ended long ago, but for the last run of each."""

    name = "purge of sensor logs"

    def __init__(self, runs: SensorRuns, log: OutputLog, keep_days: int, interval: float, rest: float) -> None:
        self.interval = interval
        self.rest = rest
        self._runs = runs
        self._log = log
        self._keep_us = keep_days * _DAY_US

    def run(self) -> bool:
        old = self._runs.ended_before(now_us() - self._keep_us, BATCH)
        if old:
            self._log.delete(old)
            LOG.info("Removed %d runs of sensors with their logs", self._runs.delete(old))
        return len(old) == BATCH
