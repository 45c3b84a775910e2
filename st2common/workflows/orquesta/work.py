"""One event being worked on: the state that it changes, what it is asked with, and what is requested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from st2common.clock import isoformat
from st2common.errors import ValidationError
from st2common.models.statuses import Status
from st2common.workflows.decision import Lookups, Request
from st2common.workflows.expressions import evaluate
from st2common.workflows.orquesta.functions import LANGUAGE
from st2common.workflows.orquesta.spec import Assignments, Workflow
from st2common.workflows.orquesta.state import Run, State


@dataclass
class Work:
    workflow: Workflow
    state: State
    lookups: Lookups
    #: Microseconds since the epoch.
    now: int
    requests: list[Request] = field(default_factory=list)

    def evaluate(self, value: Any, scope: RunScope) -> Any:
        """
        Raises:
            ValidationError: an expression fails.
        """
        return evaluate(value, LANGUAGE, scope)

    def assign(self, assignments: Assignments, scope: RunScope) -> dict[str, Any]:
        """Their values; each expression sees those before it.

        Raises:
            ValidationError: an expression fails.
        """
        assigned: dict[str, Any] = {}
        for name, value in assignments:
            assigned[name] = self.evaluate(value, scope.with_variables(assigned))
        return assigned

    def fail(
        self, message: str, run: Run | None = None, transition: int | None = None, child: str | None = None
    ) -> None:
        """The workflow is to fail. ``child``: whose result tells more."""
        error: dict[str, Any] = {"type": "error", "message": message}
        if run is not None:
            error |= {"task_id": run.task, "route": run.route}
        if run is not None and transition is not None:
            error["task_transition_id"] = f"{run.task}__t{transition}"
        if child is not None:
            error["child"] = child
        self.state.errors.append(error)
        self.state.verdict = self.state.verdict or Status.FAILED


class RunScope:
    """What an expression is evaluated about: see :class:`st2common.workflows.orquesta.functions.Scope`."""

    def __init__(
        self,
        work: Work,
        context: int | None,
        run: Run | None = None,
        item: Any = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._work = work
        self._context = context
        self._run = run
        self._item = item
        self._more = dict(more or {})

    def with_variables(self, more: Mapping[str, Any]) -> RunScope:
        return RunScope(self._work, self._context, self._run, self._item, more)

    def with_item(self, item: Any) -> RunScope:
        return RunScope(self._work, self._context, self._run, [item], self._more)

    def variables(self) -> dict[str, Any]:
        known = {} if self._context is None else self._work.state.contexts.read(self._context)
        return {**known, **self._more}

    def status(self, name: str | None) -> Status | None:
        run = self._find(name)
        return None if run is None else run.status or Status.REQUESTED

    def task(self, name: str | None) -> dict[str, Any] | None:
        run = self._find(name)
        if run is None:
            return None
        return {
            "task_id": run.task,
            "task_name": run.task,
            "route": run.route,
            "status": str(run.status or Status.REQUESTED),
            "task_execution_id": self._work.lookups.task_execution_id(run.key),
            "workflow_execution_id": self._work.lookups.workflow_execution_id,
            "start_timestamp": isoformat(run.started) if run.started is not None else None,
            "end_timestamp": isoformat(run.ended) if run.ended is not None else None,
        }

    def result(self, name: str | None) -> Any:
        run = self._find(name)
        if run is None or self._work.workflow.tasks[run.task].action is None:
            return None
        results = self._work.lookups.results
        if run.items is not None:
            return [
                None if status is None else results(run.child_key(number)) for number, status in enumerate(run.items)
            ]
        return results(run.child_key()) if run.has_ended else None

    def item(self) -> Any:
        if self._item is None:
            raise ValidationError("There is no item here: the task has no items")
        return self._item[0]

    def key_value(self, name: str, decrypt: bool) -> str | None:
        return self._work.lookups.st2kv.find(name, decrypt)

    def _find(self, name: str | None) -> Run | None:
        """The last run of the task in the current route, in those that it came from, or else in any."""
        if name is None or (self._run is not None and self._run.task == name):
            return self._run
        state = self._work.state
        for route in state.lineage(self._run.route if self._run else 0):
            visits = state.visits.get(f"{name}/{route}", 0)
            if run := state.runs.get(f"{name}/{route}/{visits - 1}"):
                return run
        return next((run for run in reversed(state.runs.values()) if run.task == name), None)
