"""What ``st2ctl`` does with the daemons of one host."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence

from st2ctl import daemons, database, heartbeats, running_actions, servers, units
from st2ctl.daemons import COMPONENTS, STANDALONE, Daemon
from st2ctl.installation import CommandError, Installation

Tell = Callable[[str], None]

# Seconds between two looks whether what is waited for can still come.
_LOOK_INTERVAL = 0.2

# Exit code of a check that finds something missing or unwell; what init scripts answer for "is not running".
EXIT_UNWELL = 3

# What takes new work in; these stop first, so that the actions which run can come to their end.
_INTAKE = ("st2api", "st2rulesengine")

# What `reload` registers unless it is told otherwise. Policies are left out, as they always were.
_DEFAULT_REGISTER = tuple(
    f"--register-{kind}" for kind in ("runners", "actions", "aliases", "sensors", "triggers", "configs", "rules")
)


def start(installation: Installation, tell: Tell) -> int:
    with installation.locked():
        _require_no_standalone(installation)
        if units.manage(installation):
            units.start(expected(installation))
        else:
            _bring_up(installation, daemons.of(installation), tell)
    return status(installation, tell)


def stop(installation: Installation, cancel_actions: bool, tell: Tell) -> int:
    with installation.locked():
        _require_no_standalone(installation)
        if cancel_actions:
            running_actions.cancel(installation, tell)
        if any(beat.name == "st2actionrunner" for beat in heartbeats.read_all(installation.state_path)):
            _stop(installation, _INTAKE, tell)
            running_actions.drain(installation.state_path)
            running_actions.wait(installation.state_path, installation.config.actionrunner.exit_timeout, tell)
        _stop(installation, COMPONENTS, tell)
        running_actions.wait_for_idle_keepers(installation.state_path)
        if installation.development:
            servers.stop(installation)
        heartbeats.remove_dead(installation.state_path)
    return 0


def restart(installation: Installation, names: Sequence[str], tell: Tell) -> int:
    """Stop and start without waiting for running actions: their keeper holds them until the runner is back."""
    with installation.locked():
        _require_no_standalone(installation)
        if units.manage(installation):
            units.restart(names or expected(installation))
        else:
            wanted = daemons.of(installation, names)
            daemons.stop(daemons.recorded(installation, [daemon.name for daemon in wanted]), tell)
            _bring_up(installation, wanted, tell)
    return status(installation, tell)


def status(installation: Installation, tell: Tell, check: bool = False) -> int:
    """``check``: exit code 3 unless every component that is expected here runs and is well."""
    beats = heartbeats.read_all(installation.state_path)
    wanted = () if any(beat.name == STANDALONE for beat in beats) else expected(installation)
    for line in heartbeats.table(beats, wanted):
        tell(line)
    well = beats and all(beat.well for beat in beats) and {beat.name for beat in beats} >= set(wanted)
    return EXIT_UNWELL if check and not well else 0


def reopen_log_files(installation: Installation, component: str, tell: Tell) -> int:
    """Tell the component's processes to open their log files again: rotation has moved them away."""
    found = [beat for beat in heartbeats.read_all(installation.state_path) if beat.name == component]
    if not found:
        tell(f"{component} is not running")
        return 0
    installation.require_rights()
    for beat in found:
        beat.process.send(signal.SIGUSR1)
    return status(installation, tell)


def clean(installation: Installation, flags: Sequence[str], ask: Callable[[str], str], tell: Tell) -> int:
    """Start anew: everything that was stored and logged is gone, what is in files is registered again."""
    installation.require_rights()
    question = f"This drops the database {installation.config.database.db_name} and the logs in {installation.logs}. "
    if ask(f"{question}Are you sure (y/n)? ") != "y":
        return 0
    if installation.development:
        servers.start(installation, tell)
    with installation.locked():
        _require_no_standalone(installation)
        _stop(installation, COMPONENTS, tell)
        database.drop(installation)
    for log in installation.logs.glob("*"):
        if log.is_file():
            log.unlink()
    code = reload(installation, flags, tell)
    return start(installation, tell) or code


def reload(installation: Installation, flags: Sequence[str], tell: Tell) -> int:
    wanted = [*_DEFAULT_REGISTER, *flags] if set(flags) <= {"--verbose"} else flags
    code = subprocess.call(_register_command(installation, wanted))
    status(installation, tell)
    return code


def expected(installation: Installation) -> Sequence[str]:
    """The components that shall run on this host."""
    if units.manage(installation) and "COMPONENTS" not in os.environ:
        return units.enabled()
    return daemons.components(installation.config)


def _stop(installation: Installation, names: Sequence[str], tell: Tell) -> None:
    if units.manage(installation):
        units.stop(names)
    # Also what was started before there were units.
    daemons.stop(daemons.recorded(installation, names), tell)


def _bring_up(installation: Installation, wanted: Sequence[Daemon], tell: Tell) -> None:
    heartbeats.remove_dead(installation.state_path)
    if not installation.development:
        daemons.start(wanted, tell)
        return
    servers.start(installation, tell)
    # At the same time: both wait for the database most of the time.
    require_servers = servers.watch(installation)
    with _registering(installation) as registration:
        daemons.start(wanted, tell, require=require_servers)
        for line in _registered(registration, require_servers):
            tell(line)


@contextlib.contextmanager
def _registering(installation: Installation) -> Iterator[subprocess.Popen[str]]:
    """Every pack, by a process that waits for the database as long as it is let."""
    command = _register_command(installation, ["--register-no-fail-on-failure"])
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _registered(process: subprocess.Popen[str], require_servers: Callable[[], None]) -> list[str]:
    """Lines that say what is not valid, which does not keep the rest from working."""
    while True:
        try:
            _, errors = process.communicate(timeout=_LOOK_INTERVAL)
            break
        except subprocess.TimeoutExpired:
            require_servers()
    if process.returncode != 0:
        raise CommandError(f"registering the packs failed (exit code {process.returncode}):\n{errors}")
    return errors.splitlines()


def _register_command(installation: Installation, flags: Sequence[str]) -> list[str]:
    return [*daemons.command("st2-register-content"), "--config-file", str(installation.conf), *flags]


def _require_no_standalone(installation: Installation) -> None:
    for beat in heartbeats.read_all(installation.state_path):
        if beat.name == STANDALONE:
            raise CommandError(
                f"this platform runs as one process already (pid {beat.process.pid}). "
                f"Stop it first: st2ctl standalone stop --var {os.path.relpath(installation.state_path)}"
            )
