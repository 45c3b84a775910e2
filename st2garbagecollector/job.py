"""What the garbage collector does again and again."""

from __future__ import annotations

from typing import Protocol


class Job(Protocol):
    name: str
    #: Seconds between two looks for something to do.
    interval: float
    #: Seconds to rest before going on, where one call did not do all.
    rest: float

    def run(self) -> bool:
        """Do a bounded piece of work; whether there is more of it."""
