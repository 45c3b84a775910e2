"""What passes between the dispatcher, a runner module and the keeper: how to start a child, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from st2common.models.statuses import Status

# Seconds between TERM and KILL for the processes of an action that has to end.
TERM_GRACE = 5.0


@dataclass(frozen=True)
class PythonParent:
    """Start the child as a fork of a warm interpreter: one for each (python, import path)."""

    python: str
    #: PYTHONPATH of the parent.
    path: tuple[str, ...] = ()
    #: Directory whose change (a reinstalled pack) makes the parent stale; its modification time is part of the key.
    watch: str | None = None


@dataclass(frozen=True)
class Launch:
    """A child for the keeper.

    With a ``parent``, ``argv`` is ``[python, "-u", "-m", module, ...]``: the parent has imported the module, and a fork
    of it calls ``module.main()``. Where there can be no such parent, ``argv`` is executed.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str | None = None
    #: What the child reads from its standard input; secrets and parameters travel here, never in argv.
    stdin: bytes | None = None
    #: Seconds until the keeper ends the child's session; None: no limit.
    timeout: float | None = None
    #: Give the child a terminal as stdout and stderr (both arrive as stdout).
    pty: bool = False
    parent: PythonParent | None = None
    #: The child's own token, kept for the process of this runner that goes on with it, which has to mask it too.
    token: str | None = None


@dataclass(frozen=True)
class Exit:
    """How a child ended, as the keeper saw it."""

    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    #: Ended because somebody asked for it.
    killed: bool = False
    #: Why it could not be started at all, or why nobody knows how it ended.
    error: str | None = None
    #: Of its output, beyond the limit, not kept.
    truncated_bytes: int = 0


@dataclass(frozen=True)
class RunRequest:
    """An execution as a runner module sees it. Parameters are rendered, cast, and have their defaults."""

    execution_id: str
    attempt: int
    action: Mapping[str, Any]
    runner_parameters: Mapping[str, Any]
    action_parameters: Mapping[str, Any]
    context: Mapping[str, Any]
    #: Of this run alone, mode 0700, removed when the log has ended. The child may write ``result`` there.
    directory: Path
    #: Where the pack of the action lies.
    pack_path: Path | None = None
    #: The entry point, absolute, or None where the action has none.
    entry_point: Path | None = None
    auth_token: str | None = None
    api_url: str = ""
    #: Rendered and decrypted.
    pack_config: Mapping[str, Any] = field(default_factory=dict)
    #: What the configuration has that nobody may see, beside what the execution itself knows as secret.
    secrets: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What there is to conclude a result from: the exit, the (masked, bounded) output, the child's own result file."""

    exit: Exit
    stdout: str
    stderr: str
    result: bytes | None
    #: Hides the run's secrets in a text of the child's result file, which nobody has masked.
    mask: Callable[[str], str]


class Runner(Protocol):
    """One module for each runner type. Stateless: after a restart another process concludes what this one prepared."""

    def prepare(self, run: RunRequest) -> Launch:
        """How to start this action.

        Raises:
            RunnerError: it cannot be started; the message becomes the execution's error.
        """

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        """Status and result of the ended child."""


@dataclass(frozen=True)
class Settled:
    """What came of an action that needs no child."""

    #: "pending" where it is not over: then somebody else ends the execution.
    status: Status
    result: dict[str, Any]
    #: Microseconds since the epoch, of a pending one: from when on nobody waits for it any more. None: for ever.
    pending_until: int | None = None


@runtime_checkable
class ChildlessRunner(Protocol):
    """A runner type whose actions are done by the action runner itself, in a moment."""

    def settle(self, run: RunRequest) -> Settled:
        """Do it. After a restart of the action runner it may be done a second time.

        Raises:
            RunnerError: it cannot be done; the message becomes the execution's error.
        """


class RunnerError(Exception):
    """The action cannot be started."""
