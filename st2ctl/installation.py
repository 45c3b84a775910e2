"""Which platform a command is about: its configuration, its state, its logs."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from st2common.config import load
from st2common.config.loading import DEFAULT_FILE
from st2common.errors import St2Error
from st2ctl.profile import write_conf

DEFAULT_VAR = Path("var")

_SYSTEM_STATE = Path("/var/lib/st2")
_SYSTEM_LOGS = Path("/var/log/st2")


class CommandError(St2Error):
    """The command cannot do what was asked; the message is for the person who asked."""


@dataclass(frozen=True)
class Installation:
    conf: Path
    config: cfg.ConfigOpts
    #: Whether the database and the broker are ours too (development profile).
    development: bool

    @classmethod
    def configured(cls, conf: Path) -> Installation:
        """An installation whose configuration names its database and its broker."""
        conf = conf.absolute()
        return cls(conf, load(["--config-file", str(conf)], "st2ctl"), development=False)

    @classmethod
    def in_directory(cls, var: Path) -> Installation:
        """The development profile in ``var``; its configuration is written when there is none."""
        conf = var.absolute() / "st2.conf"
        if not conf.exists():
            write_conf(conf)
        return cls(conf, load(["--config-file", str(conf)], "st2ctl"), development=True)

    @property
    def state_path(self) -> Path:
        return Path(self.config.system.state_path)

    @property
    def logs(self) -> Path:
        return _SYSTEM_LOGS if self.state_path == _SYSTEM_STATE else self.state_path / "logs"

    @property
    def api_url(self) -> str:
        return _url(self.config.api.host, self.config.api.port)

    @property
    def stream_url(self) -> str:
        return _url(self.config.stream.host, self.config.stream.port)

    def require_rights(self) -> None:
        """Refuse a user who could start processes but not record them.

        Raises:
            CommandError: the state directory cannot be written.
        """
        nearest = self.state_path
        while not nearest.exists():
            nearest = nearest.parent
        if not os.access(nearest, os.W_OK):
            raise CommandError("Please run this command with root privileges")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time changes what runs here; another one waits."""
        self.require_rights()
        self.state_path.mkdir(parents=True, exist_ok=True)
        with (self.state_path / "st2ctl.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def find(conf: Path | None, var: Path | None) -> Installation:
    """The installation that ``--config-file`` or ``--var`` names, else the one of this host, else one in ``./var``."""
    if var is not None:
        return Installation.in_directory(var)
    named = conf or os.environ.get("ST2_CONF") or os.environ.get("ST2_CONFIG_PATH")
    if named:
        return Installation.configured(Path(named))
    if DEFAULT_FILE.exists():
        return Installation.configured(DEFAULT_FILE)
    return Installation.in_directory(DEFAULT_VAR)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
