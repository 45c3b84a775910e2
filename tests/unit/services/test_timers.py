"""When timers are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.errors import ValidationError
from st2common.services.timers import check_timer, schedule_of

INTERVAL, DATE, CRON = "core.st2.IntervalTimer", "core.st2.DateTimer", "core.st2.CronTimer"
START = datetime(2026, 3, 28, 12, tzinfo=UTC)


def due(type_ref: str, after: datetime = START, count: int = 1, **parameters: Any) -> list[str]:
    schedule = schedule_of(type_ref, parameters, START)
    found = []
    while len(found) < count:
        moment = schedule(after)
        if moment is None:
            break
        found.append(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}")
        after = moment
    return found


def test_intervals_keep_their_phase() -> None:
    assert due(INTERVAL, count=2, unit="hours", delta=5) == ["2026-03-28 17:00:00", "2026-03-28 22:00:00"]
    later = START + timedelta(hours=11)
    assert due(INTERVAL, later, unit="hours", delta=5) == ["2026-03-29 03:00:00"]


@given(st.integers(1, 10**6), st.integers(0, 10**9))
def test_an_interval_is_the_first_multiple_after_a_moment(delta: int, passed: int) -> None:
    moment = START + timedelta(seconds=passed)
    found = schedule_of(INTERVAL, {"unit": "seconds", "delta": delta}, START)(moment)
    assert found is not None
    assert timedelta(0) < found - moment <= timedelta(seconds=delta)
    assert (found - START) % timedelta(seconds=delta) == timedelta(0)


def test_dates() -> None:
    assert due(DATE, count=9, date="2026-03-30T10:00:00", timezone="Europe/Berlin") == ["2026-03-30 08:00:00"]
    assert due(DATE, date="2026-03-30 10:00:00+02:00") == ["2026-03-30 08:00:00"]
    assert due(DATE, date="2026-03-30T10:00:00Z", timezone="Europe/Berlin") == ["2026-03-30 10:00:00"]
    assert due(DATE, date="2020-01-01T00:00:00Z") == []


def test_cron_in_time_zones() -> None:
    # In the night to March 29th Berlin goes from UTC+1 to UTC+2.
    daily = due(CRON, count=3, hour=9, minute=0, second=0, timezone="Europe/Berlin")
    assert daily == ["2026-03-29 07:00:00", "2026-03-30 07:00:00", "2026-03-31 07:00:00"]
    # 2:30 does not exist in that night: it is 3:30 then.
    assert due(CRON, hour=2, minute=30, timezone="Europe/Berlin") == ["2026-03-29 01:30:00"]
    # Monday is 0.
    assert due(CRON, day_of_week=0, timezone="UTC") == ["2026-03-30 00:00:00"]
    assert due(CRON, day="last", hour="*/6", count=2, timezone="UTC") == ["2026-03-31 00:00:00", "2026-03-31 06:00:00"]
    assert due(CRON, month=2, day=30, timezone="UTC") == []


@pytest.mark.parametrize(
    ("type_ref", "parameters", "objection"),
    [
        (INTERVAL, {"unit": "years", "delta": 1}, "unit: 'years' is none of weeks"),
        (INTERVAL, {"unit": "days", "delta": 0}, "delta: 0 is no number from 1 on"),
        (INTERVAL, {"unit": "weeks", "delta": 10**12}, "longer than the calendar"),
        (INTERVAL, {"unit": "days", "delta": 1, "timezone": "Atlantis"}, "there is no time zone 'Atlantis'"),
        (INTERVAL, {"unit": "days", "delta": 1, "timezone": "../etc/passwd"}, "there is no time zone"),
        (DATE, {"date": "tomorrow"}, "date: 'tomorrow' is no time"),
        (DATE, {}, "date: None is no time"),
        (CRON, {}, "needs at least one of year"),
        (CRON, {"minute": "99"}, "minute: '99'"),
        (CRON, {"hour": "noon"}, "hour: 'noon'"),
        (CRON, {"day_of_week": "someday"}, "day_of_week: 'someday'"),
        (CRON, {"minute": "*/0"}, "minute: '*/0'"),
        (CRON, {"fortnight": 1}, "fortnight is no field"),
    ],
)
def test_nonsense_is_told(type_ref: str, parameters: dict[str, Any], objection: str) -> None:
    with pytest.raises(ValidationError) as told:
        check_timer(type_ref, parameters)
    assert objection in str(told.value)


def test_other_triggers_may_have_any_parameters() -> None:
    check_timer("core.st2.webhook", {"minute": "99"})
