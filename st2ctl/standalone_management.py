"""What ``st2ctl standalone`` does: the platform as one process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from st2ctl import daemons, heartbeats, running_actions
from st2ctl.daemons import COMPONENTS
from st2ctl.installation import CommandError, Installation

Tell = Callable[[str], None]

_DEMO_ACTION = "examples.lines"


def start(installation: Installation, tell: Tell) -> int:
    with installation.locked():
        _require_no_daemons(installation)
        heartbeats.remove_dead(installation.state_path)
        daemon = daemons.standalone(installation)
        process = daemon.process()
        if process is None:
            tell(f"Starting the platform in {installation.state_path} (log: {daemon.log})")
            daemons.start([daemon], tell)
        else:
            tell(f"The platform runs already (pid {process.pid})")
    tell(f"API and web page: {installation.api_url}/  stream: {installation.stream_url}/")
    if not installation.config.auth.enable:
        tell("Authentication is off; it listens on this host only.")
    return 0


def run(installation: Installation) -> int:
    """Become the platform, in the terminal that asks for it."""
    with installation.locked():
        _require_no_daemons(installation)
        daemon = daemons.standalone(installation)
        process = daemon.process()
        if process is not None:
            raise CommandError(f"the platform runs already (pid {process.pid})")
        heartbeats.remove_dead(installation.state_path)
        daemons.require_ports([daemon])
        daemon.pid_file.write(os.getpid())
    os.execv(daemon.command[0], daemon.command)  # noqa: S606 - no shell is meant


def stop(installation: Installation, cancel_actions: bool, tell: Tell) -> int:
    with installation.locked():
        daemon = daemons.standalone(installation)
        if daemon.process() is not None:
            if cancel_actions:
                running_actions.cancel(installation, tell)
            running_actions.drain(installation.state_path)
            running_actions.wait(installation.state_path, installation.config.actionrunner.exit_timeout, tell)
            daemons.stop([daemon], tell)
            running_actions.wait_for_idle_keepers(installation.state_path)
            tell("The platform has stopped.")
        else:
            tell(f"No platform runs in {installation.state_path}.")
        heartbeats.remove_dead(installation.state_path)
    return 0


def demo(installation: Installation, tell: Tell) -> int:
    """Run an action through the CLI, as a user would."""
    settings = _cli_settings(installation)
    [st2] = daemons.command("st2")
    tell("")
    tell(f"$ st2 run {_DEMO_ACTION} --tail")
    code = subprocess.call([st2, "run", _DEMO_ACTION, "--tail"], env={**os.environ, **settings})
    for line in _what_next(st2, settings, installation):
        tell(line)
    return code


def _cli_settings(installation: Installation) -> dict[str, str]:
    """The environment by which the CLI finds this platform."""
    return {"ST2_API_URL": f"{installation.api_url}/v1", "ST2_STREAM_URL": f"{installation.stream_url}/v1"}


def _what_next(st2: str, settings: dict[str, str], installation: Installation) -> list[str]:
    place = _as_seen_from_here(Path(st2))
    lines = ["", "The platform stays up. What to try next:", ""]
    if (installation.config.api.port, installation.config.stream.port) != (9101, 9102):
        exports = " ".join(f"{name}={value}" for name, value in settings.items())
        lines += [f"  export {exports}", "      (the usual ports were taken; this tells `st2` where the platform is)"]
    return [
        *lines,
        f"  {place} run core.local cmd='for i in 1 2 3; do echo line $i; sleep 1; done' --tail",
        f"  {place} execution tail last",
        f"  {place} execution list",
        f"  {place} action list",
        f"  curl -N {installation.api_url}/v1/executions/last/stdout",
        f"  {installation.api_url}/ in a browser",
        f"  {place.with_name('st2ctl')} standalone stop",
    ]


def _as_seen_from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _require_no_daemons(installation: Installation) -> None:
    running = [daemon for daemon in daemons.recorded(installation, COMPONENTS) if daemon.process()]
    if running:
        raise CommandError(
            f"{running[0].label} runs here as a daemon of its own. Stop those first: "
            f"st2ctl stop --var {os.path.relpath(installation.state_path)}"
        )
