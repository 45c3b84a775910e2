"""What is remembered of an execution of an action chain, and how it is written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from st2common.models.statuses import COMPLETED, Status

FORMAT = 1


@dataclass
class Step:
    """One visit of a node. Steps follow each other; only the last one can be active."""

    node: str
    #: How often the node was visited before.
    visit: int
    #: None: it is to be requested after the pause.
    status: Status | None = None
    #: Microseconds since the epoch.
    started: int | None = None
    ended: int | None = None
    #: Its child execution was requested.
    requested: bool = False

    @property
    def key(self) -> str:
        """Of its child execution."""
        return f"{quote(self.node, safe='')}/0/{self.visit}/0"

    @property
    def active(self) -> bool:
        return self.status is not None and self.status not in COMPLETED


@dataclass
class State:
    status: Status = Status.REQUESTED
    cancel_asked: bool = False
    pause_asked: bool = False
    steps: list[Step] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    vars: dict[str, Any] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)
    #: Why the chain failed, where it was not an action that did.
    error: str | None = None

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> State:
        fields = {name: value for name, value in stored.items() if name != "format"}
        fields["status"] = Status(fields["status"])
        fields["steps"] = [_step(step) for step in fields["steps"]]
        return cls(**fields)

    def stored(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}


def _step(stored: Mapping[str, Any]) -> Step:
    return Step(**{**stored, "status": Status(stored["status"]) if stored["status"] else None})
