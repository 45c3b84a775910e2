"""``st2 execution``: what has been run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from st2cli.command import Command, Session
from st2cli.commands import running, watching
from st2cli.errors import ApiError, CommandError, UsageError
from st2cli.paths import segment
from st2cli.statuses import SUCCEEDED

if TYPE_CHECKING:
    from st2cli.client import Client

_LIST_ATTRIBUTES = ("id", "action.ref", "context.user", "status", "start_timestamp", "end_timestamp")
_GET_ATTRIBUTES = ("id", "action.ref", "context.user", "parameters", "status", "start_timestamp", "end_timestamp")
_DEFAULT_PAGE = 50


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--last", type=int, default=_DEFAULT_PAGE, metavar="N", help="how many; default 50, -1: all"
    )
    parser.add_argument("--action", help="only of this action")
    parser.add_argument("--status", help="only in this status, for instance running")
    parser.add_argument("--user", help="only of this user")
    parser.add_argument(
        "-s", "--sort", choices=["asc", "desc"], default="desc", help="start at the oldest or the newest"
    )
    parser.add_argument("-l", "--showall", action="store_true", help="also the executions that are steps of others")
    parser.add_argument("-tg", "--timestamp-gt", metavar="TIME", help="started after, as 2026-01-31T10:00:00.000Z")
    parser.add_argument("-tl", "--timestamp-lt", metavar="TIME", help="started before")


def _list(args: Namespace, session: Session) -> int:
    query = {
        "limit": args.last,
        "parent": None if args.showall else "null",
        f"sort_{args.sort}": "True",
        "include_attributes": session.printer.included(_LIST_ATTRIBUTES),
        "action": args.action,
        "status": args.status,
        "user": args.user,
        "timestamp_gt": args.timestamp_gt,
        "timestamp_lt": args.timestamp_lt,
    }
    executions, total = session.client.page("/executions/", query)
    # The newest stands at the bottom, next to the prompt.
    # On a terminal, where room is scarce, the status says how long it took.
    columns = _LIST_ATTRIBUTES[:-1] if session.printer.is_terminal else _LIST_ATTRIBUTES
    session.printer.table(executions[::-1], columns, "No matching executions.")
    if total is not None and 0 < args.last < total and session.printer.form == "text":
        session.printer.note(f"{len(executions)} of {total} executions; -n {total} shows all.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="id of an execution, or last")
    parser.add_argument("-x", "--exclude-result", action="store_true", help="without the result")
    running.add_result_options(parser)


def _get(args: Namespace, session: Session) -> int:
    for execution_id in args.ids:
        query = {"exclude_attributes": "result"} if args.exclude_result else None
        execution = session.client.find(f"/executions/{segment(_resolve(session.client, execution_id))}", query)
        if execution is None:
            raise CommandError(f'Execution "{execution_id}" is not found.')
        running.show_execution(session, execution, args)
    return 0


def _configure_cancel(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="id of an execution, or last")


def _cancel(args: Namespace, session: Session) -> int:
    answers = []
    for given in args.ids:
        execution_id = _resolve(session.client, given)
        try:
            answer = session.client.delete(f"/executions/{segment(execution_id)}")
        except ApiError as error:
            # An unknown id is said and no failure: what should not run does not run.
            if error.status != 404:
                raise
            answer = {"faultstring": error.faultstring}
        answers.append(answer)
        if session.printer.form == "text":
            done = f"execution with id {execution_id} {_how_canceled(answer)}."
            session.printer.text(str(answer.get("faultstring") or done))
    if session.printer.form != "text":
        session.printer.data(answers[0] if len(answers) == 1 else answers)
    return 0


def _how_canceled(answer: dict[str, Any]) -> str:
    return "is being canceled" if answer.get("status") == "canceling" else "canceled"


def _configure_pause(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="id of an execution of a workflow, or last")


def _pause(args: Namespace, session: Session) -> int:
    return _set_status(args, session, "pausing")


def _resume(args: Namespace, session: Session) -> int:
    return _set_status(args, session, "resuming")


def _set_status(args: Namespace, session: Session, status: str) -> int:
    for given in args.ids:
        path = f"/executions/{segment(_resolve(session.client, given))}"
        try:
            execution = session.client.put(path, {"status": status})
        except ApiError as error:
            if error.status == 404:
                raise CommandError(f'Execution "{given}" is not found.') from error
            raise
        if session.printer.form == "text":
            session.printer.block(execution, _GET_ATTRIBUTES)
        else:
            session.printer.data(session.printer.selected(execution))
    return 0


def _configure_rerun(parser: ArgumentParser) -> None:
    parser.add_argument("id", help="id of an execution, or last")
    parser.add_argument("parameters", nargs="*", metavar="name=value", help="what is to be different this time")
    parser.add_argument(
        "--tasks", nargs="+", metavar="TASK", help="of a workflow, only these tasks and what follows them"
    )
    parser.add_argument(
        "--no-reset", nargs="+", default=[], metavar="TASK", help="of those, the ones whose items that succeeded stay"
    )
    parser.add_argument("--delay", type=int, default=0, metavar="MILLISECONDS", help="how long it waits first")
    running.add_run_options(parser)


def _rerun(args: Namespace, session: Session) -> int:
    execution_id = _resolve(session.client, args.id)
    parameters: dict[str, Any] = {}
    if args.parameters:
        from st2cli import values

        old = session.client.find(f"/executions/{segment(execution_id)}", {"include_attributes": "id,action.ref"})
        if old is None:
            raise CommandError(f'Execution "{args.id}" is not found.')
        action, schemas = running.find_action(session.client, old["action"]["ref"])
        parameters = values.parse(args.parameters, schemas, runner=action["runner_type"])
    tasks = args.tasks or []
    if unknown := [task for task in args.no_reset if task not in tasks]:
        raise UsageError(f"--no-reset names {', '.join(unknown)}, which --tasks does not.")
    reset = [task for task in tasks if task not in args.no_reset]
    body = {"parameters": parameters, "tasks": tasks, "reset": reset, "delay": args.delay}
    try:
        execution = session.client.post(f"/executions/{segment(execution_id)}/re_run", body)
    except ApiError as error:
        if error.status == 404:
            raise CommandError(f'Execution "{args.id}" is not found.') from error
        raise
    return running.see_through(session, execution, args)


def _configure_tail(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", default="last", help="id of an execution; default: last")
    watching.add_view_options(parser)
    parser.add_argument("--include-metadata", action="store_true", help="accepted: time and stream are always shown")


def _tail(args: Namespace, session: Session) -> int:
    status = watching.watch(session, _resolve(session.client, args.id), args)
    return 0 if status == SUCCEEDED else 1


def _resolve(client: Client, execution_id: str) -> str:
    """The id behind "last": it must not change while it is used."""
    if execution_id != "last":
        return execution_id
    executions = client.get("/executions/", {"limit": 1, "parent": "null", "include_attributes": "id,status"})
    if not executions:
        raise CommandError("Nothing has been run yet (`st2 run core.local date` would).")
    return str(executions[0]["id"])


VERBS = {
    "list": Command(
        "the latest executions",
        _configure_list,
        _list,
        examples="  st2 execution list\n  st2 execution list --status running --action core.local",
    ),
    "get": Command(
        "one execution with its result",
        _configure_get,
        _get,
        examples="  st2 execution get last\n  st2 execution get -k stdout last\n  st2 execution get last -j",
    ),
    "tail": Command(
        "watch the output of an execution",
        _configure_tail,
        _tail,
        description=(
            "Shows what an execution has printed so far, then what it prints, until it ends. A broken connection is\n"
            "resumed where it was. Exits with 0 only when the execution succeeded."
        ),
        examples=(
            "  st2 execution tail last\n"
            "  st2 execution tail last --grep 'error|warn'\n"
            "  st2 execution tail 59a7f8260640fd686303e628 --stdout --raw > build.log\n"
            "  st2 execution tail last -j | jq -r .line"
        ),
    ),
    "cancel": Command(
        "end an execution",
        _configure_cancel,
        _cancel,
        examples="  st2 execution cancel last",
    ),
    "pause": Command(
        "let a workflow begin no more steps",
        _configure_pause,
        _pause,
        examples="  st2 execution pause last",
    ),
    "resume": Command(
        "let a paused workflow go on",
        _configure_pause,
        _resume,
        examples="  st2 execution resume last",
    ),
    "re-run": Command(
        "run again, with the same parameters or others",
        _configure_rerun,
        _rerun,
        examples="  st2 execution re-run last\n  st2 execution re-run last cmd='echo other' --tail\n"
        "  st2 execution re-run 59a7f8260640fd686303e628 --tasks build test",
        takes_words=True,
    ),
}
