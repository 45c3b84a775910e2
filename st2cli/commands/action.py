"""``st2 action``: what can be run, and running it (``st2 run`` is ``st2 action execute``)."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from st2cli.command import Command, Session
from st2cli.commands import action_changes, running
from st2cli.errors import CommandError, UsageError
from st2cli.paths import segment

if TYPE_CHECKING:
    from st2cli.output import Printer

_LIST_ATTRIBUTES = ("ref", "pack", "description")
_GET_ATTRIBUTES = ("id", "ref", "pack", "description", "enabled", "runner_type", "entry_point", "parameters")

# Of the caller's environment, what identifies this session and not the work: never sent along.
_NOT_INHERITED = frozenset({
    "ST2_AUTH_TOKEN", "ST2_API_KEY", "HOME", "LOGNAME", "MAIL", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL",
    "SSH_AUTH_SOCK", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "TERM", "USER", "_",
})  # fmt: skip


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-p", "--pack", help="only the actions of this pack")


def _list(args: Namespace, session: Session) -> int:
    query = {"pack": args.pack, "include_attributes": session.printer.included(_LIST_ATTRIBUTES)}
    actions = session.client.get("/actions", query)
    session.printer.table(actions, _LIST_ATTRIBUTES, "No actions are registered.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("refs", nargs="+", metavar="ref", help="<pack>.<name>, or the id")


def _get(args: Namespace, session: Session) -> int:
    for ref in args.refs:
        action = session.client.find(f"/actions/{segment(ref)}")
        if action is None:
            raise CommandError(f'Action "{ref}" is not found.')
        session.printer.properties(action, _GET_ATTRIBUTES if session.printer.form == "text" else None)
    return 0


def _configure_execute(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-h", "--help", dest="wants_help", action="store_true", help="this, or with an action: its parameters"
    )
    parser.add_argument("ref", nargs="?", metavar="action", help="<pack>.<name>")
    parser.add_argument("parameters", nargs="*", metavar="name=value", help="the action's parameters")
    running.add_run_options(parser)
    parser.add_argument("-e", "--inherit-env", action="store_true", help="give the action this shell's environment")
    trace = parser.add_mutually_exclusive_group()
    trace.add_argument("--trace-tag", help="a name under which everything that follows can be found")
    trace.add_argument("--trace-id", help="the trace that it goes on with")
    parser.add_argument("-u", "--user", help="for whom it is run, if not for you (administrators only)")
    parser.add_argument("--delay", type=int, metavar="MILLISECONDS", help="how long it waits before it begins")


def _execute(args: Namespace, session: Session) -> int:
    if args.ref is None:
        args.parser.print_help()
        return 0 if args.wants_help else 2
    action, schemas = running.find_action(session.client, args.ref)
    if args.wants_help:
        _explain(session.printer, action, schemas)
        return 0
    from st2cli import values

    parameters = values.parse(args.parameters, schemas, runner=action["runner_type"])
    if args.inherit_env:
        _inherit_environment(parameters, schemas, args.ref)
    body: dict[str, Any] = {"action": action["ref"], "parameters": parameters, "user": args.user}
    if args.trace_tag or args.trace_id:
        trace = {"trace_tag": args.trace_tag} if args.trace_tag else {"id_": args.trace_id}
        body["context"] = {"trace_context": trace}
    if args.delay is not None:
        body["delay"] = args.delay
    return running.see_through(session, session.client.post("/executions", body), args)


def _inherit_environment(parameters: dict[str, Any], schemas: running.Schemas, ref: str) -> None:
    if "env" not in schemas:
        raise UsageError(f"{ref} takes no environment (it has no parameter env).")
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    parameters["env"] = {**inherited, **(parameters.get("env") or {})}


def _explain(printer: Printer, action: Mapping[str, Any], schemas: running.Schemas) -> None:
    if printer.form != "text":
        printer.data({"ref": action["ref"], "description": action.get("description"), "parameters": dict(schemas)})
        return
    printer.text(f"{action['ref']}: {action.get('description') or 'no description'}\n")
    rows = [
        {
            "parameter": name,
            "type": schema.get("type", "string"),
            "required": "yes" if schema.get("required") else "",
            "default": "" if schema.get("secret") else schema.get("default"),
            "description": schema.get("description"),
        }
        for name, schema in sorted(schemas.items(), key=lambda item: (not item[1].get("required"), item[0]))
        if not schema.get("immutable")
    ]
    printer.table(rows, ("parameter", "type", "required", "default", "description"), "It takes no parameters.")


VERBS = {
    "list": Command(
        "the actions that can be run",
        _configure_list,
        _list,
        examples="  st2 action list\n  st2 action list --pack core",
    ),
    "get": Command(
        "one action with its parameters",
        _configure_get,
        _get,
        examples="  st2 action get core.local",
    ),
    **action_changes.VERBS,
    "execute": Command(
        "run an action (same as `st2 run`)",
        _configure_execute,
        _execute,
        description=(
            "Runs an action, waits for its end and shows the result.\n"
            "Values are cast to the types that the action declares: true, 5, a,b,c or [1, 2] for an array, a=1,b=2 or\n"
            '{"a": 1} for an object; @name=path takes the content of a file. The first word without "=" starts the\n'
            "parameter cmd. Exits with 1 when the execution failed."
        ),
        examples=(
            "  st2 run core.local cmd='echo hello'\n"
            "  st2 run core.local timeout=5 -- ls -l /tmp\n"
            "  st2 run --tail examples.lines count=10\n"
            "  st2 run -a core.local cmd='sleep 60'       do not wait\n"
            "  st2 run -k stdout core.local date          only what it printed\n"
            "  st2 run core.local --help                  the action's parameters"
        ),
        takes_words=True,
        own_help=True,
    ),
}
