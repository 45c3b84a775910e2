"""The answers that go on: how many there are now, and how many there may be in one process."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter

from flask import Flask, Response, current_app
from oslo_config import cfg

from st2common import metrics
from st2common.auth.identity import Kind
from st2common.errors import TooManyRequests
from st2common.http.authentication import identity

_EXTENSION = "open_streams"

# Seconds after which somebody who was refused may ask again.
_RETRY_AFTER = 5


class OpenStreams:
    """Added to an application whose streams it then counts."""

    def __init__(self, config: cfg.ConfigOpts) -> None:
        self._in_all: int = config.stream.max_streams
        self._per_user: int = config.stream.max_streams_per_user
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()

    def guard(self, app: Flask) -> None:
        app.extensions[_EXTENSION] = self

    def enter(self, user: str | None) -> None:
        """One more, of this user; of None, where nobody is asked who they are.

        Raises:
            TooManyRequests: there are as many as there may be.
        """
        with self._lock:
            if self._of.total() >= self._in_all:
                raise TooManyRequests(
                    f"This process has {self._in_all} streams open, which is all that it may have ([stream] "
                    f"max_streams). Try again in {_RETRY_AFTER} seconds.",
                    _RETRY_AFTER,
                )
            if user is not None and self._of[user] >= self._per_user:
                raise TooManyRequests(
                    f"You have {self._per_user} streams open, which is all that a user may have ([stream] "
                    f"max_streams_per_user). Close one, or try again in {_RETRY_AFTER} seconds.",
                    _RETRY_AFTER,
                )
            self._of[user or ""] += 1

    def leave(self, user: str | None) -> None:
        with self._lock:
            self._of[user or ""] -= 1
            if not self._of[user or ""]:
                del self._of[user or ""]


def count(response: Response, kind: str) -> None:
    """Count an answer as one that somebody follows, until it is closed; ``kind``: ``output`` or ``events``.

    Raises:
        TooManyRequests: there are as many as there may be; the answer is not to be given.
    """
    streams: OpenStreams = current_app.extensions[_EXTENSION]
    who = identity()
    user = None if who.kind is Kind.NONE else who.user
    streams.enter(user)
    watchers = metrics.WATCHERS.labels(kind)
    watchers.inc()
    # An answer may be closed twice; the stack does it once.
    leaving = contextlib.ExitStack()
    leaving.callback(streams.leave, user)
    leaving.callback(watchers.dec)
    response.call_on_close(leaving.close)
