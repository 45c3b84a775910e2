"""When a timer is due: what its parameters say, worked out in its time zone.

Cron expressions have the fields and the syntax of APScheduler, whose trigger works them out: ``day_of_week`` 0 is
Monday, ``mon-fri``, ``*/5``, ``last``, ``2nd fri``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from st2common.errors import ValidationError
from st2common.models.trigger_types import CRON_TIMER, DATE_TIMER, INTERVAL_TIMER, TIMERS

#: From a moment to the next one after it when the timer is due; None: never again. Both have a zone.
Schedule = Callable[[datetime], datetime | None]

_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_CRON_FIELDS = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
_MOMENT = timedelta(microseconds=1)


def check_timer(type_ref: str, parameters: Mapping[str, Any]) -> None:
    """Whether a trigger of this type can have these parameters; those that are no timers can have any.

    Raises:
        ValidationError: what is wrong with them.
    """
    if type_ref in TIMERS:
        schedule_of(type_ref, parameters, datetime.now(UTC))


def schedule_of(type_ref: str, parameters: Mapping[str, Any], since: datetime) -> Schedule:
    """The schedule of a timer; ``since``: from when on an interval counts.

    Raises:
        ValidationError: the parameters make no sense.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    zone = _zone(given.pop("timezone", None))
    if type_ref == INTERVAL_TIMER:
        return _interval(given, since)
    if type_ref == DATE_TIMER:
        moment = _date(given.get("date"), zone)
        return lambda after: moment if moment > after else None
    if type_ref == CRON_TIMER:
        return _cron(given, zone)
    raise ValidationError(f'"{type_ref}" is no type of timers')


def _interval(parameters: Mapping[str, Any], since: datetime) -> Schedule:
    unit, delta = parameters.get("unit"), parameters.get("delta")
    if unit not in _UNITS:
        raise ValidationError(f"unit: {unit!r} is none of {', '.join(_UNITS)}")
    if isinstance(delta, bool) or not isinstance(delta, int) or delta < 1:
        raise ValidationError(f"delta: {delta!r} is no number from 1 on")
    try:
        length = timedelta(**{unit: delta})
        since + length
    except OverflowError:
        raise ValidationError(f"delta: {delta} {unit} is longer than the calendar") from None

    def after(moment: datetime) -> datetime | None:
        passed = max(0, (moment - since) // length)
        try:
            return since + (passed + 1) * length
        except OverflowError:
            return None

    return after


def _date(text: Any, zone: ZoneInfo | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValidationError(
            f"date: {text!r} is no time like 2026-12-24T18:00:00 or 2026-12-24 18:00:00+01:00"
        ) from None
    if moment.tzinfo is None:
        # Without a zone: that of the timer, else the host's.
        moment = moment.replace(tzinfo=zone) if zone else moment.astimezone()
    return moment.astimezone(UTC)


def _cron(parameters: Mapping[str, Any], zone: ZoneInfo | None) -> Schedule:
    unknown = sorted(parameters.keys() - set(_CRON_FIELDS))
    if unknown:
        raise ValidationError(f"{unknown[0]} is no field of a cron timer; they are {', '.join(_CRON_FIELDS)}")
    if not parameters:
        raise ValidationError(f"a cron timer needs at least one of {', '.join(_CRON_FIELDS)}")
    for name, value in parameters.items():
        try:
            CronTrigger(**{name: value})
        except (ValueError, TypeError) as error:
            raise ValidationError(f"{name}: {value!r}: {error}") from None
    trigger = CronTrigger(**parameters, timezone=zone)
    return lambda after: trigger.get_next_fire_time(None, after + _MOMENT)


def _zone(name: Any) -> ZoneInfo | None:
    if name is None or name == "":
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, TypeError, OSError, KeyError):
        raise ValidationError(f"timezone: there is no time zone {name!r}; they are called like Europe/Berlin") from None
