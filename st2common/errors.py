"""The kernel's errors. The docstring of a class is its message where the raiser gives none."""

from __future__ import annotations


class St2Error(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else (self.__doc__ or "").strip())


class NotFound(St2Error):
    """The resource could not be found."""


class ValidationError(St2Error):
    """The request is not valid."""


class Unauthorized(St2Error):
    """Who asks is not known."""


class AccessDenied(St2Error):
    """The user may not do this."""


class TooManyRequests(St2Error):
    """Too many requests."""

    def __init__(self, message: str, retry_after: int) -> None:
        """``retry_after``: seconds."""
        super().__init__(message)
        self.retry_after = retry_after


class ConflictError(St2Error):
    """An object with the same name exists already."""

    def __init__(self, message: str | None = None, conflict_id: str | None = None) -> None:
        super().__init__(message)
        self.conflict_id = conflict_id


class ConfigError(St2Error):
    """The configuration is not valid."""


class TransportError(St2Error):
    """The message broker did not take the message."""


class Fenced(St2Error):
    """Another attempt owns this execution now; whoever sees this stops writing."""
