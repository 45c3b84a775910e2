"""``st2 inquiry``: executions that wait for an answer of people."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from st2cli import values
from st2cli.command import Command, Session
from st2cli.errors import CommandError, UsageError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("id", "roles", "users", "route", "ttl")
_GET_ATTRIBUTES = (*_LIST_ATTRIBUTES, "schema")
_DEFAULT_PAGE = 20


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--last", type=int, default=_DEFAULT_PAGE, metavar="N", help="how many; default 20, -1: all"
    )


def _list(args: Namespace, session: Session) -> int:
    inquiries, total = session.client.page("/inquiries", {"limit": args.last})
    # The newest stands at the bottom, next to the prompt.
    session.printer.table(inquiries[::-1], _LIST_ATTRIBUTES, "Nothing waits for an answer.")
    if total is not None and 0 < args.last < total and session.printer.form == "text":
        session.printer.note(f"{len(inquiries)} of {total} inquiries; -n {total} shows all.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="id of an inquiry, which is that of its execution")


def _get(args: Namespace, session: Session) -> int:
    for inquiry_id in args.ids:
        inquiry = _find(session, inquiry_id)
        session.printer.properties(inquiry, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


def _configure_respond(parser: ArgumentParser) -> None:
    parser.add_argument("id", help="id of an inquiry, which is that of its execution")
    parser.add_argument(
        "-r", "--response", metavar="JSON", help="the whole answer as a JSON object; - reads it from standard input"
    )


def _respond(args: Namespace, session: Session) -> int:
    inquiry = _find(session, args.id)
    response = _asked(inquiry.get("schema") or {}) if args.response is None else _given(args.response)
    answered = session.client.put(f"/inquiries/{segment(args.id)}", {"id": args.id, "response": response})
    if session.printer.form == "text":
        session.printer.text(f"Response accepted for inquiry {answered['id']}.")
    else:
        session.printer.data(answered)
    return 0


def _find(session: Session, inquiry_id: str) -> dict[str, Any]:
    inquiry: dict[str, Any] | None = session.client.find(f"/inquiries/{segment(inquiry_id)}")
    if inquiry is None:
        raise CommandError(f'Inquiry "{inquiry_id}" is not found.')
    return inquiry


def _given(text: str) -> dict[str, Any]:
    import json

    try:
        response = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise UsageError(f"The response is not JSON: {error}") from error
    if not isinstance(response, dict):
        raise UsageError("The response is not a JSON object.")
    return response


def _asked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to one question for each property."""
    if not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask on: give the answer with --response.")
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    response = {}
    for name, about in (schema.get("properties") or {}).items():
        answer = _ask(name, about, must=about.get("required") is True or name in names)
        if answer is not None:
            response[name] = answer
    return response


def _ask(name: str, about: Mapping[str, Any], must: bool) -> Any:
    """What was typed, as the type that the schema wants; None for nothing. Asks again for what cannot be taken."""
    from getpass import getpass

    question = _question(name, about, must)
    while True:
        text = getpass(question) if about.get("secret") else input(question)
        if not text:
            if not must or "default" in about:
                return about.get("default")
            continue
        try:
            answer = values.cast(name, text, about)
        except CommandError as error:
            print(error, file=sys.stderr)
            continue
        if "enum" not in about or answer in about["enum"]:
            return answer
        print(f"Not one of: {', '.join(map(str, about['enum']))}", file=sys.stderr)


def _question(name: str, about: Mapping[str, Any], must: bool) -> str:
    hints = [str(about["type"])] if isinstance(about.get("type"), str) else []
    if "enum" in about:
        hints = ["/".join(map(str, about["enum"]))]
    if "default" in about:
        hints.append(f"default: {about['default']}")
    elif not must:
        hints.append("may be left empty")
    question = f"{name}: {about['description']}" if about.get("description") else name
    return f"{question} ({', '.join(hints)}): " if hints else f"{question}: "


VERBS = {
    "list": Command(
        "what waits for an answer",
        _configure_list,
        _list,
        examples="  st2 inquiry list",
    ),
    "get": Command(
        "one inquiry with the schema of its answer",
        _configure_get,
        _get,
        examples="  st2 inquiry get 59a7f8260640fd686303e628",
    ),
    "respond": Command(
        "answer an inquiry",
        _configure_respond,
        _respond,
        examples=(
            "  st2 inquiry respond 6b02f22bd23843de9f9e3c84                            asks for each part\n"
            "  st2 inquiry respond 6b02f22bd23843de9f9e3c84 -r '{\"continue\": true}'\n"
            "  st2 inquiry respond 6b02f22bd23843de9f9e3c84 -r - < answer.json         shows in no process list"
        ),
    ),
}
