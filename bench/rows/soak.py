"""Full load for minutes: does the memory of any daemon grow?"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator

from bench.client import Api, Ends
from bench.report import Row
from bench.session import Session

_POSTERS = 4
_LINES = 200
_SAMPLE_SECONDS = 2.0
# Points of the curve that are shown.
_POINTS = 10
# MB by which the last third may lie above the middle one; allocators keep what they had at their highest.
_FLAT_MB = 8.0


class Load:
    """Clients that start an action, wait for its end, and do so again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._over = threading.Event()
        self.done = [0] * _POSTERS
        self._problems: list[Exception] = []
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(_POSTERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._problems:
            raise self._problems[0]

    def _post(self, number: int) -> None:
        api, ends = Api(self._session.platform), Ends(self._session.platform)
        try:
            while not self._over.is_set():
                execution_id = api.post("core.local", cmd=f"seq {_LINES}; sleep 0.1; echo end")
                if self.done[number] % 8 == 0:  # a process for the watchers is dear
                    with self._session.watching(execution_id, 4) as watching:
                        watching.results()
                ends.wait(execution_id)
                self.done[number] += 1
        except Exception as error:  # told when the load stops
            self._problems.append(error)
        finally:
            ends.close()
            api.close()


def rows(session: Session, minutes: float) -> Iterator[Row]:
    load = Load(session)
    daemons = session.platform.daemons()
    curves: dict[str, list[float]] = {name: [] for name in daemons}
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        for name, processes in daemons.items():
            curves[name].append(sum(process.rss_mb() for process in processes))
        time.sleep(_SAMPLE_SECONDS)
    load.stop()
    done = sum(load.done)
    yield Row(
        f"{minutes:g} minutes at full load: executions of {_LINES + 1} lines",
        f"{done} ({done / minutes / 60:.0f} per s)",
    )
    for name, curve in curves.items():
        third = len(curve) // 3
        growth = statistics.mean(curve[-third:]) - statistics.mean(curve[third : 2 * third])
        shown = [curve[index * (len(curve) - 1) // (_POINTS - 1)] for index in range(_POINTS)]
        yield Row(
            f"  RSS of {name}",
            " ".join(f"{megabytes:.0f}" for megabytes in shown) + f" MB; last third {growth:+.1f} MB",
            aim=f"flat (<= +{_FLAT_MB:.0f} MB)",
            met=growth <= _FLAT_MB,
        )
