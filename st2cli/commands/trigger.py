"""``st2 trigger``: the kinds of events that rules can wait for."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from st2cli.command import Command, Session
from st2cli.commands.resources import Resource

_TYPES = Resource(
    path="/triggertypes",
    singular="trigger type",
    plural="trigger types",
    listed=("ref", "description"),
    shown=("id", "ref", "pack", "name", "description", "parameters_schema", "payload_schema", "tags"),
    filters={"pack": "only the trigger types of this pack"},
    word="trigger",
    sample="examples.event",
)


def _configure_getspecs(parser: ArgumentParser) -> None:
    parser.add_argument("--type", help="only the triggers of this type")


def _getspecs(args: Namespace, session: Session) -> int:
    triggers = session.client.get("/triggers", {"type": args.type} if args.type else {})
    session.printer.table(triggers, ("ref", "type", "parameters"), "There are no such triggers.")
    return 0


_CHANGES = _TYPES.changing()
VERBS = {
    **_TYPES.reading(),
    "getspecs": Command(
        "the triggers: types with the parameters that rules ask for",
        _configure_getspecs,
        _getspecs,
        examples="  st2 trigger getspecs\n  st2 trigger getspecs --type core.st2.webhook",
    ),
    **{verb: _CHANGES[verb] for verb in ("create", "update", "delete")},
}
