"""One look at a workflow execution: what has happened, what follows from it, and seeing to that."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from st2common.clock import now_us
from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.models.runner_types import WORKFLOWS
from st2common.models.statuses import CANCELABLE, COMPLETED, Status, way
from st2common.output.doorbell import Doorbell
from st2common.services.pausing import pause_execution, resume_execution
from st2common.workflows.decision import Conductor, Decision, Request
from st2rulesengine.workflows.ending import Ending
from st2rulesengine.workflows.steps import Steps, step_id
from st2rulesengine.workflows.workshop import Workshop

LOG = logging.getLogger(__name__)

# Microseconds until an engine looks whether it has missed something: after a change, and while nothing changes.
LOOK_AFTER_CHANGE = 15_000_000
LOOK_AGAIN = 60_000_000
LOOK_WHILE_PAUSED = 600_000_000

# Characters of JSON: what a workflow may remember. The database takes 16 MiB a document.
MAX_STATE = 12 * 1024 * 1024
# Steps that become part of one revision; each has some kilobytes.
_MAX_SETTLED = 64


class Progress:
    def __init__(
        self, workshop: Workshop, execution: Document, workflow: Document, conductor: Conductor, steps: Steps
    ) -> None:
        self._workshop = workshop
        self._ending = Ending(workshop)
        self._execution = execution
        self._workflow = workflow
        self._conductor = conductor
        self._steps = steps
        self._id = str(execution["_id"])
        self._changed = False
        #: The steps that are to exist by now, each once; those that do are None.
        self._requests: dict[str, Request | None] = {}
        self._decided: Document = {}
        #: Steps that have ended as they began, in the order of their ends; not stored yet.
        self._settled: list[Document] = []

    def go_on(self) -> bool:
        """Everything that can be done now; False where somebody else was faster: then look again.

        Raises:
            ValidationError: the workflow cannot go on.
        """
        if settled := self._workflow.get("settled"):
            self._steps.store_settled(self._steps.missing(settled))
        if Status(self._workflow["status"]) in COMPLETED:
            return self._ending.end(self._execution, self._workflow)
        states = self._look()
        while True:
            all_settled = self._settle()
            if self._changed and not self._store():
                return False
            if not all_settled:
                # Somebody may have asked for its end meanwhile.
                return False
            ended = self._request()
            if not ended:
                break
            for key, status in ended.items():
                self._take(self._conductor.child_changed(key, Status(status), now_us()))
        self._tell_steps(states)
        if Status(self._workflow["status"]) in COMPLETED:
            return self._ending.end(self._execution, self._workflow)
        return self._follow()

    def _look(self) -> dict[str, Document]:
        """Find out what has happened: the states of the steps that were to exist."""
        now = now_us()
        asked = Status(self._execution["status"])
        active = list(self._conductor.active)
        states = self._steps.states(active)
        if asked is Status.CANCELING:
            self._take(self._conductor.cancel(now))
        elif asked is Status.PAUSING:
            self._take(self._conductor.pause(now))
        elif asked is Status.RESUMING:
            self._resume_steps(states)
            self._take(self._conductor.resume(now))
        for key, step in states.items():
            self._take(self._conductor.child_changed(key, Status(step["status"]), now))
        missing = set(active) - states.keys()
        if missing:
            # They were decided about, and an engine died before it came to request them, or is about to.
            again = self._conductor.outstanding(now)
            self._take(again)
            self._add(request for request in again.requests if request.key in missing)
        return states

    def _take(self, decision: Decision) -> None:
        if decision.changed:
            self._changed = True
            self._decided |= decided(decision)
            self._add(decision.requests)

    def _add(self, requests: Iterable[Request]) -> None:
        for request in requests:
            self._requests.setdefault(request.key, request)

    def _settle(self) -> bool:
        """Go on over steps that need nobody, one after the other; False where there were too many for one revision.

        What they are becomes part of the revision that knows their ends, and only then do they exist.
        """
        while True:
            count = len(self._settled)
            for request in [request for request in self._requests.values() if request is not None]:
                step = self._steps.settle(request)
                if step is None:
                    continue
                if len(self._settled) == _MAX_SETTLED:
                    return False
                self._settled.append(step)
                self._requests[request.key] = None
                self._take(self._conductor.child_changed(request.key, Status(step["status"]), now_us()))
            if len(self._settled) == count:
                return True

    def _store(self) -> bool:
        """Make what was decided the next revision; False where there is one already."""
        paused = self._decided.get("status") == Status.PAUSED
        fields = {
            **self._decided,
            "state": json.dumps(self._conductor.state),
            "secrets": self._steps.secrets,
            "settled": self._settled,
            "look_at": now_us() + (LOOK_WHILE_PAUSED if paused else LOOK_AFTER_CHANGE),
        }
        check_size({**self._workflow, **fields})
        if not self._workshop.workflows.change(self._workflow, fields):
            return False
        self._workflow = {**self._workflow, **fields, "revision": self._workflow["revision"] + 1}
        self._steps.store_settled(self._settled)
        if self._settled:
            Doorbell(self._workshop.transport).nudge(self._id)
        self._changed, self._decided, self._settled = False, {}, []
        return True

    def _request(self) -> dict[str, str]:
        """Have the steps exist that are to; the statuses of those that have ended already."""
        requests = [request for request in self._requests.values() if request is not None]
        if not requests:
            return {}
        self._requests = dict.fromkeys(self._requests)
        statuses = {request.key: self._steps.request(request) for request in requests}
        Doorbell(self._workshop.transport).nudge(self._id)
        return {key: status for key, status in statuses.items() if status in COMPLETED}

    def _resume_steps(self, states: Mapping[str, Document]) -> None:
        for step in states.values():
            if step["status"] == Status.PAUSED and step["runner"]["name"] in WORKFLOWS:
                self._ask(resume_execution, step)

    def _tell_steps(self, states: Mapping[str, Document]) -> None:
        """Cancel, or pause, those that are going on while the workflow is not to."""
        if self._workflow["status"] == Status.CANCELING:
            for key, step in self._steps.states(self._conductor.active).items():
                if step["status"] in CANCELABLE:
                    self._ending.cancel_step(self._execution, str(step_id(self._id, key)))
        elif self._workflow["status"] == Status.PAUSING:
            for step in states.values():
                if step["status"] == Status.RUNNING and step["runner"]["name"] in WORKFLOWS:
                    self._ask(pause_execution, step)

    def _ask(self, change: Any, step: Document) -> None:
        shop = self._workshop
        try:
            change(
                shop.database, shop.transport, execution_id=str(step["_id"]), user=self._execution["context"]["user"]
            )
        except ValidationError as error:
            LOG.info("Step %s of workflow execution %s has gone on: %s", step["_id"], self._id, error)

    def _follow(self) -> bool:
        """Give the execution the status of its workflow; False where it has another one by now."""
        wanted, now = Status(self._workflow["status"]), Status(self._execution["status"])
        if wanted is now:
            return True
        for status in way(now, wanted):
            changed = self._workshop.executions.change(self._id, status)
            if changed is None:
                return False
            self._execution = changed
            self._workshop.events.updated(changed)
        return True


def check_size(workflow: Mapping[str, Any]) -> None:
    """
    Raises:
        ValidationError: a revision is too much for a document of the database.
    """
    size = sum(len(workflow.get(part) or "") for part in ("definition", "state", "result"))
    if size > MAX_STATE:
        raise ValidationError(
            f"The workflow, with what it has published and its output, takes {size} bytes as JSON; "
            f"{MAX_STATE} can be stored."
        )


def decided(decision: Decision) -> Document:
    """The fields of a workflow that a decision changes."""
    fields: Document = {"status": str(decision.status)}
    if decision.result is not None:
        fields["result"] = json.dumps(decision.result)
    return fields
