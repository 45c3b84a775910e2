"""What the commands conclude from the status of an execution."""

from __future__ import annotations

COMPLETED = frozenset({"succeeded", "failed", "timeout", "canceled", "abandoned"})
SUCCEEDED = "succeeded"
#: The only one for which ``st2 run`` exits with 1: scripts rely on it.
FAILED = "failed"
#: ``st2 run`` waits while an execution is in one of these. Not in "delayed", "pending" and "paused":
#: they may last for days.
WORTH_WAITING = frozenset({"requested", "scheduled", "running", "canceling"})
