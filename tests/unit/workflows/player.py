"""Plays a workflow: an engine without executions, that dies after each event and is told everything twice."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from st2common.models.statuses import Status
from st2common.workflows.decision import Conductor, Decision, Lookups, Request
from st2common.workflows.languages import conduct, parse

Json = dict[str, Any]


class Keys:
    """A datastore of ``system.<key>`` and keys of the user."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self.system = {name.removeprefix("system."): value for name, value in keys.items()}

    def find(self, name: str, decrypt: bool = False) -> str | None:
        value = self._keys.get(name)
        return f"decrypted {value}" if value and decrypt else value


class Player:
    """One execution of a workflow. Its children do nothing until they are told to end."""

    def __init__(
        self,
        definition: str | Json,
        inputs: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        keys: Mapping[str, str] | None = None,
        runner_type: str = "orquesta",
    ) -> None:
        if isinstance(definition, str):
            definition = yaml.safe_load(textwrap.dedent(definition))
        self._spec = parse(runner_type, definition)
        self._results: Json = {}
        self._lookups = Lookups(
            results=self._results.__getitem__,
            st2kv=Keys({"system.colour": "red", **(keys or {})}),
            names={"action_context": {"user": "ada"}},
            child_ids=lambda key: {"execution_id": f"execution {key}"},
            workflow_execution_id="the workflow",
            task_execution_id="run {}".format,
        )
        self._state: str | None = None
        self._now = 1_000_000
        #: Every request that was made, by its key, in order.
        self.requests: dict[str, Request] = {}
        self.decision = self._tell(lambda conductor, now: conductor.start(inputs or {}, context or {}, now))

    @property
    def status(self) -> Status:
        return self.decision.status

    @property
    def output(self) -> Any:
        assert self.decision.result is not None
        return self.decision.result["output"]

    @property
    def errors(self) -> list[Json]:
        assert self.decision.result is not None
        return list(self.decision.result.get("errors", []))

    @property
    def state(self) -> Json:
        assert self._state is not None
        return dict(json.loads(self._state))

    @property
    def active(self) -> list[str]:
        """Keys of the children that run."""
        return list(conduct(self._spec, self._lookups, self.state).active)

    @property
    def tasks(self) -> list[str]:
        """The tasks of all requests, in order."""
        return [request.task for request in self.requests.values()]

    def input(self, task: str) -> Json:
        """Of the last request for a task."""
        return [request.input for request in self.requests.values() if request.task == task][-1]

    def end(
        self, task: str, result: Any = None, status: Status = Status.SUCCEEDED, item: int | None = None
    ) -> Decision:
        """End the first active child of ``task`` (of its ``item``)."""
        key = next(
            key for key in self.active if self.requests[key].task == task and item in (None, self.requests[key].item)
        )
        return self.end_child(key, result, status)

    def fail(self, task: str, result: Any = None, item: int | None = None) -> Decision:
        return self.end(task, result, Status.FAILED, item)

    def end_child(self, key: str, result: Any = None, status: Status = Status.SUCCEEDED) -> Decision:
        self._results[key] = result
        return self.change(key, status)

    def change(self, key: str, status: Status) -> Decision:
        return self._tell(lambda conductor, now: conductor.child_changed(key, status, now))

    def pause(self) -> Decision:
        return self._tell(lambda conductor, now: conductor.pause(now))

    def resume(self) -> Decision:
        return self._tell(lambda conductor, now: conductor.resume(now))

    def cancel(self) -> Decision:
        return self._tell(lambda conductor, now: conductor.cancel(now))

    def rerun(self, *tasks: str, reset: tuple[str, ...] = ()) -> Decision:
        return self._tell(lambda conductor, now: conductor.rerun(tasks, reset, now), twice=False)

    def play(self, act: Callable[[Request], Any] = lambda request: None) -> Player:
        """End all children, oldest first, with what ``act`` answers; an exception is a failure."""
        while self.active:
            request = self.requests[self.active[0]]
            try:
                self.end_child(request.key, act(request))
            except Exception as error:
                self.end_child(request.key, {"error": str(error)}, Status.FAILED)
        return self

    def _tell(self, event: Callable[[Conductor, int], Decision], twice: bool = True) -> Decision:
        before = None if self._state is None else self.state
        self._now += 1_000_000
        conductor = conduct(self._spec, self._lookups, before)
        decision = event(conductor, self._now)
        state = json.dumps(conductor.state, allow_nan=False)
        self._same_again(event, before, decision, state)
        assert decision.changed or before == json.loads(state)
        self._state = state
        if twice:
            again = event(conduct(self._spec, self._lookups, self.state), self._now)
            assert not again.changed
            assert not again.requests
        self._remember(decision)
        return decision

    def _same_again(
        self, event: Callable[[Conductor, int], Decision], before: Json | None, decision: Decision, state: str
    ) -> None:
        """Another engine decides the same."""
        other = conduct(self._spec, self._lookups, before)
        assert event(other, self._now) == decision
        assert json.dumps(other.state, allow_nan=False) == state

    def _remember(self, decision: Decision) -> None:
        for request in decision.requests:
            assert request.key not in self.requests
            self.requests[request.key] = request
        conductor = conduct(self._spec, self._lookups, self.state)
        outstanding = {request.key: request for request in conductor.outstanding(self._now).requests}
        assert list(outstanding) == list(conductor.active)
        for key, request in outstanding.items():
            assert (request.action, request.input) == (self.requests[key].action, self.requests[key].input)
        self.decision = decision
