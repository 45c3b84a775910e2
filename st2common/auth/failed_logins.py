"""Slows down whoever guesses passwords: after some failed logins in a minute the next one has to wait.

Counted for a user as seen from one address, for an address, and for a user from everywhere: the first stops a guesser
before the others stop everybody behind the same proxy, or let a stranger lock a user out. In the memory of one process.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from st2common.errors import TooManyRequests, Unauthorized

#: Seconds in which failures count.
WINDOW = 60.0

_OF_USER_AT_ADDRESS = 5
_OF_ADDRESS = 30
_OF_USER = 100

# Users and addresses that are remembered; the one that failed longest ago is forgotten first.
_MOST_KEYS = 30_000
# Characters that tell users apart.
_LONGEST_NAME = 200


class FailedLogins:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        #: When the last failures were, the oldest first.
        self._failures: OrderedDict[tuple[str, ...], list[float]] = OrderedDict()

    @contextlib.contextmanager
    def attempt(self, user: str, address: str) -> Iterator[None]:
        """Around the check of a password, which raises Unauthorized where it fails.

        An attempt counts as failed while it is checked: many at once are no way around the limit.

        Raises:
            TooManyRequests: there were too many failures; the password is not to be checked.
        """
        user = user[:_LONGEST_NAME]
        limits = {
            ("at", user, address): _OF_USER_AT_ADDRESS,
            ("address", address): _OF_ADDRESS,
            ("user", user): _OF_USER,
        }
        now = self._clock()
        with self._lock:
            wait = max(self._wait(key, most, now) for key, most in limits.items())
            if wait > 0:
                seconds = math.ceil(wait)
                raise TooManyRequests(f"Too many failed logins. Try again in {seconds} seconds.", seconds)
            for key in limits:
                self._failures.setdefault(key, []).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > _MOST_KEYS:
                self._failures.popitem(last=False)
        try:
            yield
        except Unauthorized:
            raise
        except BaseException:
            # Nobody knows whether the password was right.
            self._forget(limits, now)
            raise
        self._forget(limits, now)

    def _wait(self, key: tuple[str, ...], most: int, now: float) -> float:
        """Seconds until there may be another attempt; 0 or less: now."""
        recent = [then for then in self._failures.get(key, ()) if now - then < WINDOW]
        if key in self._failures:
            self._failures[key] = recent
        return WINDOW - (now - recent[-most]) if len(recent) >= most else 0.0

    def _forget(self, limits: dict[tuple[str, ...], int], then: float) -> None:
        with self._lock:
            for key in limits:
                failures = self._failures.get(key, [])
                if then in failures:
                    failures.remove(then)
                if not failures:
                    self._failures.pop(key, None)
