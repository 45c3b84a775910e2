"""What checks a user's password: a plug-in that is installed under the name of ``[auth] backend``, or our own.

A plug-in is a class under the entry point group ``st2auth.backends.backend``, as the family's are. It is made with
``[auth] backend_kwargs``, and its ``authenticate(username, password)`` gives True or False.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from oslo_config import cfg

from st2common.auth.htpasswd import HtpasswdBackend
from st2common.errors import ConfigError

ENTRY_POINTS = "st2auth.backends.backend"

_OWN: Mapping[str, Callable[..., Backend]] = {"flat_file": HtpasswdBackend}


@runtime_checkable
class GroupsBackend(Protocol):
    """What some plug-ins do as well: those that ask a directory of users."""

    def get_user_groups(self, username: str) -> Sequence[str]:
        """The groups that the user belongs to, as the directory names them. May take long."""


class Backend(Protocol):
    def authenticate(self, username: str, password: str) -> bool:
        """Whether this is the user's password. May take long: a good hash of a password does."""


def make_backend(config: cfg.ConfigOpts) -> Backend:
    """
    Raises:
        ConfigError: there is no such backend, or it does not take its arguments.
    """
    name = config.auth.backend
    # What an administrator installs beside us is meant to be used.
    found = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None and name not in _OWN:
        known = sorted({*_OWN, *entry_points(group=ENTRY_POINTS).names})
        raise ConfigError(f"[auth] backend = {name} is not installed. Installed: {', '.join(known)}")
    arguments = _arguments(config)
    try:
        backend: Backend = (found.load() if found else _OWN[name])(**arguments)
    except ImportError as error:
        raise ConfigError(f"[auth] backend = {name} cannot be imported: {error}") from error
    except TypeError as error:
        # The error names arguments, not their values.
        raise ConfigError(f"[auth] backend_kwargs do not suit the backend {name}: {error}") from error
    return backend


def _arguments(config: cfg.ConfigOpts) -> dict[str, Any]:
    text = config.auth.backend_kwargs
    try:
        arguments = json.loads(text) if text else {}
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ConfigError('[auth] backend_kwargs must be a JSON object such as {"file_path": "/etc/st2/htpasswd"}')
    return arguments
