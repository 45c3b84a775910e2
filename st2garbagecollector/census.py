"""Counts executions that have not ended, for monitoring: how long is the queue, what is stuck."""

from __future__ import annotations

from st2common import metrics
from st2common.models.executions import Executions


class Census:
    name = "census"
    interval = 10.0
    rest = 0.0

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    def run(self) -> bool:
        for status, count in self._executions.count_unfinished().items():
            metrics.UNFINISHED.labels(status).set(count)
        return False
