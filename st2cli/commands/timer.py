"""``st2 timer``: what fires at certain times."""

from __future__ import annotations

from st2cli.commands.resources import Resource

VERBS = Resource(
    path="/timers",
    singular="timer",
    plural="timers",
    listed=("ref", "type", "parameters", "timer.next_at", "timer.error"),
    shown=("id", "ref", "type", "parameters", "timer.next_at", "timer.last_fired_at", "timer.error"),
    filters={"timer_type": "only the timers of this type, for instance core.st2.CronTimer"},
    word="timer",
    sample="59a7f8260640fd686303e628",
).reading()
