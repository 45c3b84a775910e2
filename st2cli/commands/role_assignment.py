"""``st2 role-assignment``: which user has which role."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import CommandError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("id", "role", "user", "is_remote", "source", "description")


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-r", "--role", help="only of this role")
    parser.add_argument("-u", "--user", help="only of this user")
    parser.add_argument("--source", help="only those that this file says")
    parser.add_argument("--remote", action="store_true", help="only those by groups that users belong to elsewhere")


def _list(args: Namespace, session: Session) -> int:
    wanted = {"role": args.role, "user": args.user, "source": args.source, "remote": "true" if args.remote else None}
    query = {name: value for name, value in wanted.items() if value}
    assignments = session.client.get("/rbac/role_assignments", query)
    session.printer.table(assignments, _LIST_ATTRIBUTES, "Nobody has a role.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("id", help="id of the assignment")


def _get(args: Namespace, session: Session) -> int:
    assignment = session.client.find(f"/rbac/role_assignments/{segment(args.id)}")
    if assignment is None:
        raise CommandError(f'Role assignment "{args.id}" is not found.')
    session.printer.properties(assignment, _LIST_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


VERBS = {
    "list": Command(
        "who has which role",
        _configure_list,
        _list,
        examples="  st2 role-assignment list --user ada",
    ),
    "get": Command(
        "one assignment",
        _configure_get,
        _get,
        examples="  st2 role-assignment get 59a7f8260640fd686303e628",
    ),
}
