"""The runs of this process, and the executions that it is about to claim."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from st2actionrunner.active_run import ActiveRun


class ActiveRuns:
    """By execution id. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._runs: dict[str, ActiveRun] = {}
        # Claims that are on their way, and whether somebody asked meanwhile for the execution's end: a claim is visible
        # to others before its answer has reached us.
        self._claims: dict[str, bool] = {}

    def begin_claim(self, execution_id: str) -> bool:
        """Whether the caller may claim it: nobody else here does or has done so. ``end_claim`` must follow."""
        with self._changed:
            if execution_id in self._claims or execution_id in self._runs:
                return False
            self._claims[execution_id] = False
            return True

    def end_claim(self, execution_id: str, run: ActiveRun | None) -> None:
        """The claim gave this run, or nothing."""
        with self._changed:
            canceled = self._claims.pop(execution_id)
            if run:
                self._runs[execution_id] = run
            self._changed.notify_all()
        if run and canceled:
            run.cancel()

    def add(self, run: ActiveRun) -> None:
        with self._changed:
            self._runs[run.execution_id] = run

    def remove(self, run: ActiveRun) -> None:
        with self._changed:
            del self._runs[run.execution_id]
            self._changed.notify_all()

    def get(self, execution_id: str) -> ActiveRun | None:
        with self._changed:
            return self._runs.get(execution_id)

    def all(self) -> Mapping[str, ActiveRun]:
        with self._changed:
            return dict(self._runs)

    def cancel(self, execution_id: str) -> None:
        with self._changed:
            if execution_id in self._claims:
                self._claims[execution_id] = True
            run = self._runs.get(execution_id)
        if run:
            run.cancel()

    def wait_for_claims(self, timeout: float) -> None:
        """Until no claim is on its way, at most ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._claims, timeout)

    def wait_for_none(self, timeout: float) -> None:
        """Until no run is left, at most ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._runs, timeout)
