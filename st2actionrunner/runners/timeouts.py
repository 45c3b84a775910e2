"""How long an action may take."""

from __future__ import annotations

from st2actionrunner.launch import RunnerError, RunRequest


def timeout_of(run: RunRequest) -> float | None:
    """Seconds, or None for an action without a limit.

    Raises:
        RunnerError: the limit is not a positive number.
    """
    timeout = run.runner_parameters.get("timeout")
    if timeout is None:
        return None
    if timeout <= 0:
        raise RunnerError(f'The parameter "timeout" is {timeout}: it must be more than 0 seconds.')
    return float(timeout)
