"""What a conductor is asked and answers: the interface between the languages of workflows and the engine around them.

A conductor is pure: no I/O, no clock of its own. What it needs from outside (results of child executions, keys of the
datastore) it asks of :class:`Lookups`, the time comes with each event, and everything it has to remember is
:attr:`Conductor.state`, one JSON document. The engine loads the document, applies an event, stores the document by
compare-and-set, and only then requests what was decided. If it dies in between, :meth:`Conductor.outstanding` tells the
next one what is to be requested; an event that is applied twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from st2common.models.statuses import COMPLETED, Status

Json = dict[str, Any]

#: Statuses of children that wait for somebody: a workflow is paused when all of its children do.
DORMANT = frozenset({Status.PAUSED, Status.PENDING})


@dataclass(frozen=True)
class Request:
    """One child execution that is to exist."""

    #: Names this child among those of its workflow execution, for ever: whoever requests it twice means the same one.
    #: ``<task>/<route>/<visit>/<attempt>`` and with items ``.../<item>``, each number from 0.
    key: str
    #: The task (or the node of a chain) by its name.
    task: str
    #: Which of the branches that meet no join the task belongs to.
    route: int
    #: The reference of the action, ``<pack>.<name>``.
    action: str
    #: The parameters, rendered.
    input: Json
    #: Seconds until it is to start.
    delay: float = 0
    #: Its place in the list of the task ``with`` items.
    item: int | None = None
    #: How often the task was tried before.
    attempt: int = 0
    #: What the child's context tells of its place, under ``orquesta`` or ``chain``. The engine adds ids.
    about: Json = field(default_factory=dict)
    #: Whom the child notifies, in the form of an action's ``notify``.
    notify: Json | None = None

    @property
    def run(self) -> str:
        """The run of the task that the child belongs to: its attempts and items have it in common."""
        return run_of(self.key)


@dataclass(frozen=True)
class Decision:
    """What follows from an event."""

    #: Of the workflow execution, after the event.
    status: Status
    #: Whether the state has changed and has to be stored before anything is requested.
    changed: bool
    #: The children to request now, in this order.
    requests: tuple[Request, ...] = ()
    #: The result of the workflow execution, once it has ended.
    result: Json | None = None

    @property
    def ended(self) -> bool:
        return self.status in COMPLETED


class Datastore(Protocol):
    """The keys that expressions ask for, each read when it is rendered: what
    :class:`st2common.datastore.lookup.KeyLookup` is."""

    def find(self, name: str, decrypt: bool = False) -> str | None:
        """The value of ``system.<key>``, or of the user's own ``<key>``; None when there is no such key."""


@dataclass(frozen=True)
class Lookups:
    """What a conductor asks of the world while it renders. What it asked once it may ask again."""

    results: Results
    st2kv: Datastore
    #: More names for the templates of chains: ``action_context``, ``config_context``, ``system``.
    names: Mapping[str, Any] = field(default_factory=dict)
    #: ``execution_id`` and ``liveaction_id`` of the child with a key.
    child_ids: Callable[[str], Json] = lambda key: {}
    workflow_execution_id: str = ""
    #: The id of the run of a task, of its key: what ``task().task_execution_id`` says.
    task_execution_id: Callable[[str], str] = str


class Results(Protocol):
    """Results of child executions. They stay where they are, whatever their size; only what is published is copied."""

    def __call__(self, key: str) -> Any:
        """The result of the child that was requested under ``key`` and has ended."""


class Conductor(Protocol):
    """The progress of one workflow execution. Times (``now``) are microseconds since the epoch.

    An event for a child that the state does not wait for (it was told before, it belongs to an earlier attempt) and a
    change that has happened already leave everything as it is: ``changed`` is false and nothing is requested.
    """

    @property
    def state(self) -> Json:
        """All there is to remember, as JSON. It holds what was published and no results."""

    @property
    def active(self) -> Sequence[str]:
        """Keys of the children that are to exist and have not ended."""

    def start(self, inputs: Mapping[str, Any], context: Mapping[str, Any], now: int) -> Decision:
        """Begin. ``inputs`` are the parameters of the workflow execution; ``context`` is its context, and what
        orquesta calls ``ctx(st2)`` under ``st2``."""

    def child_changed(self, key: str, status: Status, now: int) -> Decision:
        """A child has another status, final or not: pauses and pending inquiries matter too."""

    def pause(self, now: int) -> Decision:
        """Request nothing more; paused as soon as no child is active."""

    def resume(self, now: int) -> Decision:
        """Go on after a pause."""

    def cancel(self, now: int) -> Decision:
        """Request nothing more; canceled as soon as no child is active."""

    def rerun(self, tasks: Sequence[str], reset: Sequence[str], now: int) -> Decision:
        """Go on from ``tasks`` after the end. Tasks with items repeat those items that did not succeed, and all if
        they are named in ``reset`` too.

        Raises:
            ValidationError: it has not ended, or there is no such task that has run.
        """

    def outstanding(self, now: int) -> Decision:
        """The requests of all active children once more, for those that may not exist because an engine died. Their
        delays count from the first request."""


def run_of(key: str) -> str:
    """``<task>/<route>/<visit>`` of ``<task>/<route>/<visit>/<attempt>[/<item>]``."""
    return "/".join(key.split("/")[:3])
