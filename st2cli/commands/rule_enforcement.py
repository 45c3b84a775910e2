"""``st2 rule-enforcement``: which rules matched which events, and what came of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.errors import CommandError
from st2cli.paths import segment

_PATH = "/ruleenforcements"
_LISTED = ("id", "rule.ref", "trigger_instance_id", "execution_id", "status", "failure_reason", "enforced_at")
_DEFAULT_PAGE = 50


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--last", type=int, default=_DEFAULT_PAGE, metavar="N", help="how many; default 50, -1: all"
    )
    parser.add_argument("--trigger-instance", help="only those of the event with this id")
    parser.add_argument("--execution", help="only the one that made the execution with this id")
    parser.add_argument("--rule", dest="rule_ref", help="only those of this rule, <pack>.<name>")
    parser.add_argument("--rule-id", help="only those of the rule with this id")


def _list(args: Namespace, session: Session) -> int:
    filters = ("trigger_instance", "execution", "rule_ref", "rule_id")
    query = {"limit": args.last, **{name: getattr(args, name) for name in filters}}
    found, _ = session.client.page(_PATH, query)
    # The newest stands at the bottom, next to the prompt.
    session.printer.table(found[::-1], _LISTED, "No matching rule enforcements.")
    return 0


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("id", help="id of a rule enforcement")


def _get(args: Namespace, session: Session) -> int:
    found = session.client.find(f"{_PATH}/{segment(args.id)}")
    if found is None:
        raise CommandError(f'Rule enforcement "{args.id}" is not found.')
    session.printer.properties(found, None)
    return 0


VERBS = {
    "list": Command(
        "the latest, with their outcome",
        _configure_list,
        _list,
        examples="  st2 rule-enforcement list --rule examples.webhook_to_action",
    ),
    "get": Command(
        "one of them",
        _configure_get,
        _get,
        examples="  st2 rule-enforcement get 59a7f8260640fd686303e628",
    ),
}
