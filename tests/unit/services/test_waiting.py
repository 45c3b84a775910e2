"""Why an execution waits, in words."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.clock import parse
from st2common.models.statuses import COMPLETED, Status
from st2common.services.waiting import Facts, in_words

NOW = parse("2026-01-31T10:00:00.000000Z")
SECOND = 1_000_000
POLICY = {"ref": "web.two", "resource_ref": "web.deploy", "parameters": {"threshold": 2}}
HELD = {"owner": "host1/1", "lease_until": NOW + SECOND}
LOST = {"owner": "host1/1", "lease_until": NOW - SECOND}
SILENT = "action runner host1/1 has been silent, its lease ended at 2026-01-31T09:59:59.000000Z."
NO_COLLECTOR = " No garbage collector is alive, without which it does not go on."


@pytest.mark.parametrize(
    ("stored", "facts", "words"),
    [
        ({"status": "requested"}, {}, "Waits for an action runner: none is alive."),
        (
            {"status": "requested"},
            {"runners": ["a/1"], "broker_healthy": False},
            "Waits for an action runner: the message broker is away.",
        ),
        (
            {"status": "requested"},
            {"runners": ["a/1"]},
            "Waits for a free place on the action runner: it is the next one.",
        ),
        (
            {"status": "requested"},
            {"runners": ["a/1", "b/1"], "before": 1},
            "Waits for a free place on one of 2 action runners: 1 execution is before it.",
        ),
        (
            {"status": "requested", "attempt": 1},
            {"runners": ["a/1"], "before": 1001},
            (
                "Its runner was lost, and it is to be run again. "
                "Waits for a free place on the action runner: more than 1000 executions are before it."
            ),
        ),
        ({"status": "delayed", "not_before": NOW + SECOND}, {}, "Its delay lasts until 2026-01-31T10:00:01.000000Z."),
        (
            {"status": "delayed", "not_before": NOW - SECOND},
            {"collector_alive": False},
            "Its delay was over at 2026-01-31T09:59:59.000000Z." + NO_COLLECTOR,
        ),
        (
            {"status": "delayed", "waits_for": "web.two"},
            {"policy": POLICY, "holders": ["a1", "b2"], "before": 4},
            (
                'Delayed by policy "web.two": at most 2 of "web.deploy" may run at once. '
                "Waits for the end of a1 or b2: 4 executions are before it."
            ),
        ),
        (
            {"status": "delayed", "waits_for": "web.two/0123abcd"},
            {"policy": POLICY, "holders": ["a1", "b2", "c3", "d4", "e5"]},
            (
                'Delayed by policy "web.two": at most 2 of "web.deploy" with the same values may run at once. '
                "Waits for the end of a1, b2, c3 or 2 others: it is the next one."
            ),
        ),
        (
            {"status": "delayed", "waits_for": "web.gone"},
            {},
            'Was delayed by policy "web.gone", which is not there any more: it is about to go on.',
        ),
        ({"status": "running", **HELD}, {}, None),
        ({"status": "running", **LOST}, {}, f"Waits for the garbage collector: {SILENT}"),
        (
            {"status": "canceling", "cancel": {"user": "ann"}, **HELD},
            {},
            "Its end was asked for by ann. Waits for action runner host1/1 to end its processes.",
        ),
        (
            {"status": "canceling", **LOST},
            {"collector_alive": False},
            f"Waits for the garbage collector: {SILENT}{NO_COLLECTOR}",
        ),
        ({"_id": "a1", "status": "pending"}, {}, "Waits for anybody to answer inquiry a1: st2 inquiry respond a1"),
        (
            {
                "_id": "a1",
                "status": "pending",
                "pending_until": NOW,
                "result": {"users": ["ann", "bob"], "roles": ["ops"]},
            },
            {},
            (
                "Waits for ann or bob with the role ops to answer inquiry a1 until 2026-01-31T10:00:00.000000Z: "
                "st2 inquiry respond a1"
            ),
        ),
    ],
)
def test_words(stored: dict[str, Any], facts: dict[str, Any], words: str | None) -> None:
    assert in_words(stored, Facts(now=NOW, **facts)) == words


@pytest.mark.parametrize("status", [*sorted(COMPLETED), Status.SCHEDULED])
def test_what_does_not_wait(status: Status) -> None:
    assert in_words({"status": str(status)}, Facts(now=NOW)) is None
