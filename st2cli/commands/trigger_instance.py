"""``st2 trigger-instance``: the events that have come in."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import ApiError, CommandError, UsageError
from st2cli.paths import segment

_PATH = "/triggerinstances"
_LISTED = ("id", "trigger", "occurrence_time", "status")
_DEFAULT_PAGE = 50


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--last", type=int, default=_DEFAULT_PAGE, metavar="N", help="how many; default 50, -1: all"
    )
    parser.add_argument("--trigger", help="only of this trigger")
    parser.add_argument("--trigger-type", help="only of triggers of this type, for instance core.st2.webhook")
    parser.add_argument(
        "--status", choices=["pending", "processed", "processing_failed"], help="only those that have come so far"
    )
    parser.add_argument("-g", "--timestamp-gt", help="only after this time, like 2017-08-31T11:51:06Z")
    parser.add_argument("-l", "--timestamp-lt", help="only before this time")


def _list(args: Namespace, session: Session) -> int:
    filters = ("trigger", "trigger_type", "status", "timestamp_gt", "timestamp_lt")
    query = {"limit": args.last, **{name: getattr(args, name) for name in filters}}
    query["include_attributes"] = session.printer.included(_LISTED if session.printer.form == "text" else None)
    found, _ = session.client.page(_PATH, query)
    # The newest stands at the bottom, next to the prompt.
    session.printer.table(found[::-1], _LISTED, "No matching trigger instances.")
    return 0


def _configure_id(parser: ArgumentParser) -> None:
    parser.add_argument("id", help="id of a trigger instance")


def _get(args: Namespace, session: Session) -> int:
    found = session.client.find(f"{_PATH}/{segment(args.id)}")
    if found is None:
        raise CommandError(f'Trigger instance "{args.id}" is not found.')
    session.printer.properties(found, (*_LISTED, "payload") if session.printer.form == "text" else None)
    return 0


def _re_emit(args: Namespace, session: Session) -> int:
    try:
        answer = session.client.post(f"{_PATH}/{segment(args.id)}/re_emit", None)
    except ApiError as error:
        if error.status == 404:
            raise UsageError(f'Trigger instance "{args.id}" is not found.') from error
        raise
    if session.printer.form == "text":
        session.printer.text(answer["message"])
    else:
        session.printer.data(answer)
    return 0


VERBS = {
    "list": Command(
        "the latest events",
        _configure_list,
        _list,
        examples="  st2 trigger-instance list --trigger-type core.st2.webhook",
    ),
    "get": Command(
        "one event with what it says",
        _configure_id,
        _get,
        examples="  st2 trigger-instance get 59a7f8260640fd686303e628",
    ),
    "re-emit": Command(
        "let the same happen once more",
        _configure_id,
        _re_emit,
        examples="  st2 trigger-instance re-emit 59a7f8260640fd686303e628",
    ),
}
