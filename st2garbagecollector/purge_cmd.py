"""The tools that purge one kind of document once: ``st2-purge-executions`` and its siblings.

They do what the garbage collector does again and again, for a time that is given instead of a number of days. They may
run beside it, may be stopped at any time, and go on where they stopped when they are started again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from pymongo.errors import PyMongoError

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.errors import ConfigError
from st2common.models import connection
from st2common.models.connection import Document
from st2common.output.log import LogUnavailable
from st2garbagecollector.kinds import Kind, kinds

_EXAMPLES = """examples:
  {prog} --timestamp 2026-03-10T19:01:05Z --dry-run
  {prog} --timestamp 2026-03-10T19:01:05Z
"""

# Seconds between two looks of the bar; a terminal needs no more.
_REDRAW = 0.1
_BAR = 30


class Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, what: str, total: int, stream: TextIO) -> None:
        self._what = what
        self._total = total
        self._stream = stream
        self._shows = stream.isatty()
        self._drawn_at = float("-inf")

    def show(self, done: int, belongings: int, *, last: bool = False) -> None:
        if not self._shows or (time.monotonic() - self._drawn_at < _REDRAW and not last):
            return
        self._drawn_at = time.monotonic()
        part = min(1.0, done / self._total) if self._total else 1.0
        bar = "#" * round(part * _BAR)
        also = f", {belongings:,} documents that belong to them" if belongings else ""
        line = f"\r\033[K{self._what} [{bar:<{_BAR}}] {done:,} of {self._total:,}{also}"
        self._stream.write(line + ("\n" if last else ""))
        self._stream.flush()


def executions() -> int:
    return _main("st2-purge-executions", "executions")


def trigger_instances() -> int:
    return _main("st2-purge-trigger-instances", "trigger instances")


def rule_enforcements() -> int:
    return _main("st2-purge-rule-enforcements", "rule enforcements")


def traces() -> int:
    return _main("st2-purge-traces", "traces")


def tokens() -> int:
    return _main("st2-purge-tokens", "tokens")


def workflows() -> int:
    return _main("st2-purge-workflows", "workflows")


def task_executions() -> int:
    """Tasks of workflows are executions here and have no documents of their own."""
    options = _parser("st2-purge-task-executions", "task executions", incomplete=True).parse_args()
    print(f"Nothing to purge before {_iso(options.timestamp)}: tasks are executions (see st2-purge-executions)")
    return 0


def _main(prog: str, name: str) -> int:
    """0: done; 1: the database went away; 2: the usage or the configuration is wrong."""
    incomplete = name in ("executions", "workflows")
    options = _parser(prog, name, incomplete=incomplete, action_ref=name == "executions").parse_args()
    try:
        config = configuration.load([word for path in options.config_file for word in ("--config-file", path)], prog)
        database = connect_database(config)
    except ConfigError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    try:
        kind = kinds(database)[name]
        return _purge(kind, _condition(kind, options), options)
    except (PyMongoError, LogUnavailable) as error:
        print(f"{prog}: the database went away: {error}. What is purged stays so: start again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{prog}: stopped. What is purged stays so: start again to go on", file=sys.stderr)
        return 130
    finally:
        connection.disconnect()


def _condition(kind: Kind, options: argparse.Namespace) -> Callable[[], Document]:
    """Made anew for each piece: what is running can have ended meanwhile."""
    before_us = int(options.timestamp.timestamp() * 1_000_000)
    incomplete = getattr(options, "purge_incomplete", False) and kind.begun_before is not None
    before = kind.begun_before if incomplete and kind.begun_before else kind.before
    action_ref = getattr(options, "action_ref", None)
    return lambda: {**before(before_us), **({"action.ref": action_ref} if action_ref else {})}


def _purge(kind: Kind, condition: Callable[[], Document], options: argparse.Namespace) -> int:
    total = kind.count(condition())
    when = _iso(options.timestamp)
    if options.dry_run:
        print(f"Would purge {total:,} {kind.name} from before {when}")
        return 0
    progress = Progress(kind.name, total, sys.stderr)
    removed = belongings = 0
    more = True
    while more:
        piece = kind.purge(condition())
        removed, belongings, more = removed + piece.removed, belongings + piece.belongings, piece.more
        progress.show(removed, belongings, last=not more)
    also = f" and {belongings:,} documents that belonged to them" if belongings else ""
    print(f"Purged {removed:,} {kind.name} from before {when}{also}")
    return 0


def _parser(prog: str, what: str, *, incomplete: bool = False, action_ref: bool = False) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=f"Purge {what} that are older than a time.",
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    parser.add_argument(
        "--timestamp", type=_time, required=True, metavar="TIME", help="purge what is older (ISO 8601, UTC)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say how many there are and purge nothing")
    if action_ref:
        parser.add_argument("--action-ref", metavar="PACK.NAME", help="only executions of this action")
    if incomplete:
        parser.add_argument(
            "--purge-incomplete",
            action="store_true",
            help=f"also {what} that have not ended, except those that a runner holds now",
        )
    return parser


def _time(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not a time like 2026-03-10T19:01:05Z') from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
