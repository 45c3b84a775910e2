"""``st2 runner``: the ways in which actions are run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import CommandError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("name", "description", "enabled")
_GET_ATTRIBUTES = ("id", "name", "description", "enabled", "runner_parameters")


def _configure_list(parser: ArgumentParser) -> None:
    """It takes no options of its own."""


def _list(args: Namespace, session: Session) -> int:
    session.printer.table(session.client.get("/runnertypes"), _LIST_ATTRIBUTES, "No runners are registered.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="name of the runner, for instance local-shell-cmd")


def _get(args: Namespace, session: Session) -> int:
    runner = session.client.find(f"/runnertypes/{segment(args.name)}")
    if runner is None:
        raise CommandError(f'Runner "{args.name}" is not found.')
    session.printer.properties(runner, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


VERBS = {
    "list": Command(
        "the registered runners",
        _configure_list,
        _list,
        examples="  st2 runner list",
    ),
    "get": Command(
        "one runner with its parameters",
        _configure_get,
        _get,
        examples="  st2 runner get local-shell-cmd",
    ),
}
