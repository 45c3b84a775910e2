"""What keeps rules from running away: both are off unless the configuration says otherwise."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2common.models.connection import Document
from st2common.services.trace_events import matches_before

# Seconds that the rate is counted over.
_WINDOW = 60.0


class Limits:
    def __init__(self, config: cfg.ConfigOpts, database: Database[Document]) -> None:
        self._rate = int(config.rulesengine.rule_rate_limit)
        self._loop = int(config.rulesengine.rule_loop_limit)
        self._database = database
        self._recent: dict[str, deque[float]] = {}

    def objection(self, instance: Mapping[str, Any], rule: Mapping[str, Any]) -> str | None:
        """Why the rule may not run its action for this event; None where it may."""
        if self._loop and matches_before(self._database, instance, rule["id"]) >= self._loop:
            return (
                f"The rule has matched {self._loop} times in this trace: it looks like a loop "
                "([rulesengine] rule_loop_limit)."
            )
        if self._rate and not self._within_rate(rule["id"]):
            return f"The rule may run its action {self._rate} times a minute ([rulesengine] rule_rate_limit)."
        return None

    def _within_rate(self, rule_id: str) -> bool:
        now = time.monotonic()
        times = self._recent.setdefault(rule_id, deque())
        while times and times[0] < now - _WINDOW:
            times.popleft()
        if len(times) >= self._rate:
            return False
        times.append(now)
        return True
