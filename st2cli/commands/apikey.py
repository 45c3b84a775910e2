"""``st2 apikey``: keys by which programs say who they are."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli.command import Command, Session
from st2cli.errors import ApiError, CommandError, NothingToDelete, UsageError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("id", "user", "enabled", "created_at", "metadata")
_DETAILS = ("id", "uid", "user", "key_hash", "enabled", "created_at", "metadata")


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-u", "--user", help="only the keys of this user")
    parser.add_argument("-n", "--last", type=int, default=50, metavar="N", help="at most N keys (default: 50; -1: all)")
    parser.add_argument("-d", "--detail", action="store_true", help="show every property")
    _add_show_secrets(parser)


def _add_show_secrets(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--show-secrets", action="store_true", help="show the hashes of keys; nobody can show a key again"
    )


def _list(args: Namespace, session: Session) -> int:
    query = {"user": args.user, "limit": args.last, **_secrets(args)}
    found = [key for key in session.client.get("/apikeys", query) if args.user in (None, key["user"])]
    session.printer.table(found, _DETAILS if args.detail else _LIST_ATTRIBUTES, "There are no API keys.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    _add_key(parser)
    _add_show_secrets(parser)


def _add_key(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="key_or_id", help="the id (other users of the machine can see command lines)")


def _get(args: Namespace, session: Session) -> int:
    _show(session, _found(args, session, _secrets(args)))
    return 0


def _configure_create(parser: ArgumentParser) -> None:
    parser.add_argument("-u", "--user", help="whose key it is, if not yours (administrators only)")
    parser.add_argument("-m", "--metadata", type=_json_object, help='a JSON object, such as \'{"used_by": "CI"}\'')
    parser.add_argument("-k", "--only-key", action="store_true", help="print nothing but the key")


def _json_object(text: str) -> dict[str, Any]:
    import json

    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError
    return value


def _create(args: Namespace, session: Session) -> int:
    wanted = {"user": args.user, "metadata": args.metadata}
    try:
        made = session.client.post("/apikeys", {name: value for name, value in wanted.items() if value is not None})
    except ApiError as error:
        # Scripts know this exit code of `create`.
        raise UsageError(str(error)) from error
    if args.only_key:
        session.printer.value(made["key"])
        return 0
    session.printer.properties(made, ("id", "user", "key", "enabled", "metadata") if _is_text(session) else None)
    session.printer.note("This is the only time that the key is shown.")
    return 0


def _configure_delete(parser: ArgumentParser) -> None:
    _add_key(parser)


def _delete(args: Namespace, session: Session) -> int:
    try:
        session.client.delete(_path(args.key))
    except ApiError as error:
        if error.status == 404:
            raise NothingToDelete(f'API Key "{args.key}" is not found.') from error
        raise
    session.printer.note("The API key is deleted.")
    return 0


def _enable(args: Namespace, session: Session) -> int:
    return _set_enabled(args, session, True)


def _disable(args: Namespace, session: Session) -> int:
    return _set_enabled(args, session, False)


def _set_enabled(args: Namespace, session: Session, enabled: bool) -> int:
    found = _found(args, session, {})
    _show(session, session.client.put(_path(args.key), {**found, "enabled": enabled}))
    return 0


def _configure_load(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", help="keys as `st2 apikey list --show-secrets -j` or -y prints them; - is standard input"
    )


def _load(args: Namespace, session: Session) -> int:
    from st2cli.key_files import parsed

    content = parsed(args.file)
    keys = content if isinstance(content, list) else [content]
    if not all(isinstance(key, dict) for key in keys):
        raise CommandError(f"{args.file} holds something else than API keys.")
    session.printer.table([_load_one(session, key) for key in keys], _LIST_ATTRIBUTES, "The file has no keys.")
    return 0


def _load_one(session: Session, key: dict[str, Any]) -> dict[str, Any]:
    client = session.client
    # YAML has times of its own.
    key = {name: str(value) if name == "created_at" else value for name, value in key.items()}
    if key.get("id"):
        try:
            stored: dict[str, Any] = client.put(_path(str(key["id"])), key)
            return stored
        except ApiError as error:
            if error.status != 404:
                raise
    made: dict[str, Any] = client.post("/apikeys", key)
    return made


def _found(args: Namespace, session: Session, query: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] | None = session.client.find(_path(args.key), query)
    if found is None:
        raise CommandError(f'API Key "{args.key}" is not found.')
    return found


def _show(session: Session, key: dict[str, Any]) -> None:
    session.printer.properties(key, _DETAILS if _is_text(session) else None)


def _is_text(session: Session) -> bool:
    return session.printer.form == "text"


def _secrets(args: Namespace) -> dict[str, str]:
    return {"show_secrets": "True"} if args.show_secrets else {}


def _path(key: str) -> str:
    return f"/apikeys/{segment(key)}"


VERBS = {
    "list": Command(
        "the keys, without what opens anything",
        _configure_list,
        _list,
        examples="  st2 apikey list",
    ),
    "get": Command(
        "one key",
        _configure_get,
        _get,
        examples="  st2 apikey get 59a7f8260640fd686303e628",
    ),
    "create": Command(
        "make a key and show it once",
        _configure_create,
        _create,
        examples=('  st2 apikey create -m \'{"used_by": "CI"}\'\n  export ST2_API_KEY=$(st2 apikey create -k)'),
    ),
    "delete": Command(
        "delete a key: it opens nothing any more",
        _configure_delete,
        _delete,
        examples="  st2 apikey delete 59a7f8260640fd686303e628",
    ),
    "enable": Command(
        "let a disabled key be used again",
        _configure_delete,
        _enable,
        examples="  st2 apikey enable 59a7f8260640fd686303e628",
    ),
    "disable": Command(
        "keep a key from being used",
        _configure_delete,
        _disable,
        examples="  st2 apikey disable 59a7f8260640fd686303e628",
    ),
    "load": Command(
        "make keys from a file that another platform has dumped",
        _configure_load,
        _load,
        examples="  st2 apikey load apikeys.json",
    ),
}
