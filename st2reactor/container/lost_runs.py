"""The runs that a container which died has left open: their processes are gone with it."""

from __future__ import annotations

import logging

from st2common.models.sensor_runs import SensorRuns, Status
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog
from st2common.output.masking import Secrets
from st2common.output.writer import Writer

LOG = logging.getLogger(__name__)

# The writer of a container is the first attempt at a log; nobody else writes to it, so whoever ends it is the second.
_ATTEMPT = 2


def end_lost_runs(runs: SensorRuns, log: OutputLog, doorbell: Doorbell, node: str, sensor: str | None) -> None:
    """End what is open on this node, of this sensor or of all. Only for the container that holds the node's lease."""
    for run in runs.open_on(node):
        if sensor not in (None, run["sensor"]):
            continue
        run_id = str(run["_id"])
        end = log.end(run_id)
        if end is None:
            position = log.take_over(run_id, _ATTEMPT)
            # What it printed was masked when it was written.
            Writer(log, doorbell, run_id, _ATTEMPT, position, Secrets()).finish(str(Status.LOST), None)
        status = Status(end.status) if end else Status.LOST
        runs.end(run_id, status, end.exit_code if end else None, "Its container has died.", run["failures"])
        LOG.warning("Sensor %s was lost with its container", run["sensor"])
