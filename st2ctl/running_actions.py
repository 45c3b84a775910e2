"""The actions that run on this host, as the keepers' run directories show them."""

from __future__ import annotations

import fcntl
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from pymongo.errors import PyMongoError

from st2common.auth.tokens import Tokens
from st2ctl import heartbeats
from st2ctl.daemons import STANDALONE
from st2ctl.database import connected
from st2ctl.installation import Installation

RUNNER = "st2actionrunner"

_LOOK_INTERVAL = 0.1
# Seconds; a keeper waits two for another runner before it ends.
_KEEPER_PATIENCE = 10.0
# Seconds that the API may take to answer a cancellation.
_CANCEL_TIMEOUT = 10.0
# Seconds in which everything is canceled.
_TOKEN_TTL = 60


def ids(state_path: Path) -> set[str]:
    """The ids of executions that have a child here."""
    return {run.name.partition(".")[0] for keeper in _keepers(state_path) for run in _runs_of(keeper)}


def drain(state_path: Path) -> None:
    """Have the action runners of this host take no new executions: those wait in the queue for the next start."""
    for beat in heartbeats.read_all(state_path):
        if beat.name in (RUNNER, STANDALONE):
            beat.process.send(signal.SIGUSR2)


def wait(state_path: Path, timeout: float, tell: Callable[[str], None]) -> None:
    """Wait until no action runs here, at most ``timeout`` seconds."""
    running = ids(state_path)
    if not running:
        return
    tell(f"Waiting up to {timeout:.0f} s for {_count(running)}")
    deadline = time.monotonic() + timeout
    while (running := ids(state_path)) and time.monotonic() < deadline:
        time.sleep(_LOOK_INTERVAL)
    if running:
        tell(f"{_count(running)} of this host go on, and are picked up at the next start: {', '.join(sorted(running))}")


def wait_for_idle_keepers(state_path: Path) -> None:
    """Wait for the keepers without actions: they end by themselves a moment after their runner has gone."""
    deadline = time.monotonic() + _KEEPER_PATIENCE
    for keeper in _keepers(state_path):
        while not _runs_of(keeper) and _held(keeper / "keeper.lock") and time.monotonic() < deadline:
            time.sleep(_LOOK_INTERVAL)


def cancel(installation: Installation, tell: Callable[[str], None]) -> None:
    """Ask the API to cancel what runs here."""
    running = sorted(ids(installation.state_path))
    try:
        headers = {"X-Auth-Token": _token(installation)} if running and installation.config.auth.enable else {}
    except PyMongoError as error:
        tell(f"Could not cancel {', '.join(running)}: the database does not answer ({error})")
        return
    for execution_id in running:
        url = f"{installation.api_url}/v1/executions/{execution_id}"
        request = urllib.request.Request(url, method="DELETE", headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_CANCEL_TIMEOUT):  # noqa: S310
                tell(f"Cancelled {execution_id}")
        except urllib.error.HTTPError as error:
            tell(f"Could not cancel {execution_id}: {_faultstring(error)}")
        except OSError as error:
            tell(f"Could not cancel {execution_id}: the API at {installation.api_url} does not answer ({error})")


def _token(installation: Installation) -> str:
    """A token for a minute. Whoever may read the configuration has the whole database."""
    with connected(installation) as database:
        return Tokens(database).create(installation.config.system_user.user, _TOKEN_TTL, service=True).token


def _keepers(state_path: Path) -> list[Path]:
    """The directories of the keepers: ``runner/<slot>/keepers/<version>``."""
    return list((state_path / "runner").glob("*/keepers/*"))


def _runs_of(keeper: Path) -> list[Path]:
    """Directories ``runs/<execution id>.<attempt>``."""
    return list(keeper.glob("runs/*.*"))


def _held(lock: Path) -> bool:
    """Whether a keeper lives: it holds the lock until it ends, however it ends."""
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _faultstring(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["faultstring"])
    except (ValueError, KeyError, TypeError):
        return str(error)


def _count(running: set[str]) -> str:
    return "1 running action" if len(running) == 1 else f"{len(running)} running actions"
