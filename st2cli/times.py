"""Times as people want to read them: in the zone of ``[cli] timezone``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

_UTC = frozenset({"UTC", "Etc/UTC", ""})


def zone_named(name: str) -> tzinfo | None:
    """The time zone; None for UTC, in which the platform gives its times.

    Raises:
        ValueError: there is none of that name.
    """
    if name in _UTC:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone, as Europe/Berlin would be") from error


def in_zone(timestamp: str, zone: tzinfo | None) -> str:
    """``2026-01-31T10:00:00.123456Z`` as the clocks of the zone show it; what is no time, as it is."""
    if zone is None:
        return timestamp
    from datetime import datetime

    try:
        return datetime.fromisoformat(timestamp).astimezone(zone).isoformat()
    except ValueError:
        return timestamp


def short(timestamp: str) -> str:
    """To the second, and with a place to wrap."""
    return timestamp[:19].replace("T", " ") + ("Z" if timestamp.endswith("Z") else timestamp[-6:]) if timestamp else ""
