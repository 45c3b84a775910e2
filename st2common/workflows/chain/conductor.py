"""The conductor of action chains: see :class:`st2common.workflows.decision.Conductor`. One node after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from st2common.clock import isoformat
from st2common.errors import ValidationError
from st2common.expressions import templates
from st2common.models.statuses import COMPLETED, FAILED_STATUSES, Status
from st2common.workflows.chain.spec import Chain, Node
from st2common.workflows.chain.state import State, Step
from st2common.workflows.decision import DORMANT, Decision, Json, Lookups, Request

#: Nodes that one execution may visit: each is part of its result.
MAX_STEPS = 10_000


class ChainConductor:
    def __init__(self, chain: Chain, lookups: Lookups, stored: Mapping[str, Any] | None = None) -> None:
        """``stored``: the state of an execution that has begun."""
        self._chain = chain
        self._lookups = lookups
        self._state = State() if stored is None else State.load(stored)
        self._requests: list[Request] = []

    @property
    def state(self) -> Json:
        return self._state.stored()

    @property
    def active(self) -> Sequence[str]:
        return [step.key for step in self._state.steps[-1:] if step.active]

    def start(self, inputs: Mapping[str, Any], context: Mapping[str, Any], now: int) -> Decision:
        state = self._state
        if state.status != Status.REQUESTED:
            return self._decision(changed=False)
        state.status = Status.RUNNING
        state.inputs = dict(inputs)
        try:
            state.vars = self._render(self._chain.vars)
        except ValidationError as error:
            return self._failed(f"The vars cannot be rendered: {error}")
        return self._enter(self._chain.first, now)

    def child_changed(self, key: str, status: Status, now: int) -> Decision:
        if key not in self.active:
            return self._decision(changed=False)
        step = self._state.steps[-1]
        if status not in COMPLETED and status not in DORMANT:
            status = Status.RUNNING
        if step.status == status:
            return self._decision(changed=False)
        step.status = status
        if status not in COMPLETED:
            return self._stand()
        step.ended = now
        return self._follow(step, now)

    def pause(self, now: int) -> Decision:
        state = self._state
        if state.status not in {Status.RUNNING, Status.PAUSED} or state.pause_asked:
            return self._decision(changed=False)
        state.pause_asked = True
        return self._stand()

    def resume(self, now: int) -> Decision:
        state = self._state
        if state.status not in {Status.PAUSED, Status.PAUSING}:
            return self._decision(changed=False)
        state.pause_asked, state.status = False, Status.RUNNING
        step = state.steps[-1]
        if step.status is None:
            return self._begin(step, now)
        if step.status == Status.PAUSED:
            # Whoever resumes a workflow resumes those that it started.
            step.status = Status.RUNNING
        return self._stand()

    def cancel(self, now: int) -> Decision:
        state = self._state
        if state.status in COMPLETED or state.cancel_asked:
            return self._decision(changed=False)
        state.cancel_asked = True
        return self._stand()

    def rerun(self, tasks: Sequence[str], reset: Sequence[str], now: int) -> Decision:
        raise ValidationError("Action chains run again as a whole, not from a task on.")

    def outstanding(self, now: int) -> Decision:
        if self.active:
            try:
                self._request(self._state.steps[-1])
            except ValidationError as error:
                self._state.steps[-1].status = Status.FAILED
                return self._failed(self._render_failure(self._state.steps[-1].node, error))
        return self._decision(changed=False)

    def _enter(self, name: str, now: int) -> Decision:
        """Go on to a node, or wait before it."""
        state = self._state
        if name not in self._chain.nodes:
            return self._failed(f'There is no node with the name "{name}".')
        if len(state.steps) >= MAX_STEPS:
            return self._failed(f"The chain has visited more than {MAX_STEPS} nodes.")
        step = Step(name, visit=sum(step.node == name for step in state.steps))
        state.steps.append(step)
        return self._stand() if state.pause_asked or state.cancel_asked else self._begin(step, now)

    def _begin(self, step: Step, now: int) -> Decision:
        step.started = now
        try:
            self._request(step)
        except ValidationError as error:
            step.status, step.ended = Status.FAILED, now
            return self._failed(self._render_failure(step.node, error))
        step.status, step.requested = Status.RUNNING, True
        return self._stand()

    def _request(self, step: Step) -> None:
        node = self._chain.nodes[step.node]
        parameters = self._render(node.parameters)
        self._requests.append(
            Request(
                key=step.key,
                task=node.name,
                route=0,
                action=node.ref,
                input=parameters,
                about=_about(node, parameters),
                notify=dict(node.notify) if node.notify is not None else None,
            )
        )

    def _follow(self, step: Step, now: int) -> Decision:
        """A node has ended: publish, and go on to the next one."""
        state, node = self._state, self._chain.nodes[step.node]
        if step.status == Status.CANCELED or state.cancel_asked:
            state.cancel_asked = True
            return self._stand()
        failed = step.status in FAILED_STATUSES
        following = node.on_failure if failed else node.on_success
        try:
            if not failed:
                state.published |= self._render(node.publish)
            name = str(self._render(following)).strip() if following else ""
        except ValidationError as error:
            return self._failed(f'Failed to go on after the node "{node.name}": {error}')
        if name:
            return self._enter(name, now)
        assert step.status is not None  # noqa: S101 - it has ended
        state.status = step.status if step.status == Status.TIMEOUT or not failed else Status.FAILED
        return self._decision(changed=True)

    def _stand(self) -> Decision:
        """How the chain stands while nothing new begins."""
        state = self._state
        step = state.steps[-1] if state.steps else None
        if step is not None and step.active:
            waits = step.status in DORMANT
            if state.cancel_asked:
                state.status = Status.CANCELING
            elif waits:
                state.status = Status.PAUSED
            else:
                state.status = Status.PAUSING if state.pause_asked else Status.RUNNING
        else:
            state.status = Status.CANCELED if state.cancel_asked else Status.PAUSED
        return self._decision(changed=True)

    def _failed(self, reason: str) -> Decision:
        self._state.error = reason
        self._state.status = Status.FAILED
        return self._decision(changed=True)

    def _decision(self, changed: bool) -> Decision:
        status = self._state.status
        result = self._result() if status in COMPLETED else None
        return Decision(status=status, changed=changed, requests=tuple(self._requests), result=result)

    def _result(self) -> Json:
        state = self._state
        result: Json = {"tasks": [self._task(step) for step in state.steps if step.started is not None]}
        if state.inputs.get("display_published", True):
            result["published"] = state.published
        if state.error is not None:
            result |= {"error": state.error, "traceback": ""}
        return result

    def _task(self, step: Step) -> Json:
        """As clients read it, with times that end in ``+00:00``."""
        times = {"created_at": step.started, "updated_at": step.ended}
        return {
            "id": step.node,
            "name": step.node,
            **self._lookups.child_ids(step.key),
            "workflow": None,
            **{name: time and isoformat(time).replace("Z", "+00:00") for name, time in times.items()},
            "state": str(step.status),
            "result": self._lookups.results(step.key) if step.ended is not None and step.requested else None,
        }

    def _render(self, value: Any) -> Any:
        """
        Raises:
            ValidationError: a template fails.
        """
        return templates.render(value, self._scope(templates.names_in(value)))

    def _scope(self, names: set[str]) -> Json:
        """Of all that templates know, the ``names`` that are asked for: results stay where they are until then."""
        state, lookups = self._state, self._lookups
        last = {step.node: step.key for step in state.steps if step.ended is not None and step.requested}
        known: Json = {**lookups.names, "st2kv": lookups.st2kv, **state.inputs, **state.vars}
        known = {name: value for name, value in known.items() if name in names}
        known |= {name: lookups.results(key) for name, key in last.items() if name in names}
        if "__results" in names:
            known["__results"] = {name: lookups.results(key) for name, key in last.items()}
        return known | {name: value for name, value in state.published.items() if name in names}

    @staticmethod
    def _render_failure(node: str, error: ValidationError) -> str:
        return f'Failed to run task "{node}". Parameter rendering failed: {error}'


def _about(node: Node, parameters: Json) -> Json:
    return {
        "name": node.name,
        "ref": node.ref,
        "params": {},
        "parameters": parameters,
        "on_success": node.on_success or "",
        "on_failure": node.on_failure or "",
        "publish": dict(node.publish),
        "notify": dict(node.notify) if node.notify is not None else {},
    }
