"""Showing the log of a sensor while it runs."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from st2cli.command import Session
from st2cli.commands.watching import follow_tail, make_view
from st2cli.errors import ApiError, CommandError, StoppedWatching
from st2cli.paths import segment

# The process goes on, in a new log.
_CONTINUED = "continued"
_IN_ORDER = frozenset({"finished", "stopped"})


def watch(session: Session, reference: str, options: Namespace) -> int:
    """Shows the log to the end of the process; the exit code. Raises `StoppedWatching`."""
    from st2cli.tail import Request, Tail

    view = make_view(session, options)
    kind = None if options.output_type == "all" else options.output_type
    since: str = options.since_seq or ""
    query: dict[str, str] = {}
    while True:
        request = Request(reference, kind, since, options.follow, collection="sensortypes", query=query)
        tail = Tail(session.client, request, view, session.printer.note)
        try:
            ending = follow_tail(tail)
        except KeyboardInterrupt:
            view.end(None)
            raise StoppedWatching("\nStopped watching; the sensor goes on.") from None
        except ApiError as error:
            view.end(None)
            if error.status == 404:
                raise CommandError(error.faultstring) from error
            raise
        except CommandError:
            view.end(None)
            raise
        if ending is None or ending["status"] != _CONTINUED:
            break
        since, query = "", {"after": ending["execution_id"]}
    return _conclude(session, reference, view, ending)


def _conclude(session: Session, reference: str, view: Any, ending: dict[str, Any] | None) -> int:
    if ending is None:
        view.end(None)
        session.printer.note(f"Sensor {reference} goes on.")
        return 0
    run = (session.client.find(f"/sensortypes/{segment(reference)}") or {}).get("run") or {}
    # The last run may be another one by now.
    error = run.get("error") if run.get("id") == ending["execution_id"] else None
    ended = {"sensor": reference, "run": ending.pop("execution_id"), **ending, **({"error": error} if error else {})}
    if session.printer.form == "json":
        view.end(ended)
    else:
        view.end(None)
        code = "" if ending.get("exit_code") is None else f", exit code {ending['exit_code']}"
        why = f": {error}" if error else "."
        session.printer.note(f"The process of sensor {reference} has ended (status={ending['status']}{code}){why}")
    return 0 if ending["status"] in _IN_ORDER else 1
