"""Who goes on next: actors that take turns, and the clock that they share."""

from __future__ import annotations

import random
from collections.abc import Callable

import greenlet

# Seconds since the epoch at which every schedule begins.
BEGINNING = 1_600_000_000.0

# Turns after which a schedule hangs: hundreds of times more than the longest takes.
_MAX_TURNS = 200_000


class Crashed(greenlet.GreenletExit):
    """``kill -9``: no handler of errors sees it, and what an actor still does in its last clauses reaches nobody."""


class Actor:
    """A process, or one of its threads."""

    def __init__(self, name: str, schedule: Schedule, body: Callable[[], None]) -> None:
        self.name = name
        self.wakes_at = 0.0
        self.dying = False
        self._greenlet = greenlet.greenlet(body, parent=schedule.hub)

    @property
    def alive(self) -> bool:
        return not self.dying and not self._greenlet.dead

    def go_on(self) -> None:
        self._greenlet.switch()

    def crash(self) -> None:
        """Dies where it stands."""
        if not self.alive:
            return
        self.dying = True
        self._greenlet.throw(Crashed)

    def sleep(self, until: float) -> None:
        """Not ready before ``until``: it waits by itself, or somebody has stopped it."""
        self.wakes_at = max(self.wakes_at, until)


class Schedule:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.hub = greenlet.getcurrent()
        self.now = BEGINNING
        self._actors: list[Actor] = []

    def spawn(self, name: str, body: Callable[[], None]) -> Actor:
        actor = Actor(name, self, body)
        self._actors.append(actor)
        return actor

    def current(self) -> Actor | None:
        """The actor whose turn it is; None while the test itself asks."""
        running = greenlet.getcurrent()
        return next((actor for actor in self._actors if actor._greenlet is running), None)

    def turn(self) -> None:
        """The moment between two things that an actor does: others may go on before it does."""
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        actor = self.current()
        if actor is None:
            return
        if actor.dying:
            raise Crashed
        actor.sleep(self.now + seconds)
        self.hub.switch()

    def run(self, done: Callable[[], bool]) -> None:
        """Let them go on, one at a time, until ``done``."""
        for _ in range(_MAX_TURNS):
            if done():
                return
            self._actors = [actor for actor in self._actors if actor.alive]
            ready = [actor for actor in self._actors if actor.wakes_at <= self.now]
            if ready:
                self.now += self.chance.choice((0.0, 0.0, 0.001, 0.02))
                self.chance.choice(ready).go_on()
            elif self._actors:
                self.now = min(actor.wakes_at for actor in self._actors)
            else:
                raise AssertionError("Everybody has left, and it is not done.")
        raise AssertionError(f"It hangs: {', '.join(actor.name for actor in self._actors)} go on for ever.")

    def end(self) -> None:
        """Leave nothing behind."""
        for actor in self._actors:
            actor.crash()


class Clock:
    """Stands for the module ``time``, where the product looks at it or waits."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def sleep(self, seconds: float) -> None:
        self._schedule.sleep(seconds)

    def monotonic(self) -> float:
        return self._schedule.now - BEGINNING

    def time(self) -> float:
        return self._schedule.now

    def time_ns(self) -> int:
        return int(self._schedule.now * 1_000_000) * 1000
