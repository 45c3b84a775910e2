"""``st2 service-registry``: which processes of the platform live."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.paths import segment

_MEMBER_ATTRIBUTES = ("group_id", "member_id", "capabilities.hostname", "capabilities.pid", "capabilities.type")
_NOBODY = "No service has told that it lives."


def _configure_groups(parser: ArgumentParser) -> None:
    """Nothing to choose from."""


def _groups(_args: Namespace, session: Session) -> int:
    groups = session.client.get("/service_registry/groups")["groups"]
    session.printer.table([{"group_id": group} for group in groups], ("group_id",), _NOBODY)
    return 0


def _configure_members(parser: ArgumentParser) -> None:
    parser.add_argument("--group-id", help="only those of this group, for example actionrunner")


def _members(args: Namespace, session: Session) -> int:
    groups = [args.group_id] if args.group_id else session.client.get("/service_registry/groups")["groups"]
    found = [
        member
        for group in groups
        for member in session.client.get(f"/service_registry/groups/{segment(group)}/members")["members"]
    ]
    session.printer.table(found, _MEMBER_ATTRIBUTES, _NOBODY)
    return 0


VERBS = {
    "group list": Command(
        "the kinds of services of which a process lives",
        _configure_groups,
        _groups,
        examples="  st2 service-registry group list",
    ),
    "member list": Command(
        "the processes that live, with their hosts",
        _configure_members,
        _members,
        examples="  st2 service-registry member list --group-id actionrunner",
    ),
}
