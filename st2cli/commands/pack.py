"""``st2 pack``: where the actions come from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import CommandError

_LIST_ATTRIBUTES = ("ref", "name", "description", "version", "author")
_GET_ATTRIBUTES = ("ref", "name", "description", "version", "author", "email", "keywords", "python_versions", "path")


def _configure_list(parser: ArgumentParser) -> None:
    """It takes no options of its own."""


def _list(args: Namespace, session: Session) -> int:
    session.printer.table(session.client.get("/packs"), _LIST_ATTRIBUTES, "No packs are registered.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("ref", help="name of the pack")


def _get(args: Namespace, session: Session) -> int:
    from st2cli.client import segment

    pack = session.client.find(f"/packs/{segment(args.ref)}")
    if pack is None:
        raise CommandError(f'Pack "{args.ref}" is not found.')
    session.printer.properties(pack, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


VERBS = {
    "list": Command("the registered packs", _configure_list, _list),
    "get": Command("one pack", _configure_get, _get),
}
