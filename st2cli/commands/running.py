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

_STEP_ATTRIBUTES = ("id", "status", "task", "action.ref", "start_timestamp")

Schemas = Mapping[str, Mapping[str, Any]]


def add_result_options(parser: ArgumentParser) -> None:
    """How one execution is shown."""
    parser.add_argument("-d", "--detail", action="store_true", help="show everything that is known of the execution")
    parser.add_argument("-k", "--key", help="print only this part of the result, for instance stdout")
    steps = parser.add_mutually_exclusive_group()
    steps.add_argument("--show-tasks", action="store_true", help="accepted: the steps of a workflow are always shown")
    steps.add_argument(
        "--depth", type=int, default=-1, metavar="N", help="steps of workflows in workflows, so deep; -1: all"
    )
    # What `watch` calls raw are the bytes of the output.
    steps.add_argument("--raw", dest="without_steps", action="store_true", help="of a workflow, not its steps")


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
    if args.key:
        value = lookup(execution.get("result") or {}, args.key)
        if isinstance(value, str) and printer.form == "text":
            printer.value(value)
        else:
            printer.data(value)
    elif printer.form != "text":
        selected = printer.selected(execution)
        if getattr(args, "tail", False) and printer.form == "json":
            # After the live output, which is one object a line, so is this.
            import json

            printer.stdout.write(json.dumps(selected) + "\n")
        else:
            printer.data(selected)
    elif args.detail:
        printer.properties(execution)
    else:
        present = [name for name in RESULT_ATTRIBUTES if lookup(execution, name) is not None]
        printer.block(execution, present)
        shows_steps = printer.asked(present) is present and not args.without_steps and not getattr(args, "tail", False)
        if execution.get("children") and shows_steps:
            _show_steps(session, str(execution["id"]), args.depth)


def _show_steps(session: Session, execution_id: str, depth: int) -> None:
    path = f"/executions/{segment(execution_id)}/children"
    steps = session.client.get(path, {"depth": depth, "result_fmt": "sorted"})
    rows = [{"task": _task_of(step), **step} for step in steps]
    session.printer.text("")
    session.printer.table(rows, _STEP_ATTRIBUTES, "It has no steps.")


def _task_of(step: Mapping[str, Any]) -> str:
    context = step.get("context") or {}
    task = context.get("orquesta") or {}
    name = str(task.get("task_name") or (context.get("chain") or {}).get("name") or "")
    return name if task.get("item_id") is None else f"{name}[{task['item_id']}]"


def _say_how_to_watch(session: Session, execution: Mapping[str, Any]) -> None:
    if session.printer.form != "text":
        session.printer.data(dict(execution))
        return
    session.printer.text(
        f"To get the results, execute:\n st2 execution get {execution['id']}\n\n"
        f"To view output in real-time, execute:\n st2 execution tail {execution['id']}"
    )
