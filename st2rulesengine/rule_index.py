"""The enabled rules in memory, by the trigger that they wait for."""

from __future__ import annotations

import logging
import time

from st2common.models import rules
from st2common.models.connection import Document
from st2common.rules.matching import Matcher

LOG = logging.getLogger(__name__)

# Seconds after which everything is read again though nothing seems to have changed: who changes a rule counts it
# afterwards, and may die in between.
FULL_CHECK = 60.0

_NO_RULES = Matcher([])


class RuleIndex:
    """Not for several threads at once."""

    def __init__(self) -> None:
        self._revision = -1
        self._checked_at = 0.0
        self._rules: dict[str, list[Document]] = {}
        self._matchers: dict[str, Matcher] = {}

    def refresh(self) -> bool:
        """Take over what has changed, at the price of reading one number where nothing has; whether anything has.

        After it every change that was complete before it began is known.
        """
        revision = rules.revision()
        if revision == self._revision and time.monotonic() - self._checked_at < FULL_CHECK:
            return False
        found: dict[str, list[Document]] = {}
        for rule in rules.enabled():
            found.setdefault(rule["trigger"]["ref"], []).append(rule)
        for group in found.values():
            group.sort(key=lambda rule: str(rule["ref"]))
        changed = {ref for ref in found.keys() | self._rules.keys() if found.get(ref) != self._rules.get(ref)}
        for ref in changed:
            self._matchers.pop(ref, None)
        self._rules, self._revision, self._checked_at = found, revision, time.monotonic()
        if changed:
            LOG.info("Rules have changed: %d are enabled, for %d triggers", sum(map(len, found.values())), len(found))
        return bool(changed)

    def matcher(self, trigger: str) -> Matcher:
        """The rules of a trigger (its reference); compiled when they are asked for first."""
        group = self._rules.get(trigger)
        if not group:
            return _NO_RULES
        known = self._matchers.get(trigger)
        if known is None:
            known = self._matchers[trigger] = Matcher(group)
        return known

    def triggers(self) -> frozenset[str]:
        """References of the triggers that an enabled rule waits for."""
        return frozenset(self._rules)
