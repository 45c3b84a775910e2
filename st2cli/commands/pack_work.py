"""``st2 pack install`` and ``st2 pack remove``: work that the platform does, and that is watched here."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import Any

from st2cli.command import Command, Session
from st2cli.errors import CommandError, UsageError
from st2cli.paths import segment

_SHOWN = ("ref", "name", "description", "version", "author")
_SUCCEEDED = "succeeded"


class PackRemains(CommandError):
    """The pack is still registered."""

    exit_code = 2


def _configure_install(parser: ArgumentParser) -> None:
    parser.add_argument(
        "packs", nargs="+", metavar="pack", help="a name in the index, a directory, a git URL or org/repo on GitHub"
    )
    parser.add_argument("--force", action="store_true", help="install also what does not fit this version")
    parser.add_argument("--skip-dependencies", action="store_true", help="only the named packs")
    _add_detach(parser)


def _add_detach(parser: ArgumentParser) -> None:
    parser.add_argument("-a", "--async", dest="asynchronous", action="store_true", help="do not wait for the end")


def _install(args: Namespace, session: Session) -> int:
    from pathlib import Path

    # The platform does not know where we are.
    packs = [os.path.normpath(Path.cwd() / pack) if pack.startswith(".") else pack for pack in args.packs]
    body = {"packs": packs, "force": args.force, "skip_dependencies": args.skip_dependencies}
    output = _see_through(session, session.client.post("/packs/install", body)["execution_id"], args)
    if output is None:
        return 0
    for warning in output.get("warning_list") or []:
        session.printer.note(f"Warning: {warning}")
    installed = set(output.get("packs_list") or [])
    present = [pack for pack in session.client.all("/packs") if pack["ref"] in installed]
    session.printer.table(present, _SHOWN, "No packs were installed.")
    return 0


def _configure_remove(parser: ArgumentParser) -> None:
    parser.add_argument("packs", nargs="+", metavar="pack", help="name of the pack")
    _add_detach(parser)


def _remove(args: Namespace, session: Session) -> int:
    known = {pack["ref"]: pack for pack in session.client.all("/packs")}
    unknown = [name for name in args.packs if name not in known]
    if unknown:
        raise UsageError(f"Pack {', '.join(unknown)} is not found.")
    output = _see_through(session, session.client.post("/packs/uninstall", {"packs": args.packs})["execution_id"], args)
    if output is None:
        return 0
    left = [name for name in args.packs if session.client.find(f"/packs/{segment(name)}") is not None]
    if left:
        raise PackRemains(f"Pack {', '.join(left)} is still there.")
    session.printer.table([known[name] for name in args.packs], _SHOWN, "No packs were removed.")
    return 0


def _see_through(session: Session, execution_id: str, args: Namespace) -> dict[str, Any] | None:
    """What the work says about itself at its end; None where nobody waits for that. Its output is shown meanwhile.

    Raises:
        CommandError: the work has failed.
    """
    from st2cli.commands.watching import Interrupted, wait_for, watch

    if args.asynchronous:
        session.printer.text(f"To view output in real-time, execute:\n st2 execution tail {execution_id}")
        return None
    try:
        if session.printer.form == "text":
            watch(session, execution_id, Namespace(output_type=None, grep=None, raw=False, since_seq=None, follow=True))
        status = wait_for(session, execution_id)
    except KeyboardInterrupt:
        raise Interrupted(execution_id) from None
    result = session.client.get(f"/executions/{segment(execution_id)}").get("result") or {}
    output: dict[str, Any] = result.get("output") or {}
    if status != _SUCCEEDED:
        reason = output.get("message") or result.get("error") or "see what it has printed"
        raise CommandError(f"{reason}\nThe execution {execution_id} has ended with status {status}.")
    return output


INSTALL = Command(
    "install packs with what they depend on",
    _configure_install,
    _install,
    description="Each may end in =<version, tag, branch or commit>. What is done is shown while it is done.",
    examples=(
        "  st2 pack install csv\n"
        "  st2 pack install https://git.example.com/ops/stackstorm-ours.git=v1.2.0\n"
        "  st2 pack install file:///srv/packs/ours"
    ),
)
REMOVE = Command("remove packs, their files included", _configure_remove, _remove, examples="  st2 pack remove github")
