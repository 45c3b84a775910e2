"""Removes what is older than the configuration wants to keep, in bounded pieces, never of an unfinished execution."""

from __future__ import annotations

import logging

from oslo_config import cfg

from st2common import metrics
from st2common.clock import now_us
from st2common.errors import ConfigError
from st2garbagecollector.kinds import Kind

LOG = logging.getLogger(__name__)

_DAY_US = 24 * 3600 * 1_000_000


def days(config: cfg.ConfigOpts, option: str) -> int | None:
    """How many days ``[garbagecollector] option`` keeps things; None: for ever.

    Raises:
        ConfigError: less than a day.
    """
    value: int | None = config.garbagecollector[option]
    if not value:
        return None
    if value < 1:
        raise ConfigError(f"[garbagecollector] {option} = {value}: at least 1 (day), or 0 to keep for ever")
    return value


class Purge:
    """Purges one kind."""

    def __init__(self, kind: Kind, keep_days: int, interval: float, rest: float) -> None:
        self.name = f"purge of {kind.name}"
        self.interval = interval
        self.rest = rest
        self._kind = kind
        self._keep_us = keep_days * _DAY_US
        # Of the present round.
        self._removed = self._belongings = 0

    def run(self) -> bool:
        piece = self._kind.purge(self._kind.before(now_us() - self._keep_us))
        self._removed += piece.removed
        self._belongings += piece.belongings
        metrics.PURGED.labels(self._kind.name).inc(piece.removed)
        metrics.PURGED_BELONGINGS.labels(self._kind.name).inc(piece.belongings)
        if piece.removed or piece.belongings:
            LOG.info(
                "The %s: %d and %d documents that belong to them are gone%s",
                self.name,
                self._removed,
                self._belongings,
                ", there is more" if piece.more else "",
            )
        if not piece.more:
            self._removed = self._belongings = 0
        return piece.more
