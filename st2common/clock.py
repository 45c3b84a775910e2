"""Time as the platform stores it (microseconds since the epoch, UTC) and shows it (ISO 8601 with ``Z``)."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

# The forms that the API accepts: seconds, an optional fraction of 3 to 6 digits, an explicit UTC mark.
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}[\sT]\d{2}:\d{2}:\d{2}(\.\d{3,6})?(Z|\+00|\+0000|\+00:00)$")


def now_us() -> int:
    """The wall clock in microseconds since the epoch."""
    return time.time_ns() // 1000


def isoformat(us: int) -> str:
    """``1503661866961844`` -> ``2017-08-25T11:51:06.961844Z``."""
    seconds, fraction = divmod(us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{fraction:06d}Z"


def parse(text: str) -> int:
    """Microseconds since the epoch of an ISO 8601 time in UTC.

    Raises:
        ValueError: the text has another form.
    """
    if not _ISO.match(text):
        raise ValueError(f'"{text}" is not a time in UTC like 2017-08-31T11:51:06.961844Z')
    bare = re.sub(r"(Z|\+00|\+0000|\+00:00)$", "", text)
    moment = datetime.fromisoformat(bare).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
