"""Tokens of earlier logins: ``~/.st2/token-<user>``, which only their owner may read."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from st2cli.config_file import write_private
from st2cli.errors import CommandError

# Seconds: a token is not used for the last ones of its life, or it might end on its way.
_GRACE = 15


def path_of(directory: Path, user: str) -> Path:
    # A name may have any characters; as a file name it may not leave the directory.
    return directory / f"token-{user.replace('/', '_')}"


def read(directory: Path, user: str | None) -> str | None:
    """The user's token, if there is one that is still good."""
    if not user or not (path := path_of(directory, user)).is_file():
        return None
    try:
        cached = json.loads(path.read_text(encoding="utf-8"))
        return str(cached["token"]) if cached["expire_timestamp"] > time.time() + _GRACE else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"The cached token {path} cannot be read ({error}); remove it and log in again.") from error


def write(directory: Path, token: dict[str, Any]) -> None:
    """``token``: as the authentication service gives it."""
    from datetime import datetime

    expiry = datetime.fromisoformat(token["expiry"])
    cached = {"token": token["token"], "expire_timestamp": int(expiry.timestamp())}
    path = path_of(directory, token["user"])
    try:
        write_private(path, json.dumps(cached))
    except OSError as error:
        raise CommandError(f"The token cannot be kept in {path}: {error}") from error


def forget(directory: Path, user: str) -> None:
    path_of(directory, user).unlink(missing_ok=True)
