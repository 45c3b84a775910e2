"""What is remembered of an execution of an Orquesta workflow, and how it is written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

from st2common.models.statuses import COMPLETED, Status
from st2common.workflows.orquesta.contexts import Contexts

FORMAT = 1


@dataclass
class Run:
    """A task on its way: one visit of it in one route."""

    task: str
    route: int
    visit: int
    #: The number of its variables.
    context: int
    #: None: its turn has not come, or the workflow is paused.
    status: Status | None = None
    attempt: int = 0
    #: The attempt from which retries count: a re-run has as many as the first run.
    first_attempt: int = 0
    #: Seconds to wait before the attempt; None: what the task says.
    delay: float | None = None
    #: Of each item, in order; None: not requested yet. The list itself is a value of the context ``source``.
    items: list[Status | None] | None = None
    source: int | None = None
    concurrency: int | None = None
    #: The attempts that gave results of items which a re-run did not repeat, by the item's number.
    earlier: dict[str, int] = field(default_factory=dict)
    #: Microseconds since the epoch; ``requested`` is of the current attempt.
    started: int | None = None
    requested: int | None = None
    ended: int | None = None
    #: It came with a ``fail``: it is run although the workflow has failed.
    despite: bool = False

    @property
    def key(self) -> str:
        return f"{self.task}/{self.route}/{self.visit}"

    def child_key(self, item: int | None = None) -> str:
        if item is None:
            return f"{self.key}/{self.attempt}"
        return f"{self.key}/{self.earlier.get(str(item), self.attempt)}/{item}"

    @property
    def has_ended(self) -> bool:
        return self.status in COMPLETED

    def active_children(self) -> list[str]:
        """Keys of the children that are to exist and have not ended."""
        if self.status is None or self.has_ended:
            return []
        if self.items is None:
            return [self.child_key()]
        return [
            self.child_key(number)
            for number, status in enumerate(self.items)
            if status is not None and status not in COMPLETED
        ]

    def waits_for(self, key: str) -> bool:
        """Whether ``key`` is one of them."""
        if self.items is None:
            return self.status is not None and not self.has_ended and key == self.child_key()
        item = key.rsplit("/", 1)[1]
        if self.status is None or self.has_ended or not item.isdecimal() or int(item) >= len(self.items):
            return False
        status = self.items[int(item)]
        return status is not None and status not in COMPLETED and key == self.child_key(int(item))

    def child_statuses(self) -> list[Status]:
        """Statuses of the children that have not ended."""
        if self.status is None or self.has_ended:
            return []
        known = self.items if self.items is not None else [self.status]
        return [status for status in known if status is not None and status not in COMPLETED]


@dataclass
class Join:
    """A task that waits for others: those that arrived, round by round (a cycle may come back to it)."""

    #: How often each task arrived: its n-th arrival belongs to the n-th round.
    arrivals: dict[str, int] = field(default_factory=dict)
    #: The contexts that arrived, by round and task, of the last complete round and those that are not complete.
    contexts: dict[str, dict[str, int]] = field(default_factory=dict)
    #: Rounds that are complete.
    rounds: int = 0


@dataclass
class State:
    status: Status = Status.REQUESTED
    #: How it will end, decided before its last children have ended.
    verdict: Status | None = None
    #: A pause was asked for: it does not end by itself when a child goes on.
    pause_asked: bool = False
    contexts: Contexts = field(default_factory=Contexts)
    #: Those that have not ended and of each task and route the last one, by key.
    runs: dict[str, Run] = field(default_factory=dict)
    #: How often each task was visited, by ``<task>/<route>``.
    visits: dict[str, int] = field(default_factory=dict)
    #: Route ``n + 1`` is the branch that left route ``routes[n][0]`` at the transition ``routes[n][1]``.
    routes: list[tuple[int, str]] = field(default_factory=list)
    #: By ``<task>/<route>``.
    joins: dict[str, Join] = field(default_factory=dict)
    #: What the workflow started with, and what its branches ended with.
    start: int | None = None
    final: int | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> State:
        status, verdict = stored["status"], stored["verdict"]
        return cls(
            status=Status(status),
            verdict=Status(verdict) if verdict else None,
            pause_asked=stored["pause_asked"],
            contexts=Contexts(stored["contexts"]),
            runs={key: _run(run) for key, run in stored["runs"].items()},
            visits=dict(stored["visits"]),
            routes=[(parent, transition) for parent, transition in stored["routes"]],
            joins={key: Join(**deepcopy(join)) for key, join in stored["joins"].items()},
            start=stored["start"],
            final=stored["final"],
            errors=list(stored["errors"]),
        )

    def stored(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "status": str(self.status),
            "verdict": str(self.verdict) if self.verdict else None,
            "pause_asked": self.pause_asked,
            "contexts": self.contexts.stored(self._used_contexts()),
            "runs": {key: _stored_run(run) for key, run in self.runs.items()},
            "visits": self.visits,
            "routes": [list(route) for route in self.routes],
            "joins": {key: asdict(join) for key, join in self.joins.items()},
            "start": self.start,
            "final": self.final,
            "errors": self.errors,
        }

    def lineage(self, route: int) -> Iterable[int]:
        """``route`` and the routes that it came from."""
        while route:
            yield route
            route = self.routes[route - 1][0]
        yield 0

    def _used_contexts(self) -> Iterable[int]:
        for run in self.runs.values():
            yield run.context
            if run.source is not None:
                yield run.source
        for join in self.joins.values():
            for contexts in join.contexts.values():
                yield from contexts.values()
        for context in (self.start, self.final):
            if context is not None:
                yield context


# What a run has in the beginning is not written, but for what names it.
_FRESH = vars(Run("", 0, 0, -1))
_ALWAYS = frozenset({"task", "route", "visit", "context"})


def _stored_run(run: Run) -> dict[str, Any]:
    stored = {name: value for name, value in vars(run).items() if name in _ALWAYS or value != _FRESH[name]}
    if run.items is not None:
        stored["items"] = list(run.items)
    if run.earlier:
        stored["earlier"] = dict(run.earlier)
    return stored


def _run(stored: Mapping[str, Any]) -> Run:
    fields = dict(stored)
    if fields.get("status"):
        fields["status"] = Status(fields["status"])
    if "earlier" in fields:
        fields["earlier"] = dict(fields["earlier"])
    if fields.get("items") is not None:
        fields["items"] = [Status(status) if status else None for status in fields["items"]]
    return Run(**fields)
