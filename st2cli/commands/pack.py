"""``st2 pack``: where the actions come from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli.command import Command, Session
from st2cli.commands import pack_config, pack_work
from st2cli.errors import CommandError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("ref", "name", "description", "version", "author")
_FOUND_ATTRIBUTES = ("name", "description", "version", "author")
_GET_ATTRIBUTES = ("ref", "name", "description", "version", "author", "email", "keywords", "python_versions", "path")
_SHOW_ATTRIBUTES = ("name", "description", "author", "keywords", "version", "repo_url", "stackstorm_version", "content")


def _configure_list(parser: ArgumentParser) -> None:
    """It takes no options of its own."""


def _list(args: Namespace, session: Session) -> int:
    session.printer.table(session.client.get("/packs"), _LIST_ATTRIBUTES, "No packs are registered.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("ref", help="name of the pack")


def _get(args: Namespace, session: Session) -> int:
    pack = session.client.find(f"/packs/{segment(args.ref)}")
    if pack is None:
        raise CommandError(f'Pack "{args.ref}" is not found.')
    session.printer.properties(pack, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


def _configure_show(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="name of the pack in the index")


def _show(args: Namespace, session: Session) -> int:
    pack = session.client.post("/packs/index/search", {"pack": args.name})
    if not pack:
        raise CommandError(f'Pack "{args.name}" is not found in the index.')
    text = session.printer.form == "text"
    session.printer.properties(pack, [name for name in _SHOW_ATTRIBUTES if name in pack] if text else None)
    return 0


def _configure_search(parser: ArgumentParser) -> None:
    parser.add_argument("query", help="a word of the name, the description, the keywords or the author")


def _search(args: Namespace, session: Session) -> int:
    found = session.client.post("/packs/index/search", {"query": args.query})
    session.printer.table(found, _FOUND_ATTRIBUTES, "The index has no such pack.")
    return 0


def _configure_register(parser: ArgumentParser) -> None:
    parser.add_argument("packs", nargs="*", metavar="pack", help="all that are there, if none is named")
    parser.add_argument("--types", nargs="+", metavar="TYPE", help="only this content, such as actions")


def _register(args: Namespace, session: Session) -> int:
    body: dict[str, Any] = {}
    if args.types:
        body["types"] = [name for given in args.types for name in given.split(",") if name]
    if args.packs:
        body["packs"] = args.packs
    session.printer.properties(session.client.post("/packs/register", body))
    return 0


VERBS = {
    "list": Command(
        "the registered packs",
        _configure_list,
        _list,
        examples="  st2 pack list",
    ),
    "get": Command(
        "one pack",
        _configure_get,
        _get,
        examples="  st2 pack get core",
    ),
    "search": Command("packs of the index", _configure_search, _search, examples="  st2 pack search github"),
    "show": Command(
        "one pack of the index",
        _configure_show,
        _show,
        examples="  st2 pack show github",
    ),
    "install": pack_work.INSTALL,
    "remove": pack_work.REMOVE,
    "register": Command(
        "make the platform read the files of packs again",
        _configure_register,
        _register,
        examples="  st2 pack register\n  st2 pack register examples --types actions",
    ),
    "config": pack_config.CONFIG,
}
