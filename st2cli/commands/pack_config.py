"""``st2 pack config``: asks for the configuration of a pack, item by item, or takes it from a file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from st2cli import files
from st2cli.command import Command, Session
from st2cli.errors import CommandError, UsageError
from st2cli.paths import segment


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("pack", help="name of the pack")
    parser.add_argument("-f", "--file", help="JSON or YAML file with the values, instead of questions")


def _config(args: Namespace, session: Session) -> int:
    values = files.load(args.file) if args.file else _asked(session, args.pack)
    stored = session.client.put(f"/configs/{segment(args.pack)}", values)
    session.printer.properties(stored["values"])
    return 0


def _asked(session: Session, pack: str) -> dict[str, Any]:
    if not sys.stdin.isatty():
        raise UsageError("There is nobody to ask: give the values with --file.")
    schema = session.client.find(f"/config_schemas/{segment(pack)}")
    if schema is None:
        raise CommandError(f'Pack "{pack}" has no configuration schema, or is not registered; --file takes any values.')
    earlier = (session.client.find(f"/configs/{segment(pack)}") or {}).get("values") or {}
    values = {}
    for name, item in schema["attributes"].items():
        value = _ask(session, name, item, earlier.get(name, item.get("default")))
        if value is not None:
            values[name] = value
    return values


def _ask(session: Session, name: str, schema: Mapping[str, Any], present: Any) -> Any:
    """An answer that fits the type of the item; an empty one keeps what is there."""
    from getpass import getpass

    if schema.get("description"):
        session.printer.note(str(schema["description"]).strip())
    shown = "" if present is None else f" [{'********' if schema.get('secret') else _text(present)}]"
    prompt = f"{name} ({schema.get('type', 'string')}{', required' if schema.get('required') else ''}){shown}: "
    while True:
        answer = getpass(prompt) if schema.get("secret") else input(prompt)
        if not answer and (present is not None or not schema.get("required")):
            return present
        try:
            return parse(answer, schema)
        except ValueError as error:
            session.printer.note(str(error))


def parse(answer: str, schema: Mapping[str, Any]) -> Any:
    """The value that somebody has typed. A template stays text, whatever the type.

    Raises:
        ValueError: it is no value of this type.
    """
    import json

    kind = schema.get("type", "string")
    if kind == "string" or "{{" in answer:
        value: Any = answer
    else:
        try:
            value = json.loads(answer.lower() if kind == "boolean" else answer)
        except ValueError:
            raise ValueError(f"{answer!r} is no {kind}; lists and objects are written as JSON") from None
    if not answer:
        raise ValueError("a value is required")
    if schema.get("enum") and value not in schema["enum"]:
        raise ValueError(f"one of {', '.join(map(str, schema['enum']))} is expected")
    return value


def _text(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)


CONFIG = Command(
    "set the configuration of a pack",
    _configure,
    _config,
    description="Asks for each item of the pack's configuration schema. Secrets are not shown.",
    examples="  st2 pack config github\n  st2 pack config github --file github.yaml",
)
