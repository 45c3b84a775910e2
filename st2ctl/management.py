"""What ``st2ctl`` does with the daemons of one host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from st2ctl import daemons, heartbeats, running_actions, servers
from st2ctl.daemons import COMPONENTS, STANDALONE, Daemon
from st2ctl.installation import CommandError, Installation

Tell = Callable[[str], None]

# What takes new work in; these stop first, so that the actions which run can come to their end.
_INTAKE = ("st2api", "st2rulesengine")

# What `reload` registers unless it is told otherwise. Policies are left out, as they always were.
_DEFAULT_REGISTER = tuple(
    f"--register-{kind}" for kind in ("runners", "actions", "aliases", "sensors", "triggers", "configs", "rules")
)


def start(installation: Installation, tell: Tell) -> int:
    with installation.locked():
        _require_no_standalone(installation)
        _bring_up(installation, daemons.of(installation), tell)
    return status(installation, tell)


def stop(installation: Installation, cancel_actions: bool, tell: Tell) -> int:
    with installation.locked():
        _require_no_standalone(installation)
        if cancel_actions:
            running_actions.cancel(installation, tell)
        running = daemons.recorded(installation, COMPONENTS)
        if any(daemon.process() for daemon in running if daemon.name == "st2actionrunner"):
            daemons.stop([daemon for daemon in running if daemon.name in _INTAKE], tell)
            running_actions.wait(installation.state_path, installation.config.actionrunner.exit_timeout, tell)
        daemons.stop(running, tell)
        running_actions.wait_for_idle_keepers(installation.state_path)
        if installation.development:
            servers.stop(installation)
        heartbeats.remove_dead(installation.state_path)
    return 0


def restart(installation: Installation, names: Sequence[str], tell: Tell) -> int:
    """Stop and start without waiting for running actions: their keeper holds them until the runner is back."""
    with installation.locked():
        _require_no_standalone(installation)
        wanted = daemons.of(installation, names)
        daemons.stop(daemons.recorded(installation, [daemon.name for daemon in wanted]), tell)
        _bring_up(installation, wanted, tell)
    return status(installation, tell)


def status(installation: Installation, tell: Tell) -> int:
    beats = heartbeats.read_all(installation.state_path)
    expected = () if any(beat.name == STANDALONE for beat in beats) else daemons.components(installation.config)
    for line in heartbeats.table(beats, expected):
        tell(line)
    return 0


def reload(installation: Installation, flags: Sequence[str], tell: Tell) -> int:
    wanted = [*_DEFAULT_REGISTER, *flags] if set(flags) <= {"--verbose"} else flags
    code = subprocess.call(_register_command(installation, wanted))
    status(installation, tell)
    return code


def _bring_up(installation: Installation, wanted: Sequence[Daemon], tell: Tell) -> None:
    heartbeats.remove_dead(installation.state_path)
    if not installation.development:
        daemons.start(wanted, tell)
        return
    servers.start(installation, tell)
    # At the same time: both wait for the database most of the time.
    with ThreadPoolExecutor(1) as pool:
        registration = pool.submit(_register, installation)
        daemons.start(wanted, tell)
        for line in registration.result():
            tell(line)


def _register(installation: Installation) -> list[str]:
    """Register every pack; lines that say what is not valid, which does not keep the rest from working."""
    command = _register_command(installation, ["--register-no-fail-on-failure"])
    registered = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if registered.returncode != 0:
        raise CommandError(f"registering the packs failed (exit code {registered.returncode}):\n{registered.stderr}")
    return registered.stderr.splitlines()


def _register_command(installation: Installation, flags: Sequence[str]) -> list[str]:
    return [*daemons.command("st2-register-content"), "--config-file", str(installation.conf), *flags]


def _require_no_standalone(installation: Installation) -> None:
    for beat in heartbeats.read_all(installation.state_path):
        if beat.name == STANDALONE:
            raise CommandError(
                f"this platform runs as one process already (pid {beat.process.pid}). "
                f"Stop it first: st2ctl standalone stop --var {os.path.relpath(installation.state_path)}"
            )
