"""``st2 role``: what users may do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import CommandError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("id", "name", "system", "description")
_GET_ATTRIBUTES = (*_LIST_ATTRIBUTES, "permission_grant_objects")


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-s", "--system", action="store_true", help="only the roles that are always there")


def _list(args: Namespace, session: Session) -> int:
    roles = session.client.get("/rbac/roles", {"system": "true"} if args.system else {})
    session.printer.table(roles, _LIST_ATTRIBUTES, "There are no roles.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="name or id of the role")


def _get(args: Namespace, session: Session) -> int:
    role = session.client.find(f"/rbac/roles/{segment(args.name)}")
    if role is None:
        raise CommandError(f'Role "{args.name}" is not found.')
    session.printer.properties(role, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


VERBS = {
    "list": Command(
        "the roles that there are",
        _configure_list,
        _list,
        examples="  st2 role list\n  st2 role list --system",
    ),
    "get": Command(
        "one role with what it grants",
        _configure_get,
        _get,
        examples="  st2 role get admin",
    ),
}
