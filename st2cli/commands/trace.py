"""``st2 trace``: what followed from one event or one request."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import CommandError
from st2cli.paths import segment

_LIST_ATTRIBUTES = ("id", "trace_tag", "start_timestamp")
_DEFAULT_PAGE = 50
_KINDS = {"trigger_instances": "trigger-instance", "rules": "rule", "action_executions": "execution"}


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--last", type=int, default=_DEFAULT_PAGE, metavar="N", help="how many; default 50, -1: all"
    )
    parser.add_argument("-c", "--trace-tag", help="only with this tag")
    parser.add_argument("-e", "--execution", help="only the trace of the execution with this id")
    parser.add_argument("-r", "--rule", help="only traces of the rule with this id")
    parser.add_argument("-g", "--trigger-instance", help="only the trace of the trigger instance with this id")
    parser.add_argument(
        "-s", "--sort", choices=["asc", "desc"], default="desc", help="start at the oldest or the newest"
    )


def _list(args: Namespace, session: Session) -> int:
    query = {
        "limit": args.last,
        f"sort_{args.sort}": "True",
        "trace_tag": args.trace_tag,
        "execution": args.execution,
        "rule": args.rule,
        "trigger_instance": args.trigger_instance,
    }
    traces, total = session.client.page("/traces", query)
    # The newest stands at the bottom, next to the prompt.
    session.printer.table(traces[::-1], _LIST_ATTRIBUTES, "No matching traces.")
    if total is not None and 0 < args.last < total and session.printer.form == "text":
        session.printer.note(f"{len(traces)} of {total} traces; -n {total} shows all.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("id", help="id of a trace; that of an execution which has begun one, too")


def _get(args: Namespace, session: Session) -> int:
    trace = session.client.find(f"/traces/{segment(args.id)}")
    if trace is None:
        raise CommandError(f'Trace "{args.id}" is not found.')
    if session.printer.form != "text":
        session.printer.data(trace)
        return 0
    session.printer.block(trace, _LIST_ATTRIBUTES)
    rows = [{"type": word, "id": item["object_id"], **item} for kind, word in _KINDS.items() for item in trace[kind]]
    rows.sort(key=lambda row: str(row["updated_at"]))
    session.printer.table(rows, ("id", "type", "ref", "updated_at"), "Nothing is left of what it held.")
    return 0


VERBS = {
    "list": Command(
        "the latest traces",
        _configure_list,
        _list,
        examples="  st2 trace list\n  st2 trace list --trace-tag deploy-42",
    ),
    "get": Command(
        "one trace with all that it holds",
        _configure_get,
        _get,
        examples="  st2 trace get 59a7f8260640fd686303e628",
    ),
}
