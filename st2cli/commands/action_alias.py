"""``st2 action-alias``: commands in people's words."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli.command import Command, Session
from st2cli.commands import running, watching
from st2cli.commands.resources import Resource
from st2cli.errors import CommandError
from st2cli.paths import segment
from st2cli.statuses import SUCCEEDED

# It says how an execution that an alias has started is told.
_FORMATTER = "chatops.format_execution_result"

_ALIASES = Resource(
    path="/actionalias",
    singular="action alias",
    plural="action aliases",
    listed=("ref", "pack", "description", "enabled"),
    shown=(
        "id",
        "ref",
        "pack",
        "name",
        "description",
        "enabled",
        "action_ref",
        "formats",
        "ack",
        "result",
        "extra",
        "immutable_parameters",
    ),
    filters={"pack": "only the aliases of this pack"},
    word="action-alias",
    sample="examples.lines",
)


def _configure_match(parser: ArgumentParser) -> None:
    parser.add_argument("command", metavar="command", help="what somebody says, as one word")


def _match(args: Namespace, session: Session) -> int:
    found = session.client.post("/actionalias/match", {"command": args.command})
    if session.printer.form != "text":
        session.printer.data(found)
        return 0
    shown = {"ref": found["actionalias"]["ref"], **found}
    session.printer.properties(shown, ("ref", "display", "representation"))
    return 0


def _configure_execute(parser: ArgumentParser) -> None:
    _configure_match(parser)
    running.add_run_options(parser)


def _execute(args: Namespace, session: Session) -> int:
    answered = _start(args, session)
    if answered.get("message"):
        session.printer.note(str(answered["message"]))
    return running.see_through(session, answered["execution"], args)


def _start(args: Namespace, session: Session) -> dict[str, Any]:
    found = session.client.post("/actionalias/match", {"command": args.command})
    body = {
        "name": found["actionalias"]["ref"],
        "format": found["representation"],
        "command": args.command,
        "user": "",
        "source_channel": "cli",
    }
    answered: dict[str, Any] = session.client.post("/aliasexecution", body)
    return answered


def _test(args: Namespace, session: Session) -> int:
    execution_id = str(_start(args, session)["execution"]["id"])
    try:
        watching.wait_for(session, execution_id)
        body = {"action": _FORMATTER, "parameters": {"execution_id": execution_id}}
        formatter_id = str(session.client.post("/executions", body)["id"])
        status = watching.wait_for(session, formatter_id)
    except KeyboardInterrupt:
        raise watching.Interrupted(execution_id) from None
    result = session.client.get(f"/executions/{segment(formatter_id)}").get("result") or {}
    if status != SUCCEEDED:
        raise CommandError(f"{_FORMATTER}, execution {formatter_id}, has ended with status {status}.")
    told = result["result"]
    if session.printer.form == "text":
        session.printer.text(str(told["message"]))
    else:
        session.printer.data(told)
    return 0


VERBS = {
    **_ALIASES.reading(),
    "match": Command(
        "which alias a command is",
        _configure_match,
        _match,
        examples="  st2 action-alias match 'print 5 lines'",
    ),
    "execute": Command(
        "run what a command stands for",
        _configure_execute,
        _execute,
        examples="  st2 action-alias execute 'print 5 lines'\n  st2 action-alias execute --tail 'print 5 lines'",
    ),
    "test": Command(
        "run what a command stands for, and show what the chat would be told",
        _configure_match,
        _test,
        examples="  st2 action-alias test 'print 5 lines'",
    ),
    **_ALIASES.changing(),
}
