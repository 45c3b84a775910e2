"""What ends a command: the message says what happened and what to do."""

from __future__ import annotations


class CommandError(Exception):
    """The message is shown as it is; the process ends with ``exit_code``."""

    exit_code = 1
    label = "ERROR: "


class UsageError(CommandError):
    """The command line itself is wrong."""

    exit_code = 2


class NothingToDelete(CommandError):
    """There is no such thing; scripts know this exit code of ``delete``."""

    exit_code = 2


class StoppedWatching(CommandError):
    """The person has pressed Ctrl-C; the exit code is that of a process which SIGINT has ended."""

    exit_code = 130
    label = ""


class Unreachable(CommandError):
    """No answer from the service at all."""


class ApiError(CommandError):
    """The service answered with an error; ``status`` is the HTTP status."""

    def __init__(self, status: int, reason: str, faultstring: str, url: str) -> None:
        kind = "Server" if status >= 500 else "Client"
        super().__init__(f"{status} {kind} Error: {reason}\nMESSAGE: {faultstring} for url: {url}")
        self.status = status
        self.faultstring = faultstring
