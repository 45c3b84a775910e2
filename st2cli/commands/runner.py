"""``st2 runner``: the ways in which actions are run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

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
    parser.add_argument("names", nargs="+", metavar="name", help="name of the runner, for instance local-shell-cmd")


def _get(args: Namespace, session: Session) -> int:
    for name in args.names:
        _show(session, _find(session, name))
    return 0


def _enable(args: Namespace, session: Session) -> int:
    return _switch(args, session, enabled=True)


def _disable(args: Namespace, session: Session) -> int:
    return _switch(args, session, enabled=False)


def _switch(args: Namespace, session: Session, *, enabled: bool) -> int:
    for name in args.names:
        _show(session, session.client.put(_path(name), {**_find(session, name), "enabled": enabled}))
    return 0


def _find(session: Session, name: str) -> dict[str, Any]:
    runner: dict[str, Any] | None = session.client.find(_path(name))
    if runner is None:
        raise CommandError(f'Runner "{name}" is not found.')
    return runner


def _path(name: str) -> str:
    return f"/runnertypes/{segment(name)}"


def _show(session: Session, runner: dict[str, Any]) -> None:
    session.printer.properties(runner, _GET_ATTRIBUTES if session.printer.form == "text" else None)


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
    "enable": Command(
        "let actions of runners be run",
        _configure_get,
        _enable,
        examples="  st2 runner enable remote-shell-cmd",
    ),
    "disable": Command(
        "let no action of runners be run",
        _configure_get,
        _disable,
        examples="  st2 runner disable remote-shell-cmd",
    ),
}
