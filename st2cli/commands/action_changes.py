"""``st2 action create|update|delete|enable|disable|clone``: changing what can be run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli import files
from st2cli.command import Command, Session
from st2cli.errors import ApiError, CommandError, UsageError
from st2cli.paths import segment

_SHOWN = ("id", "ref", "pack", "description", "enabled", "runner_type", "entry_point", "parameters")


def _configure_create(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="JSON or YAML file with the metadata")


def _create(args: Namespace, session: Session) -> int:
    metadata = files.load(args.file)
    try:
        created = session.client.post("/actions", metadata)
    except ApiError as error:
        # Scripts know this exit code of "create".
        raise UsageError(str(error)) from error
    _show(session, created)
    return 0


def _configure_update(parser: ArgumentParser) -> None:
    parser.add_argument("ref", help="<pack>.<name>, or the id")
    parser.add_argument("file", help="JSON or YAML file with all of the metadata")


def _update(args: Namespace, session: Session) -> int:
    action = _find(session, args.ref)
    metadata = files.load(args.file)
    _show(session, session.client.put(_path(action["id"]), {"pack": action["pack"], **metadata}))
    return 0


def _configure_delete(parser: ArgumentParser) -> None:
    parser.add_argument("refs", nargs="+", metavar="action", help="<pack>.<name>, or the id")
    parser.add_argument("-r", "--remove-files", action="store_true", help="delete its files in the pack too")


def _delete(args: Namespace, session: Session) -> int:
    for ref in args.refs:
        action = _find_or_none(session, ref)
        if action is None:
            session.printer.note(f'Action "{ref}" is not found.')
            continue
        session.client.delete(_path(action["id"]), body={"remove_files": args.remove_files})
        session.printer.text(f'Action "{action["ref"]}" is deleted.')
    return 0


def _configure_switch(parser: ArgumentParser) -> None:
    parser.add_argument("refs", nargs="+", metavar="action", help="<pack>.<name>, or the id")


def _enable(args: Namespace, session: Session) -> int:
    return _switch(args, session, enabled=True)


def _disable(args: Namespace, session: Session) -> int:
    return _switch(args, session, enabled=False)


def _switch(args: Namespace, session: Session, *, enabled: bool) -> int:
    for ref in args.refs:
        action = _find(session, ref)
        whole = {name: value for name, value in action.items() if name != "ref"}
        _show(session, session.client.put(_path(action["id"]), {**whole, "enabled": enabled}))
    return 0


def _configure_clone(parser: ArgumentParser) -> None:
    parser.add_argument("ref", help="the action, <pack>.<name>")
    parser.add_argument("dest_pack", help="pack of the copy")
    parser.add_argument("dest_action", help="name of the copy")
    parser.add_argument("-f", "--force", action="store_true", help="replace an action of that name")


def _clone(args: Namespace, session: Session) -> int:
    body = {"dest_pack": args.dest_pack, "dest_action": args.dest_action, "overwrite": args.force}
    _show(session, session.client.post(f"{_path(args.ref)}/clone", body))
    return 0


def _find(session: Session, ref: str) -> dict[str, Any]:
    found = _find_or_none(session, ref)
    if found is None:
        raise CommandError(f'Action "{ref}" is not found.')
    return found


def _find_or_none(session: Session, ref: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = session.client.find(_path(ref))
    return found


def _path(ref_or_id: str) -> str:
    return f"/actions/{segment(ref_or_id)}"


def _show(session: Session, action: dict[str, Any]) -> None:
    session.printer.properties(action, _SHOWN if session.printer.form == "text" else None)


VERBS = {
    "create": Command(
        "make an action from a file",
        _configure_create,
        _create,
        examples="  st2 action create hello.yaml",
    ),
    "update": Command(
        "give an action other metadata, from a file",
        _configure_update,
        _update,
        examples="  st2 action update default.hello hello.yaml",
    ),
    "delete": Command(
        "delete actions",
        _configure_delete,
        _delete,
        examples="  st2 action delete default.hello",
    ),
    "enable": Command(
        "let actions be run",
        _configure_switch,
        _enable,
        examples="  st2 action enable default.hello",
    ),
    "disable": Command(
        "let actions not be run",
        _configure_switch,
        _disable,
        examples="  st2 action disable default.hello",
    ),
    "clone": Command(
        "copy an action with its files",
        _configure_clone,
        _clone,
        examples="  st2 action clone examples.lines default my_lines",
    ),
}
