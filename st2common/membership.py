"""Tells the others, through the database, that the services of this process live."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable

from oslo_config import cfg
from pymongo.database import Database
from pymongo.errors import PyMongoError

from st2common.models.connection import Document
from st2common.models.members import Member, Members

LOG = logging.getLogger(__name__)

# Seconds. Two that fail do not make a dead one.
_INTERVAL = 20.0
_SILENCE = 65.0


class Membership:
    name = "membership"

    def __init__(
        self, config: cfg.ConfigOpts, database: Database[Document], programs: Iterable[str], pid: int | None = None
    ) -> None:
        """``programs``: the names of the services (``st2api``). ``pid``: of the process that others know them by, if it
        is not this one."""
        self._members = Members(database)
        self._ours = [_member(config, program, pid or os.getpid()) for program in programs]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="membership", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline: float) -> None:
        self._stop.set()
        self._thread.join(deadline)

    def health(self) -> str | None:
        """Nobody's work depends on it."""
        return None

    def _tell(self) -> None:
        while True:
            try:
                self._members.forget_dead()
                self._members.tell(self._ours, _SILENCE)
            except PyMongoError as error:
                LOG.info("Others are not told that this process lives: %s", error)
            if self._stop.wait(_INTERVAL):
                break
        try:
            self._members.forget(self._ours)
        except PyMongoError as error:
            LOG.info("Others learn by themselves that this process has ended: %s", error)


def _member(config: cfg.ConfigOpts, program: str, pid: int) -> Member:
    group = program.removeprefix("st2")
    if group in config and "port" in config[group]:
        return Member(group, pid, (config[group].host, config[group].port))
    return Member(group, pid)
