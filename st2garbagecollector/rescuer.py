"""Ends executions whose runner is lost, or has them run again, so that nobody waits for them for ever.

A runner renews the lease of what it runs. When a lease runs out, the rescuer first takes the execution over as a new
attempt: from then on nothing that the old runner writes counts. Then it ends the log, then the execution. If it dies in
between, its own lease runs out and the next look finishes the work.
"""

from __future__ import annotations

import logging
import time

from st2common import metrics
from st2common.clock import now_us
from st2common.errors import Fenced
from st2common.models.connection import Document
from st2common.models.execution_view import result_size
from st2common.models.executions import Executions
from st2common.models.statuses import Status
from st2common.output.chunk import End
from st2common.output.doorbell import Doorbell
from st2common.output.log import OutputLog
from st2common.output.masking import Secrets
from st2common.output.writer import Writer
from st2common.services.events import ExecutionEvents
from st2common.services.log_end import end_log
from st2common.services.repeats import may_run_again, run_again, runs
from st2common.transport.port import Transport

LOG = logging.getLogger(__name__)

# Seconds that the rescuer has for one execution until another look may begin with it again.
LEASE = 60.0

BATCH = 100

# Seconds for which leases may have run out without anybody's fault: after an outage of the database, or a stop of the
# whole platform, runners get this long to renew them. A collector that has not looked for GAP seconds assumes one.
PATIENCE = 15.0
GAP = 10.0


class Rescuer:
    name = "rescuer"
    interval = 2.0
    rest = 0.0
    patience = PATIENCE

    def __init__(
        self,
        executions: Executions,
        log: OutputLog,
        transport: Transport,
        events: ExecutionEvents,
        owner: str,
    ) -> None:
        self._looked_at = float("-inf")
        self._patient_until = float("-inf")
        self._executions = executions
        self._log = log
        self._transport = transport
        self._events = events
        self._owner = owner

    def run(self) -> bool:
        expired = self._executions.expired(now_us(), BATCH)
        if self._must_wait():
            return False
        for execution in expired:
            self._rescue(execution)
        return len(expired) == BATCH

    def _must_wait(self) -> bool:
        """Whether runners may still be coming back. Called when the database has just answered."""
        now = time.monotonic()
        if now - self._looked_at > GAP:
            self._patient_until = now + self.patience
        self._looked_at = now
        return now < self._patient_until

    def _rescue(self, expired: Document) -> None:
        seized = self._executions.seize(expired, self._owner, now_us() + int(LEASE * 1_000_000))
        if seized is None:
            return
        execution_id = str(seized["_id"])
        try:
            if may_run_again(seized) and not self._log.end(execution_id) and self._run_again(seized):
                return
            # The record carries the attempt after the lost one: ours.
            end_log(self._log, self._transport, {**expired, "status": str(Status.ABANDONED)})
        except Fenced:
            # The old runner ended the log in this moment, or a later attempt has begun: the next look will see.
            LOG.info("The log of execution %s belongs to somebody else", execution_id)
            return
        end = self._log.end(execution_id)
        if end is not None:
            self._end(seized, end)

    def _run_again(self, seized: Document) -> bool:
        execution_id, attempt = str(seized["_id"]), seized["attempt"]
        position = self._log.take_over(execution_id, attempt)
        writer = Writer(self._log, Doorbell(self._transport), execution_id, attempt, position, Secrets())
        reason = f"The runner on {_runner(seized)} was lost."
        if run_again(self._executions, self._events, writer, seized, reason) is None:
            return False
        LOG.warning("Execution %s is run again: its runner on %s was lost", execution_id, _runner(seized))
        return True

    def _end(self, seized: Document, end: End) -> None:
        execution_id, result = str(seized["_id"]), _result(end, seized)
        # Who asked for its end has set the result of a canceled one.
        canceled = end.status == Status.CANCELED
        fields = {} if canceled else {"result": result, "result_size": result_size(result)}
        ended = self._executions.change(execution_id, Status(end.status), attempt=seized["attempt"], fields=fields)
        if ended is not None:
            metrics.RESCUED.inc()
            LOG.warning("Execution %s is %s, its runner on %s was lost", execution_id, ended["status"], _runner(seized))
            self._events.updated(ended)


def _runner(execution: Document) -> str:
    """Which runner had it. Not its owner: that is a collector where an earlier rescue was interrupted."""
    info = execution["liveaction"].get("runner_info") or {}
    return f"{info.get('hostname', 'unknown host')} (pid {info.get('pid', 'unknown')})"


def _result(end: End, seized: Document) -> Document:
    lost = f"The runner on {_runner(seized)} that ran this execution was lost"
    if end.status == Status.ABANDONED:
        error = f"{lost}. What the action printed until then is in its output; whether it ended is unknown."
        return {"error": f"{error} It was run {runs(seized)} times." if runs(seized) > 1 else error}
    # The runner had written the end of the log, which tells the truth, and died before it changed the execution.
    return {"error": f"{lost} after the action had ended, before its result was stored.", "exit_code": end.exit_code}
