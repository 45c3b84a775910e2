"""What the current thread works on, for the records that it logs meanwhile."""

from __future__ import annotations

from contextvars import ContextVar

#: Set when a request arrives. It stays until the thread's next request, so that the body of a stream has it too.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
#: Set in the thread of a run, which ends with it.
EXECUTION_ID: ContextVar[str | None] = ContextVar("execution_id", default=None)
