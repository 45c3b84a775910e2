"""The statuses of an execution and every allowed change between them, in one table.

Every list of statuses that the platform needs ("completed", "may be cancelled", ...) is derived here.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    REQUESTED = "requested"
    SCHEDULED = "scheduled"
    DELAYED = "delayed"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    PENDING = "pending"
    CANCELING = "canceling"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMEOUT = "timeout"
    ABANDONED = "abandoned"


_S = Status
_ENDS_OF_A_RUN = frozenset({_S.SUCCEEDED, _S.FAILED, _S.TIMEOUT, _S.ABANDONED})

#: From each status, the statuses that may follow. A status with none is final.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    _S.REQUESTED: frozenset({_S.SCHEDULED, _S.DELAYED, _S.RUNNING, _S.CANCELING, _S.CANCELED, _S.FAILED}),
    _S.DELAYED: frozenset({_S.REQUESTED, _S.SCHEDULED, _S.CANCELING, _S.CANCELED, _S.FAILED}),
    _S.SCHEDULED: frozenset({_S.RUNNING, _S.REQUESTED, _S.CANCELING, _S.CANCELED, _S.FAILED, _S.ABANDONED}),
    # Back to "requested": the rescuer repeats what its dead runner was running, if the action allows it.
    _S.RUNNING: _ENDS_OF_A_RUN | {_S.REQUESTED, _S.PAUSING, _S.PAUSED, _S.PENDING, _S.CANCELING, _S.CANCELED},
    _S.PAUSING: _ENDS_OF_A_RUN | {_S.PAUSED, _S.CANCELING, _S.CANCELED},
    _S.PAUSED: frozenset({_S.RESUMING, _S.CANCELING, _S.CANCELED, _S.FAILED, _S.ABANDONED}),
    _S.RESUMING: _ENDS_OF_A_RUN | {_S.RUNNING, _S.CANCELING, _S.CANCELED},
    _S.PENDING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.TIMEOUT, _S.CANCELING, _S.CANCELED}),
    # Any end: a request that comes after the action has ended comes too late.
    _S.CANCELING: _ENDS_OF_A_RUN | {_S.CANCELED},
    _S.CANCELED: frozenset(),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.TIMEOUT: frozenset(),
    _S.ABANDONED: frozenset(),
}

COMPLETED = frozenset(status for status, following in TRANSITIONS.items() if not following)
UNFINISHED = frozenset(Status) - COMPLETED
FAILED_STATUSES = frozenset({_S.FAILED, _S.TIMEOUT, _S.ABANDONED})
#: Clients are told "cannot be canceled" in any other status; "canceling" counts as not cancelable.
CANCELABLE = frozenset(s for s in UNFINISHED if _S.CANCELING in TRANSITIONS[s])
#: A runner may take an execution from these.
CLAIMABLE = frozenset({_S.REQUESTED, _S.SCHEDULED})


def may_become(status: Status) -> frozenset[Status]:
    """The statuses from which ``status`` can be reached in one step."""
    return frozenset(before for before, following in TRANSITIONS.items() if status in following)


# What a workflow may pass on its way from one status to another.
_BETWEEN = frozenset({_S.RUNNING, _S.RESUMING, _S.PAUSING})


def way(start: Status, end: Status) -> list[Status]:
    """The statuses that a workflow passes from ``start`` to ``end``, with that; none where it cannot get there."""
    ways: list[list[Status]] = [[]]
    for passed in ways:
        following = TRANSITIONS[passed[-1] if passed else start]
        if end in following:
            return [*passed, end]
        ways.extend([*passed, status] for status in sorted(following & _BETWEEN - {start, *passed}))
    return []
