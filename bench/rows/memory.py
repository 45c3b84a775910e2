"""Memory of the daemons while nothing happens."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report import Row
from bench.session import Session

# For the five daemons that run actions, show and keep them, and the keeper.
_AIM_MB = 300
_BESIDE = "st2sensorcontainer"


def rows(session: Session) -> Iterator[Row]:
    pss = {
        component: sum(process.pss_mb() for process in processes)
        for component, processes in session.platform.daemons().items()
    }
    beside = pss.pop(_BESIDE)
    total = sum(pss.values())
    yield Row(
        "memory of the five daemons and the keeper (PSS) when idle, without broker, database and warm python parents",
        f"{total:.0f} MB: "
        + ", ".join(f"{component} {megabytes:.0f}" for component, megabytes in pss.items())
        + f"; beside them {_BESIDE} {beside:.0f}",
        aim=f"<= {_AIM_MB} MB",
        met=total <= _AIM_MB,
    )
