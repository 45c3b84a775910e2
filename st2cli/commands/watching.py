"""Showing the output of an execution while it runs; what ``execution tail`` and ``run --tail`` share."""

from __future__ import annotations

import re
import signal
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from st2cli.command import Session
from st2cli.errors import ApiError, CommandError, StoppedWatching, Unreachable, UsageError
from st2cli.paths import segment
from st2cli.statuses import COMPLETED, WORTH_WAITING

if TYPE_CHECKING:
    from st2cli.tail import Tail
    from st2cli.views import View

# Of a workflow everything below it is shown.
_WITH_STEPS = {"tree": "true"}
# Seconds between two looks at a status: short at first, because most actions are.
_FIRST_INTERVAL, _LONGEST_INTERVAL, _INTERVAL_GROWTH = 0.05, 1.0, 1.3
# Seconds after which a person who waits is told what for.
_SILENCE = 1.0
# Seconds that a command waits for services that do not answer, before it gives up.
_PATIENCE = 600.0


def add_view_options(parser: ArgumentParser) -> None:
    streams = parser.add_mutually_exclusive_group()
    streams.add_argument("--stdout", dest="output_type", action="store_const", const="stdout", help="only stdout")
    streams.add_argument("--stderr", dest="output_type", action="store_const", const="stderr", help="only stderr")
    streams.add_argument("--type", dest="output_type", choices=["stdout", "stderr", "all"], help="the same in one word")
    parser.add_argument("--grep", metavar="REGEX", type=_regex, help="only lines in which this matches")
    parser.add_argument("--raw", action="store_true", help="the exact bytes: no time stamps, terminal escapes included")
    parser.add_argument("--since-seq", type=_position, metavar="N", help="only what comes after this number")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="only what was printed so far")


def watch(session: Session, execution_id: str, options: Namespace) -> str:
    """Shows the output until its end; the status. Raises `Interrupted`."""
    from st2cli.tail import Request, Tail

    view = make_view(session, options)
    kind = None if options.output_type == "all" else options.output_type
    request = Request(execution_id, kind, options.since_seq or "", options.follow, query=_WITH_STEPS)
    tail = Tail(session.client, request, view, session.printer.note)
    try:
        ending = follow_tail(tail) or _ending_of(session, execution_id, wait=options.follow)
    except KeyboardInterrupt:
        view.end(None)
        raise Interrupted(execution_id, tail.seq) from None
    except ApiError as error:
        view.end(None)
        if error.status == 404:
            raise CommandError(f'Execution "{execution_id}" is not found.') from error
        raise
    except CommandError:
        view.end(None)
        raise
    _conclude(session, view, {"execution_id": execution_id, **ending}, options)
    return str(ending["status"])


class Interrupted(StoppedWatching):
    """The person stopped watching an execution."""

    def __init__(self, execution_id: str, seq: str = "") -> None:
        since = f" --since-seq {seq}" if seq else ""
        super().__init__(
            f"\nStopped watching; the execution goes on.\n"
            f"Watch it again: st2 execution tail {execution_id}{since}\n"
            f"End it:         st2 execution cancel {execution_id}"
        )


def wait_for(session: Session, execution_id: str, until: frozenset[str] | None = None) -> str:
    """Waits for a status in ``until`` (None: any that is not worth waiting in) and gives it; rides out restarts.

    On a terminal the wait is told.
    """
    try:
        return _wait_for(session, execution_id, until)
    finally:
        session.printer.progress("")


def _wait_for(session: Session, execution_id: str, until: frozenset[str] | None) -> str:
    interval = _FIRST_INTERVAL
    started = last_contact = time.monotonic()
    complained = False
    while True:
        try:
            status = _status(session, execution_id)
        except (Unreachable, ApiError) as error:
            passing = not isinstance(error, ApiError) or error.status >= 500
            if not passing or time.monotonic() - last_contact > _PATIENCE:
                raise
            if not complained:
                complained = True
                session.printer.note("The API does not answer; waiting for it ...")
            interval = _LONGEST_INTERVAL
        else:
            last_contact = time.monotonic()
            if status in until if until is not None else status not in WORTH_WAITING:
                return status
            if last_contact - started > _SILENCE:
                seconds = round(last_contact - started)
                session.printer.progress(f"{status}, {seconds} s (its output: st2 execution tail {execution_id})")
        time.sleep(interval)
        interval = min(interval * _INTERVAL_GROWTH, _LONGEST_INTERVAL)


def follow_tail(tail: Tail) -> dict[str, Any] | None:
    """:meth:`.Tail.run`, which Ctrl-C ends with KeyboardInterrupt."""
    with _interrupting(tail):
        return tail.run()


@contextmanager
def _interrupting(tail: Tail) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # started in the background by a shell without job control
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: tail.interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def make_view(session: Session, options: Namespace) -> View:
    from st2cli.views import JsonView, LineView, RawView

    printer = session.printer
    if options.raw:
        if options.grep or printer.form != "text":
            raise UsageError("--raw gives bytes, not lines: it goes with neither --grep nor -j/-y.")
        return RawView(printer.stdout.buffer)
    if printer.form == "yaml":
        raise UsageError("Output is shown as text or with -j as JSON, one object a line.")
    if printer.form == "json":
        return JsonView(printer.stdout, grep=options.grep)
    return LineView(
        printer.stdout, columns=printer.columns, colour=printer.colour, grep=options.grep, time=printer.time
    )


def _ending_of(session: Session, execution_id: str, *, wait: bool) -> dict[str, Any]:
    """For an execution whose log has no end record: what its document says."""
    if wait:
        return {"status": wait_for(session, execution_id, COMPLETED)}
    return {"status": _status(session, execution_id)}


def _conclude(session: Session, view: View, ending: dict[str, Any], options: Namespace) -> None:
    if ending["status"] not in COMPLETED:
        view.end(None)
        session.printer.note(f"Execution {ending['execution_id']} has not ended (status={ending['status']}).")
        return
    view.end(ending)
    if options.raw:
        from st2cli.views import completion

        session.printer.note(completion(ending))
    if ending.get("truncated_bytes"):
        session.printer.note(f"{ending['truncated_bytes']} bytes of output were not stored because of a limit.")


def _status(session: Session, execution_id: str) -> str:
    path = f"/executions/{segment(execution_id)}"
    return str(session.client.get(path, {"include_attributes": "id,status"})["status"])


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error


def _position(text: str) -> str:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is None:
        raise ArgumentTypeError(f"{text!r} is no position, as 12 or 12.3 would be")
    return text
