"""The conductor of workflows in the Orquesta language: see :class:`st2common.workflows.decision.Conductor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from st2common.errors import ValidationError
from st2common.models.statuses import COMPLETED, Status
from st2common.workflows.decision import DORMANT, Decision, Json, Lookups, run_of
from st2common.workflows.orquesta import requests, transitions
from st2common.workflows.orquesta.spec import Workflow
from st2common.workflows.orquesta.state import Run, State
from st2common.workflows.orquesta.work import RunScope, Work

# Tasks without an action that may follow each other before something else happens.
_MAX_STEPS = 10_000


class OrquestaConductor:
    def __init__(self, workflow: Workflow, lookups: Lookups, stored: Mapping[str, Any] | None = None) -> None:
        """``stored``: the state of an execution that has begun."""
        self._workflow = workflow
        self._lookups = lookups
        self._state = State() if stored is None else State.load(stored)

    @property
    def state(self) -> Json:
        return self._state.stored()

    @property
    def active(self) -> Sequence[str]:
        return [key for run in self._state.runs.values() for key in run.active_children()]

    def start(self, inputs: Mapping[str, Any], context: Mapping[str, Any], now: int) -> Decision:
        if self._state.status != Status.REQUESTED:
            return self._unchanged()
        work, state = self._work(now), self._state
        state.status = Status.RUNNING
        names = dict(self._workflow.inputs)
        # What is given is what it is, also where it looks like an expression.
        given = {name: inputs[name] for name in names if name in inputs}
        defaults = tuple((name, default) for name, default in names.items() if name not in inputs)
        state.start = state.contexts.extend(None, {**context, **given})
        try:
            values = work.assign((*defaults, *self._workflow.vars), RunScope(work, state.start))
        except ValidationError as error:
            work.fail(str(error))
        else:
            state.start = state.contexts.extend(state.start, values)
            for name in self._workflow.graph.starts:
                transitions.enter(work, name, 0, state.start)
        return self._settle(work)

    def child_changed(self, key: str, status: Status, now: int) -> Decision:
        work = self._work(now)
        run = self._state.runs.get(run_of(key))
        if run is None or not run.waits_for(key):
            return self._unchanged()
        if status not in COMPLETED and status not in DORMANT:
            status = Status.RUNNING
        item = None if run.items is None else int(key.rsplit("/", 1)[1])
        if status == (run.status if run.items is None or item is None else run.items[item]):
            return self._unchanged()
        if run.items is not None and item is not None:
            run.items[item] = status
        elif status in COMPLETED:
            transitions.follow(work, run, status)
        else:
            run.status = status
        self._wake()
        return self._settle(work)

    def pause(self, now: int) -> Decision:
        if self._state.status not in {Status.RUNNING, Status.PAUSED} or self._state.pause_asked:
            return self._unchanged()
        self._state.pause_asked = True
        return self._settle(self._work(now))

    def resume(self, now: int) -> Decision:
        if self._state.status not in {Status.PAUSED, Status.PAUSING}:
            return self._unchanged()
        self._state.pause_asked = False
        self._state.status = Status.RUNNING
        for run in self._state.runs.values():
            # Whoever resumes a workflow resumes those that it started.
            if run.status == Status.PAUSED:
                run.status = Status.RUNNING
            if run.items is not None:
                run.items = [Status.RUNNING if status == Status.PAUSED else status for status in run.items]
        return self._settle(self._work(now))

    def cancel(self, now: int) -> Decision:
        if self._state.status in COMPLETED or self._state.verdict == Status.CANCELED:
            return self._unchanged()
        self._state.verdict = Status.CANCELED
        return self._settle(self._work(now))

    def rerun(self, tasks: Sequence[str], reset: Sequence[str], now: int) -> Decision:
        state, work = self._state, self._work(now)
        if state.status not in COMPLETED:
            raise ValidationError("Tasks can be run again when the workflow has ended.")
        again = [run for run in state.runs.values() if run.task in tasks and run.status is not None]
        missing = set(tasks) - {run.task for run in again}
        if missing:
            raise ValidationError(f"These tasks have not run: {', '.join(sorted(missing))}.")
        if set(reset) - set(tasks):
            raise ValidationError(f"These tasks are not run again: {', '.join(sorted(set(reset) - set(tasks)))}.")
        state.status, state.verdict, state.final = Status.RUNNING, None, None
        state.pause_asked = False
        repeated = self._workflow.graph.reachable(tasks)
        state.errors = [error for error in state.errors if error.get("task_id", "") not in {*repeated, ""}]
        state.runs = {key: run for key, run in state.runs.items() if run.status is not None}
        transitions.forget_arrivals(work, repeated)
        for run in again:
            _repeat(run, everything=run.task in reset)
        return self._settle(work)

    def outstanding(self, now: int) -> Decision:
        work = self._work(now)
        failed = False
        for run in self._state.runs.values():
            try:
                requests.again(work, run)
            except ValidationError as error:
                failed = True
                work.fail(str(error), run)
                run.status, run.ended = Status.FAILED, now
        if failed:
            return self._settle(work)
        return self._decision(work, changed=False)

    def _work(self, now: int) -> Work:
        return Work(self._workflow, self._state, self._lookups, now)

    def _unchanged(self) -> Decision:
        return self._decision(self._work(0), changed=False)

    def _decision(self, work: Work, changed: bool) -> Decision:
        state = self._state
        result: Json | None = None
        if state.status in COMPLETED:
            result = {"output": self._output(work)}
            if state.status == Status.FAILED:
                result["errors"] = [self._error(error) for error in state.errors]
        return Decision(status=state.status, changed=changed, requests=tuple(work.requests), result=result)

    def _wake(self) -> None:
        """A workflow that was paused because all its children were goes on when one of them does."""
        if self._state.status == Status.PAUSED and not self._state.pause_asked:
            self._state.status = Status.RUNNING

    def _settle(self, work: Work) -> Decision:
        """Request what may be requested, until nothing more follows; then say how the workflow stands."""
        state = self._state
        for _ in range(_MAX_STEPS):
            if not [run for run in list(state.runs.values()) if self._advance(work, run)]:
                break
        else:
            work.fail("Tasks without an action follow each other without end")
        state.status = self._status(work)
        if state.status in COMPLETED:
            self._finish(work)
        return self._decision(work, changed=True)

    def _advance(self, work: Work, run: Run) -> bool:
        """Do what is due for ``run``; whether there was something."""
        state = self._state
        going = state.verdict is None and not state.pause_asked
        try:
            if run.status is None and (going or (run.despite and state.verdict == Status.FAILED)):
                requests.begin(work, run)
                if run.has_ended:
                    transitions.follow(work, run, Status.SUCCEEDED)
                return True
            if run.items is not None and run.status == Status.RUNNING:
                before = len(work.requests)
                if going:
                    requests.continue_items(work, run)
                if run.child_statuses():
                    return len(work.requests) > before
                ended = _status_of_items(run, stopped=state.verdict is not None)
                if ended:
                    transitions.follow(work, run, ended)
                return ended is not None
        except ValidationError as error:
            work.fail(str(error), run)
            run.status, run.ended = Status.FAILED, work.now
            return True
        return False

    def _status(self, work: Work) -> Status:
        state = self._state
        statuses = [status for run in state.runs.values() for status in run.child_statuses()]
        waiting = any(
            run.status is None or (run.items is not None and not run.has_ended) for run in state.runs.values()
        )
        if statuses:
            if state.verdict == Status.CANCELED:
                return Status.CANCELING
            dormant = all(status in DORMANT for status in statuses)
            if state.pause_asked:
                return Status.PAUSED if dormant else Status.PAUSING
            return Status.PAUSED if dormant else Status.RUNNING
        if state.verdict is None and state.pause_asked and waiting:
            return Status.PAUSED
        if state.verdict is None:
            for reason in transitions.unmet_joins(work):
                work.fail(reason)
        return state.verdict or (Status.FAILED if state.errors else Status.SUCCEEDED)

    def _finish(self, work: Work) -> None:
        """The branches have all ended, or will not go on. An output that cannot be rendered is a failure too."""
        state = self._state
        for run in state.runs.values():
            if run.status is None or not run.has_ended:
                transitions.end_branch(work, run.context)
        for join in state.joins.values():
            for context in join.contexts.get(str(join.rounds + 1), {}).values():
                transitions.end_branch(work, context)
        self._output(work)
        if state.status == Status.SUCCEEDED and state.errors:
            state.status = Status.FAILED

    def _output(self, work: Work) -> Json | None:
        """What can be rendered of it: an expression that fails adds an error, and leaves the rest."""
        state = self._state
        asked = self._workflow.output
        if state.status == Status.FAILED and self._workflow.output_on_error is not None:
            asked = self._workflow.output_on_error
        output: Json = {}
        scope = RunScope(work, state.final if state.final is not None else state.start)
        for name, value in asked:
            try:
                output[name] = work.evaluate(value, scope.with_variables(output))
            except ValidationError as error:
                problem = {"type": "error", "message": f'The output "{name}" cannot be rendered: {error}'}
                if problem not in state.errors:
                    state.errors.append(problem)
        return output or None

    def _error(self, error: Json) -> Json:
        shown = {name: value for name, value in error.items() if name != "child"}
        if "child" in error:
            shown["result"] = self._lookups.results(error["child"])
        return shown


def _repeat(run: Run, everything: bool) -> None:
    kept = {}
    if run.items is not None and not everything:
        kept = {
            str(number): run.earlier.get(str(number), run.attempt)
            for number, status in enumerate(run.items)
            if status == Status.SUCCEEDED
        }
        run.items = [status if status == Status.SUCCEEDED else None for status in run.items]
    else:
        run.items = run.source = None
    run.earlier = kept
    run.attempt += 1
    run.first_attempt = run.attempt
    run.status = run.ended = run.delay = None


def _status_of_items(run: Run, stopped: bool) -> Status | None:
    """How a task with items has ended; None: it has more to do, later."""
    assert run.items is not None  # noqa: S101 - only tasks with items come here
    statuses = [status for status in run.items if status is not None]
    if Status.CANCELED in statuses:
        return Status.CANCELED
    if any(status != Status.SUCCEEDED for status in statuses):
        return Status.FAILED
    if len(statuses) == len(run.items):
        return Status.SUCCEEDED
    return Status.CANCELED if stopped else None
