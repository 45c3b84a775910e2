"""The daemons of one host, each a process of its own with a pid file and a log."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from st2ctl import heartbeats
from st2ctl.installation import CommandError, Installation
from st2ctl.processes import DetachedChild, PidFile, Process
from st2ctl.profile import port_is_free

COMPONENTS = (
    "st2actionrunner",
    "st2api",
    "st2auth",
    "st2garbagecollector",
    "st2rulesengine",
    "st2sensorcontainer",
    "st2stream",
)

STANDALONE = "st2standalone"

# The sections of the configuration that say where a process listens.
LISTENS = {"st2api": ("api",), "st2auth": ("auth",), "st2stream": ("stream",), STANDALONE: ("api", "stream")}

# Seconds until a daemon that starts is given up; waiting for its database and its broker is part of starting.
START_TIMEOUT = 60.0
# Seconds until a daemon that was asked to stop is killed: more than all that it may wait for itself.
STOP_TIMEOUT = 40.0
# Seconds in which a process that was killed is gone.
_KILL_TIMEOUT = 5.0
# Seconds in which the worker of an HTTP daemon that was killed notices it; one second on a quiet machine.
_ORPHAN_TIMEOUT = 5.0

_LOOK_INTERVAL = 0.05
_LAST_WORDS = 20


@dataclass(frozen=True)
class Daemon:
    """One process: ``command`` runs it, ``name`` is what its status file calls it."""

    installation: Installation
    name: str
    #: Tells the processes of one component apart; the first one is 1.
    number: int
    command: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.name if self.number == 1 else f"{self.name}.{self.number}"

    @property
    def pid_file(self) -> PidFile:
        return PidFile(self.installation.state_path / "pids" / f"{self.label}.pid")

    @property
    def log(self) -> Path:
        return self.installation.logs / f"{self.label}.log"

    def process(self) -> Process | None:
        return self.pid_file.read()

    def spawn(self) -> Starting:
        said_before = self.log.stat().st_size if self.log.exists() else 0
        child = DetachedChild(self.command, self.log, self._environment())
        self.pid_file.write(child.pid)
        return Starting(self, child, said_before)

    def ask_to_stop(self) -> None:
        """To be asked once: a second signal ends it at once, out of order. Its children under the keeper go on."""
        process = self.process()
        if process is not None:
            process.send(signal.SIGTERM)

    def await_stop(self, timeout: float) -> bool:
        """Wait until it has ended, and kill it after ``timeout`` seconds: then False."""
        process = self.process()
        in_order = process is None or process.wait(timeout)
        if process is not None and not in_order:
            process.send(signal.SIGKILL)
            process.wait(_KILL_TIMEOUT)
        self.pid_file.remove()
        return in_order

    def _environment(self) -> dict[str, str]:
        # Unbuffered, so that the log has a crashed daemon's last words.
        return {**os.environ, "PYTHONUNBUFFERED": "1"}


class Starting:
    """A daemon that was spawned and is not ready yet."""

    def __init__(self, daemon: Daemon, child: DetachedChild, said_before: int) -> None:
        """``said_before``: how long the log was, in bytes."""
        self.daemon = daemon
        self._child = child
        self._said_before = said_before

    def ready(self) -> bool:
        """Whether it says that it is ready.

        Raises:
            CommandError: it ended instead.
        """
        code = self._child.poll()
        if code is not None:
            raise CommandError(
                f"{self.daemon.label} ended while it started (exit code {code}). The end of {self.daemon.log}:\n"
                f"{self.last_words()}"
            )
        return any(
            beat.ready and beat.process.pid == self._child.pid
            for beat in heartbeats.read_all(self.daemon.installation.state_path)
        )

    def last_words(self) -> str:
        """The end of what it said since it was started."""
        with self.daemon.log.open("rb") as log:
            log.seek(self._said_before)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_LAST_WORDS:])


def components(config: cfg.ConfigOpts) -> tuple[str, ...]:
    """The components that are meant where none is named: ``COMPONENTS`` of the environment, else what is needed."""
    needed = tuple(name for name in COMPONENTS if name != "st2auth" or config.auth.enable)
    names = tuple(os.environ.get("COMPONENTS", "").split()) or needed
    unknown = sorted(set(names) - set(COMPONENTS))
    if unknown:
        raise CommandError(f"{unknown[0]} is not a component. Components: {' '.join(COMPONENTS)}")
    return names


def of(installation: Installation, names: Sequence[str] = ()) -> list[Daemon]:
    """The daemons of the named components, or of those that :func:`components` gives."""
    return [
        Daemon(installation, name, number, (*command(name), "--config-file", str(installation.conf)))
        for name in names or components(installation.config)
        for number in range(1, _processes_of(name) + 1)
    ]


def standalone(installation: Installation) -> Daemon:
    """The one process of the standalone mode."""
    command = (sys.executable, "-P", "-m", "st2ctl.standalone", "--config-file", str(installation.conf))
    return Daemon(installation, STANDALONE, 1, command)


def recorded(installation: Installation, names: Sequence[str]) -> list[Daemon]:
    """The daemons of the named components that were started here, however many those were."""
    pid_files = sorted((installation.state_path / "pids").glob("*.pid"))
    found = [Daemon(installation, *_split(path.stem), ()) for path in pid_files]
    return [daemon for daemon in found if daemon.name in names]


def start(
    daemons: Sequence[Daemon],
    tell: Callable[[str], None],
    timeout: float = START_TIMEOUT,
    require: Callable[[], None] = lambda: None,
) -> None:
    """Start those that do not run, all at once, and wait until each is ready. ``require`` raises its own error when
    what they wait for will not come.

    Raises:
        CommandError: one ended or was not ready in time; the others go on.
    """
    absent = [daemon for daemon in daemons if daemon.process() is None]
    require_ports(absent)
    starting = [daemon.spawn() for daemon in absent]
    deadline = time.monotonic() + timeout
    while starting:
        for each in [each for each in starting if each.ready()]:
            tell(f"{each.daemon.label} is ready")
            starting.remove(each)
        if starting and time.monotonic() > deadline:
            late = starting[0]
            raise CommandError(
                f"{late.daemon.label} is not ready after {timeout:.0f} s. The end of {late.daemon.log}:\n"
                f"{late.last_words()}"
            )
        require()
        time.sleep(_LOOK_INTERVAL)


def stop(daemons: Sequence[Daemon], tell: Callable[[str], None], timeout: float = STOP_TIMEOUT) -> None:
    """Stop them in order, all at once."""
    for daemon in daemons:
        daemon.ask_to_stop()
    deadline = time.monotonic() + timeout
    for daemon in daemons:
        if not daemon.await_stop(max(0.0, deadline - time.monotonic())):
            tell(f"{daemon.label} did not stop within {timeout:.0f} s and was killed")


def require_ports(absent: Sequence[Daemon]) -> None:
    """Refuse to start on a port that another program has: the daemon would only say so in its log."""
    for daemon in absent:
        for group in LISTENS.get(daemon.name, ()):
            options = daemon.installation.config[group]
            if not _becomes_free(options.host, options.port):
                raise CommandError(
                    f"{options.host}:{options.port} is in use by another program. Stop that one, or set another "
                    f"port in section [{group}] of {daemon.installation.conf}"
                )


def _becomes_free(host: str, port: int) -> bool:
    """Whether the port is free, or is soon: the worker of a daemon that was killed notices that and goes by itself."""
    deadline = time.monotonic() + _ORPHAN_TIMEOUT
    while not port_is_free(host, port):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_INTERVAL)
    return True


def _split(label: str) -> tuple[str, int]:
    name, _, number = label.partition(".")
    return name, int(number or 1)


def command(name: str) -> list[str]:
    """The installed command ``name``, beside our Python or on PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise CommandError(f"the command {name} is not installed beside {sys.executable}")
    return [found]


def _processes_of(name: str) -> int:
    if name != "st2actionrunner":
        return 1
    workers = os.environ.get("WORKERS", "1")
    if not workers.isdigit() or workers == "0":
        raise CommandError(f"WORKERS={workers}: the number of action runners must be 1 or more")
    return int(workers)
