"""``st2 workflow``: what is wrong with the definition of a workflow."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli.command import Command, Session
from st2cli.errors import CommandError
from st2cli.paths import segment


def _configure_inspect(parser: ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--file", help="the definition; - for standard input")
    source.add_argument("--action", metavar="REF", help="the action whose entry point is the definition")


def _inspect(args: Namespace, session: Session) -> int:
    text = (
        _text(args.file) if args.file else session.client.get_text(f"/actions/views/entry_point/{segment(args.action)}")
    )
    problems: list[dict[str, Any]] = session.client.post_text("/workflows/inspect", text)
    if session.printer.form != "text":
        session.printer.data(problems)
    elif not problems:
        session.printer.text("No errors found in workflow definition.")
    else:
        session.printer.table(problems, ("line", "spec_path", "type", "message"), "")
    return 1 if problems else 0


def _text(file: str) -> str:
    from pathlib import Path

    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 text.") from error


VERBS = {
    "inspect": Command(
        "find what is wrong with a workflow before it runs",
        _configure_inspect,
        _inspect,
        description=(
            "Looks at an Orquesta workflow or an action chain and shows everything that is wrong with it: its form,\n"
            "tasks that do not exist or cannot be reached, joins that can never be met, variables that nothing sets,\n"
            "expressions, actions and their parameters. Exits with 1 when there is something."
        ),
        examples=("  st2 workflow inspect --file remediate.yaml\n  st2 workflow inspect --action examples.remediate"),
    ),
}
