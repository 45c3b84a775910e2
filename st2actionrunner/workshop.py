"""What the runs of a runner share."""

from __future__ import annotations

from dataclasses import dataclass

from st2actionrunner.keepers import Keepers
from st2actionrunner.requests import RequestBuilder
from st2actionrunner.runners.registry import Runners
from st2common.models.executions import Executions
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog
from st2common.services.events import ExecutionEvents


@dataclass(frozen=True)
class Workshop:
    """What every run of this runner works with."""

    executions: Executions
    events: ExecutionEvents
    log: OutputLog
    doorbell: Doorbell
    keepers: Keepers
    runners: Runners
    requests: RequestBuilder
    #: Least number of seconds between two writes of one log.
    flush_interval: float
    #: Bytes of output that one run of an action may have.
    max_output_bytes: int
