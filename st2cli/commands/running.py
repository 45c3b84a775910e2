"""Starting an execution and showing what becomes of it; what ``run`` and ``execution re-run`` share."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from st2cli.command import Session
from st2cli.commands.watching import Interrupted, wait_for, watch
from st2cli.errors import CommandError
from st2cli.paths import segment
from st2cli.statuses import FAILED

if TYPE_CHECKING:
    from st2cli.client import Client

RESULT_ATTRIBUTES = (
    "id",
    "action.ref",
    "context.user",
    "parameters",
    "status",
    "waiting",
    "start_timestamp",
    "end_timestamp",
    "result",
)

Schemas = Mapping[str, Mapping[str, Any]]


def add_result_options(parser: ArgumentParser) -> None:
    """How one execution is shown."""
    parser.add_argument("-d", "--detail", action="store_true", help="show everything that is known of the execution")
    parser.add_argument("-k", "--key", help="print only this part of the result, for instance stdout")
    parser.add_argument(
        "--attr", action="append", metavar="NAME[,NAME]", help="show only these attributes, for instance status,result"
    )


def add_run_options(parser: ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-a", "--async", dest="asynchronous", action="store_true", help="do not wait for the end")
    how.add_argument("--tail", action="store_true", help="show the output while it is printed, then the result")
    add_result_options(parser)
    # What `watch` needs to know of `--tail`.
    parser.set_defaults(output_type=None, grep=None, raw=False, since_seq=None, follow=True)


def find_action(client: Client, ref: str) -> tuple[dict[str, Any], Schemas]:
    """An action and the schemas of all its parameters, those of its runner included."""
    action = client.find(f"/actions/{segment(ref)}")
    if action is None:
        raise CommandError(f'Action "{ref}" is not found (`st2 action list` shows what there is).')
    runners = client.get("/runnertypes", {"name": action["runner_type"]})
    if not runners:
        raise CommandError(f'The runner "{action["runner_type"]}" of action "{ref}" is not registered.')
    schemas: dict[str, Mapping[str, Any]] = dict(runners[0].get("runner_parameters") or {})
    for name, schema in (action.get("parameters") or {}).items():
        schemas[name] = {**schemas.get(name, {}), **schema}
    return action, schemas


def see_through(session: Session, execution: Mapping[str, Any], args: Namespace) -> int:
    """What follows a start: nothing, the live output, or the wait; then the result. The exit code."""
    execution_id = str(execution["id"])
    if args.asynchronous:
        _say_how_to_watch(session, execution)
        return 0
    try:
        if args.tail:
            watch(session, execution_id, args)
        status = wait_for(session, execution_id)
    except KeyboardInterrupt:
        raise Interrupted(execution_id) from None
    show_execution(session, session.client.get(f"/executions/{segment(execution_id)}"), args)
    return 1 if status == FAILED else 0


def show_execution(session: Session, execution: Mapping[str, Any], args: Namespace) -> None:
    """One execution in the form that the options ask for."""
    from st2cli.tables import lookup

    printer = session.printer
    attributes = [name for given in args.attr or () for name in given.split(",") if name]
    if args.key:
        value = lookup(execution.get("result") or {}, args.key)
        if isinstance(value, str) and printer.form == "text":
            printer.value(value)
        else:
            printer.data(value)
    elif printer.form != "text":
        selected = {name: lookup(execution, name) for name in attributes} if attributes else dict(execution)
        if getattr(args, "tail", False) and printer.form == "json":
            # After the live output, which is one object a line, so is this.
            import json

            printer.stdout.write(json.dumps(selected) + "\n")
        else:
            printer.data(selected)
    elif args.detail:
        printer.properties(execution, attributes or None)
    else:
        present = [name for name in RESULT_ATTRIBUTES if lookup(execution, name) is not None]
        printer.block(execution, attributes or present)


def _say_how_to_watch(session: Session, execution: Mapping[str, Any]) -> None:
    if session.printer.form != "text":
        session.printer.data(dict(execution))
        return
    session.printer.text(
        f"To get the results, execute:\n st2 execution get {execution['id']}\n\n"
        f"To view output in real-time, execute:\n st2 execution tail {execution['id']}"
    )
