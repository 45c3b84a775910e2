"""From how a child ended, and what it printed, to the result that clients read."""

from __future__ import annotations

import json
import math
import signal
from typing import Any

from st2actionrunner.launch import Exit, Outcome
from st2common.models.statuses import Status

#: Return code of an action that took too long.
TIMED_OUT = -9

# What fits into a document of the database. Output that parses to more than that stays text.
_MAX_DEPTH = 50
_MAX_INTEGER = 2**63 - 1

# In characters. Parsing more would hold up everything else that the runner does.
_MAX_PARSED = 4 * 1024 * 1024


def parsed_output(text: str) -> Any:
    """``text`` without its last line break; as data, if it is JSON."""
    text = text.removesuffix("\n").removesuffix("\r")
    if len(text) > _MAX_PARSED:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if is_storable(value) else text


def is_storable(value: Any, depth: int = 0) -> bool:
    """Whether JSON's ``value`` can be kept as it is: finite, 64-bit, not too deep, text that is Unicode."""
    match value:
        case bool() | None:
            return True
        case int():
            return abs(value) <= _MAX_INTEGER
        case float():
            return math.isfinite(value)
        case str():
            return _is_unicode(value)
        case list():
            return depth < _MAX_DEPTH and all(is_storable(item, depth + 1) for item in value)
        case dict():
            return depth < _MAX_DEPTH and all(
                _is_unicode(key) and "\0" not in key and is_storable(item, depth + 1) for key, item in value.items()
            )
    return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def return_code(ended: Exit) -> int:
    """As a shell user knows it: the exit code, or minus the signal that ended it; -9 for a timeout."""
    if ended.timed_out:
        return TIMED_OUT
    if ended.signal is not None:
        return -ended.signal
    return ended.exit_code if ended.exit_code is not None else -1


def explain(ended: Exit, timeout: float | None) -> str | None:
    """The text of ``error``, where the exit code alone does not say what happened. ``timeout`` in seconds."""
    if ended.timed_out:
        return f"Action failed to complete in {timeout:g} seconds" if timeout else "Action failed to complete in time"
    if ended.error:
        return ended.error
    if ended.signal is not None:
        return f"The process was ended by signal {ended.signal} ({_signal_name(ended.signal)})."
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def shell_result(outcome: Outcome, timeout: float | None) -> tuple[Status, dict[str, Any]]:
    """Status and result of a local shell action."""
    ended = outcome.exit
    code = return_code(ended)
    result: dict[str, Any] = {
        "failed": code != 0,
        "succeeded": code == 0,
        "return_code": code,
        "stdout": parsed_output(outcome.stdout),
        "stderr": parsed_output(outcome.stderr),
    }
    if (error := explain(ended, timeout)) is not None:
        result["error"] = error
    return _shell_status(ended, code), result


def _shell_status(ended: Exit, code: int) -> Status:
    if ended.timed_out:
        return Status.TIMEOUT
    if code == 0:
        return Status.SUCCEEDED
    # Somebody outside the platform ended it: nobody can say how far it came.
    return Status.ABANDONED if ended.signal == signal.SIGTERM and not ended.killed else Status.FAILED
