from __future__ import annotations

import signal
from typing import Any

import pytest

from st2actionrunner.launch import Exit
from st2actionrunner.runners.results import is_storable, parsed_output, shell_result
from st2common.models.statuses import Status
from tests.unit.runners.requests import outcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello\n", "hello"),
        ("hello\r\n", "hello"),
        ("hello\n\n", "hello\n"),
        ("hello\n\r", "hello\n"),
        ("", ""),
        ("1\n", 1),
        ("1.5", 1.5),
        ("true", True),
        ("null\n", None),
        ('"text"', "text"),
        ('{"a": [1, {"b": null}]}\n', {"a": [1, {"b": None}]}),
        ("{'a': 1}", "{'a': 1}"),
        ("01", "01"),
        # What the database or a client could not take stays text.
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("9223372036854775807", 9223372036854775807),
        ("9223372036854775808", "9223372036854775808"),
        ("9" * 5000, "9" * 5000),
        ('["\\ud800"]', '["\\ud800"]'),
        ('{"a\\u0000": 1}', '{"a\\u0000": 1}'),
        ("[" * 60 + "]" * 60, "[" * 60 + "]" * 60),
        ("[" * 100000, "[" * 100000),
    ],
)
def test_output_is_data_where_it_is_json(text: str, expected: Any) -> None:
    value = parsed_output(text)
    assert value == expected
    assert type(value) is type(expected)


def test_what_no_json_holds_is_not_storable() -> None:
    assert not is_storable(b"bytes")


@pytest.mark.parametrize(
    ("ended", "status", "code", "error"),
    [
        (Exit(exit_code=0), Status.SUCCEEDED, 0, None),
        (Exit(exit_code=3), Status.FAILED, 3, None),
        (
            Exit(signal=signal.SIGTERM, timed_out=True),
            Status.TIMEOUT,
            -9,
            "Action failed to complete in 60 seconds",
        ),
        # It may end well in its last moment: it took too long all the same.
        (Exit(exit_code=0, timed_out=True), Status.TIMEOUT, -9, "Action failed to complete in 60 seconds"),
        (Exit(signal=signal.SIGTERM), Status.ABANDONED, -15, "The process was ended by signal 15 (SIGTERM)."),
        (Exit(signal=signal.SIGKILL), Status.FAILED, -9, "The process was ended by signal 9 (SIGKILL)."),
        (Exit(error="no such program"), Status.FAILED, -1, "no such program"),
    ],
)
def test_shell_result(ended: Exit, status: Status, code: int, error: str | None) -> None:
    expected = {
        "failed": code != 0,
        "succeeded": code == 0,
        "return_code": code,
        "stdout": {"a": 1},
        "stderr": "oops",
    }
    if error:
        expected["error"] = error
    assert shell_result(outcome(ended, '{"a": 1}\n', "oops\n"), 60.0) == (status, expected)
