"""A page of the list of executions out of many, and a login."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bson import ObjectId
from passlib.hash import bcrypt

from bench.platform import Platform
from bench.report import Row, percentile
from bench.session import Session
from st2api.auth.application import make_app
from st2common import config as configuration
from st2common.clock import now_us
from st2common.models.executions import COLLECTION

_EXECUTIONS = 20_000
_PAGE = 100
_TIMES = 15
_BATCH = 1000
_AIM_LIST_MS = 100
_AIM_LOGIN_MS = 300
_BCRYPT_COST = 12

# Microseconds between the starts of two: {how the row calls it: how old the newest is, how far they are apart}.
_MINUTE = 60_000_000
_AGES = {"a minute apart": (0, _MINUTE), "all of a week ago": (7 * 1440 * _MINUTE, 1000)}
# What `st2 execution list` asks for, with all fields.
_QUERY = f"/v1/executions/?limit={_PAGE}&parent=null&sort_desc=True"


def rows(session: Session) -> Iterator[Row]:
    for kind, (age, apart) in _AGES.items():
        yield _list(session, kind, age, apart)
    yield _login(session.platform)


def _list(session: Session, kind: str, age_us: int, apart_us: int) -> Row:
    execution_id = session.api.post("core.local", cmd="true")
    session.ends.wait(execution_id)
    with session.platform.database() as database:
        executions = database[COLLECTION]
        one = executions.find_one({"_id": ObjectId(execution_id)})
        assert one
        newest = now_us() - age_us
        for first in range(0, _EXECUTIONS, _BATCH):
            batch = [_copy(one, newest - number * apart_us) for number in range(first, first + _BATCH)]
            executions.insert_many(batch)
        took = _median_ms(lambda: session.api.call("GET", _QUERY))
        executions.delete_many({"copy": True})
    return Row(
        f"list of {_PAGE} executions out of {_EXECUTIONS:,}, {kind}, median of {_TIMES}",
        f"{took:.0f} ms",
        aim=f"<= {_AIM_LIST_MS} ms",
        met=took <= _AIM_LIST_MS,
    )


def _copy(execution: Mapping[str, Any], started_us: int) -> dict[str, Any]:
    return {
        **execution,
        "_id": ObjectId(),
        "copy": True,
        "start_timestamp": started_us,
        "end_timestamp": started_us + 10_000,
    }


def _login(platform: Platform) -> Row:
    """The authentication service in this process, on the database of the platform."""
    with tempfile.TemporaryDirectory(dir=platform.directory) as directory, platform.database() as database:
        passwords, file = Path(directory) / "htpasswd", Path(directory) / "st2.conf"
        hashed = bcrypt.using(rounds=_BCRYPT_COST).hash("secret")
        passwords.write_text(f"ada:{hashed}\n")
        file.write_text(f'[auth]\nbackend_kwargs = {{"file_path": "{passwords}"}}\n')
        client = make_app(configuration.load(["--config-file", str(file)], "st2auth"), database).test_client()

        def log_in() -> None:
            if client.post("/tokens", auth=("ada", "secret")).status_code != 201:
                raise RuntimeError("nobody can log in")

        took, alone = _median_ms(log_in), _median_ms(lambda: bcrypt.verify("secret", hashed))
    return Row(
        f"login, bcrypt of cost {_BCRYPT_COST}, median of {_TIMES}",
        f"{took:.0f} ms",
        f"bcrypt {alone:.0f} ms",
        f"{took / alone:.2f}",
        aim=f"<= {_AIM_LOGIN_MS} ms",
        met=took <= _AIM_LOGIN_MS,
    )


def _median_ms(step: Callable[[], object]) -> float:
    times = []
    # The first one finds what is not in memory yet.
    for _ in range(_TIMES + 1):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1000)
    return percentile(times[1:], 50)
