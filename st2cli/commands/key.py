"""``st2 key``: the datastore, keys and their values."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from st2cli.command import Command, Session
from st2cli.errors import ApiError, CommandError, NothingToDelete, UsageError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("name", "value", "secret", "encrypted", "scope", "user", "expire_timestamp")
_GET_ATTRIBUTES = ("name", "value", "secret", "encrypted", "scope", "user", "description", "expire_timestamp")
# What belongs to the place where a key lies, and not to the key.
_NOT_DUMPED = ("id", "uid")
_PAGE = 100


def _add_scope(parser: ArgumentParser, default: str = "system") -> None:
    every = ", or all" if default == "all" else ""
    parser.add_argument("-s", "--scope", default=default, help=f"system or user{every} (default: {default})")
    parser.add_argument("-u", "--user", help="whose keys of scope user, if not your own (administrators only)")


def _add_decrypt(parser: ArgumentParser) -> None:
    parser.add_argument("-d", "--decrypt", action="store_true", help="show secrets in clear")


def _add_prefix(parser: ArgumentParser) -> None:
    parser.add_argument("-p", "--prefix", help="only keys whose names begin with this")


def _configure_list(parser: ArgumentParser) -> None:
    _add_prefix(parser)
    _add_decrypt(parser)
    _add_scope(parser, "all")
    parser.add_argument("-n", "--last", type=int, default=50, metavar="N", help="at most N keys (default: 50; -1: all)")


def _list(args: Namespace, session: Session) -> int:
    query = {**_selection(args), "limit": args.last}
    session.printer.table(session.client.get("/keys", query), _LIST_ATTRIBUTES, "There are no keys.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="name")
    _add_decrypt(parser)
    _add_scope(parser)


def _get(args: Namespace, session: Session) -> int:
    query = {"decrypt": _flag(args.decrypt), "scope": args.scope, "user": args.user}
    for name in args.names:
        found = session.client.find(_path(name), query)
        if found is None:
            raise CommandError(f'Key "{name}" is not found.')
        session.printer.properties(found, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


def _configure_set(parser: ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("value", nargs="?", help="if it is not given: asked for, or read from standard input")
    secrecy = parser.add_mutually_exclusive_group()
    secrecy.add_argument("-e", "--encrypt", action="store_true", help="encrypt the value")
    secrecy.add_argument("--encrypted", action="store_true", help="the value is a ciphertext already")
    parser.add_argument("-l", "--ttl", type=int, metavar="SECONDS", help="forget the key after this time")
    _add_scope(parser)


def _set(args: Namespace, session: Session) -> int:
    value = _ask_for_value() if args.value is None else args.value
    item: dict[str, Any] = {"name": args.name, "scope": args.scope, "user": args.user, "value": value}
    if args.encrypt:
        item["secret"] = True
    if args.encrypted:
        item["encrypted"] = True
    if args.ttl:
        item["ttl"] = args.ttl
    stored = session.client.put(_path(args.name), item)
    session.printer.properties(stored, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


def _ask_for_value() -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Value: ")
    # The newline at the end is the shell's, not the value's.
    return sys.stdin.read().removesuffix("\n")


def _configure_delete(parser: ArgumentParser) -> None:
    parser.add_argument("name")
    _add_scope(parser)


def _delete(args: Namespace, session: Session) -> int:
    if not _delete_one(session, args.name, args.scope, args.user):
        raise NothingToDelete(f'Key "{args.name}" is not found.')
    session.printer.note(f'Key "{args.name}" is deleted.')
    return 0


def _configure_delete_by_prefix(parser: ArgumentParser) -> None:
    parser.add_argument("-p", "--prefix", required=True, help="what the names begin with")
    _add_scope(parser)


def _delete_by_prefix(args: Namespace, session: Session) -> int:
    if not args.prefix:
        raise UsageError("An empty prefix would delete every key.")
    args.decrypt = False
    names = [item["name"] for item in _pages(session, args)]
    deleted = [name for name in names if _delete_one(session, name, args.scope, args.user)]
    session.printer.text(f"Deleted {len(deleted)} keys")
    return 0


def _configure_load(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="JSON or YAML; - is standard input")
    parser.add_argument("-c", "--convert", action="store_true", help="store values that are no strings as JSON")


def _load(args: Namespace, session: Session) -> int:
    from st2cli import key_files

    items = key_files.read(args.file, convert=args.convert)
    stored = [session.client.put(_path(item["name"]), item) for item in items]
    session.printer.table(stored, _LIST_ATTRIBUTES, "The file has no keys that are still to be kept.")
    return 0


def _configure_dump(parser: ArgumentParser) -> None:
    _add_prefix(parser)
    _add_decrypt(parser)
    _add_scope(parser, "all")


def _dump(args: Namespace, session: Session) -> int:
    items = _pages(session, args)
    session.printer.data([{name: value for name, value in item.items() if name not in _NOT_DUMPED} for item in items])
    return 0


def _pages(session: Session, args: Namespace) -> list[dict[str, Any]]:
    """All keys of a selection, however many."""
    both = args.scope == "all" and not args.user
    return [
        item for scope in (("system", "user") if both else (args.scope,)) for item in _pages_of(session, args, scope)
    ]


def _pages_of(session: Session, args: Namespace, scope: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        page = session.client.get("/keys", {**_selection(args), "scope": scope, "limit": _PAGE, "offset": offset})
        yield from page
        if len(page) < _PAGE:
            return
        offset += _PAGE


def _delete_one(session: Session, name: str, scope: str, user: str | None) -> bool:
    try:
        session.client.delete(_path(name), {"scope": scope, "user": user})
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True


def _selection(args: Namespace) -> dict[str, Any]:
    return {"decrypt": _flag(args.decrypt), "scope": args.scope, "user": args.user, "prefix": args.prefix or None}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _path(name: str) -> str:
    return f"/keys/{segment(name)}"


VERBS = {
    "list": Command(
        "keys and their values",
        _configure_list,
        _list,
        examples="  st2 key list\n  st2 key list --prefix db. -j",
    ),
    "get": Command(
        "one key with its value",
        _configure_get,
        _get,
        examples="  st2 key get region\n  st2 key get password --decrypt",
    ),
    "set": Command(
        "store a value under a key",
        _configure_set,
        _set,
        examples=(
            "  st2 key set region eu-west-1\n"
            "  st2 key set password -e               asks for the value: it shows nowhere\n"
            "  st2 key set password -e < file        takes it from a file\n"
            "  st2 key set lock held -l 3600         is forgotten after an hour\n"
            "  st2 key set editor vi -s user         is yours alone"
        ),
    ),
    "delete": Command(
        "delete a key",
        _configure_delete,
        _delete,
        examples="  st2 key delete region",
    ),
    "delete_by_prefix": Command(
        "delete all keys with a prefix",
        _configure_delete_by_prefix,
        _delete_by_prefix,
        examples="  st2 key delete_by_prefix -p db.",
    ),
    "load": Command(
        "store the keys of a file",
        _configure_load,
        _load,
        description=(
            "Stores the keys of a file: a list of objects with name, value and, if needed, scope, user, secret,\n"
            "encrypted, description, ttl (seconds) or expire_timestamp. `st2 key dump` writes such files.\n"
            "The whole file is checked before anything is stored."
        ),
        examples="  st2 key dump > keys.json\n  st2 key load keys.json",
    ),
    "dump": Command(
        "print keys in the form that load reads",
        _configure_dump,
        _dump,
        description=(
            "Prints keys as JSON (or YAML) that `st2 key load` reads. Secrets stay encrypted, and can be loaded where\n"
            "the same key file is in use; with --decrypt they are in clear and are encrypted again by load."
        ),
        examples="  st2 key dump > keys.json",
    ),
}
