"""The command ``st2ctl``: start, stop and look at the platform's processes on this host."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from st2common.errors import ConfigError, St2Error
from st2ctl import management, standalone_management
from st2ctl.daemons import COMPONENTS
from st2ctl.installation import Installation, find

_EPILOG = """\
Which platform: --config-file, --var or --dev; else ST2_CONF or ST2_CONFIG_PATH, else /etc/st2/st2.conf, else the
development profile in ./var: a configuration for this user with ports that were free, a private RabbitMQ and an
embedded database, which stay until `st2ctl stop`. `st2ctl standalone` needs no RabbitMQ: all services in one process.
WORKERS sets the number of action runners, COMPONENTS which components are meant.
"""

_REGISTER_KINDS = ("all", "actions", "aliases", "runners", "policies", "rules", "sensors", "triggers", "configs")
REGISTER_FLAGS = (
    *(f"--register-{kind}" for kind in _REGISTER_KINDS),
    "--register-setup-virtualenvs",
    "--register-recreate-virtualenvs",
    "--register-fail-on-failure",
    "--register-no-fail-on-failure",
    "--verbose",
)


class _Parser(argparse.ArgumentParser):
    """Exit code 1 for wrong usage, as people's scripts know it of this command."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def main(args: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(args)
    try:
        return int(parsed.run(parsed))
    except ConfigError as error:
        print(f"st2ctl: {error}", file=sys.stderr)
        return 2
    except St2Error as error:
        print(f"st2ctl: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="st2ctl", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_place(parser, default=None)
    place = _Parser(add_help=False)
    # No default here: it would overwrite what was given before the command.
    _add_place(place, default=argparse.SUPPRESS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    start = commands.add_parser("start", parents=[place], help="start what does not run; then show the status")
    start.set_defaults(run=lambda given: management.start(_find(given), _tell))
    stop = commands.add_parser(
        "stop",
        parents=[place],
        help="stop all; running actions get [actionrunner] exit_timeout seconds, then go on without us",
    )
    _add_cancel(stop)
    stop.set_defaults(run=lambda given: management.stop(_find(given), given.cancel_actions, _tell))
    restart = commands.add_parser("restart", parents=[place], help="restart all; running actions go on meanwhile")
    restart.set_defaults(run=lambda given: management.restart(_find(given), (), _tell))
    component = commands.add_parser("restart-component", parents=[place], help="restart one component")
    component.add_argument("component", choices=COMPONENTS)
    component.set_defaults(run=lambda given: management.restart(_find(given), (given.component,), _tell))
    status = commands.add_parser("status", parents=[place], help="show process ids, uptime, health and ports")
    status.add_argument("--check", action="store_true", help="exit code 3 unless all that shall run here is healthy")
    status.set_defaults(run=lambda given: management.status(_find(given), _tell, given.check))
    reopen = commands.add_parser(
        "reopen-log-files", parents=[place], help="after rotation: a component opens its log files again"
    )
    reopen.add_argument("component", choices=COMPONENTS)
    reopen.set_defaults(run=lambda given: management.reopen_log_files(_find(given), given.component, _tell))
    reload = commands.add_parser("reload", parents=[place], help="register content: packs, actions, runners ...")
    _add_register_flags(reload)
    reload.set_defaults(run=lambda given: management.reload(_find(given), given.flags, _tell))
    clean = commands.add_parser(
        "clean", parents=[place], help="start anew: ask, stop, drop the database and the logs, register, start"
    )
    _add_register_flags(clean)
    clean.set_defaults(run=lambda given: management.clean(_find(given), given.flags, _ask, _tell))
    examine = commands.add_parser(
        "doctor", parents=[place], help="look for what is wrong, and say what to do; exit code 1 if something is"
    )
    examine.add_argument("-j", "--json", action="store_true", help="print JSON")
    examine.set_defaults(run=lambda given: _examine(_find(given), given.json))
    _add_standalone(commands.add_parser("standalone", help="the whole platform in one process, without RabbitMQ"))
    return parser


def _add_standalone(standalone: argparse.ArgumentParser) -> None:
    place = _Parser(add_help=False)
    _add_place(place, default=argparse.SUPPRESS)
    commands = standalone.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", parents=[place], help="start it in the background and wait until it is ready")
    start.set_defaults(run=lambda given: standalone_management.start(_find_standalone(given), _tell))
    run = commands.add_parser("run", parents=[place], help="run it in the foreground until Ctrl-C")
    run.set_defaults(run=lambda given: standalone_management.run(_find_standalone(given)))
    stop = commands.add_parser("stop", parents=[place], help="stop it")
    _add_cancel(stop)
    stop.set_defaults(
        run=lambda given: standalone_management.stop(_find_standalone(given), given.cancel_actions, _tell)
    )
    status = commands.add_parser("status", parents=[place], help="show process id, uptime, health and ports")
    status.set_defaults(run=lambda given: management.status(_find_standalone(given), _tell))
    demo = commands.add_parser("demo", parents=[place], help="run an action, watch it, and say what to try next")
    demo.set_defaults(run=lambda given: standalone_management.demo(_find_standalone(given), _tell))


def _add_place(parser: argparse.ArgumentParser, default: object) -> None:
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--config-file", type=Path, default=default, help="st2.conf of the platform that is meant")
    place.add_argument("--var", type=Path, default=default, metavar="DIR", help="development profile in DIR")
    place.add_argument(
        "--dev", dest="var", action="store_const", const=Path("var"), default=default, help="the same as --var var"
    )


def _add_register_flags(parser: argparse.ArgumentParser) -> None:
    for flag in REGISTER_FLAGS:
        parser.add_argument(flag, dest="flags", action="append_const", const=flag, default=[])


def _add_cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cancel-actions", action="store_true", help="cancel the actions that run on this host first")


def _find(given: argparse.Namespace) -> Installation:
    return find(given.config_file, given.var)


def _find_standalone(given: argparse.Namespace) -> Installation:
    if given.config_file:
        return Installation.configured(given.config_file)
    return Installation.in_directory(given.var or Path("var"))


def _examine(installation: Installation, as_json: bool) -> int:
    # Only here: it brings all that daemons are made of, and containers ask for the status every few seconds.
    from st2ctl import doctor

    return doctor.run(installation, as_json, _tell)


def _ask(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
