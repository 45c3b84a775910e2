"""``st2-db``: look whether the database is what this release needs, and make it so."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from pymongo.database import Database

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.errors import ConfigError
from st2common.models import connection, indexes, schema
from st2common.models.connection import Document

_EPILOG = """\
check    exit code 0: schema version and indexes are those that this release needs; 1: they are not, each with a line
migrate  makes this release's schema version of an older one, with the daemons stopped, and the indexes that are missing
         or differ. It may be repeated.

  st2-db check
  st2-db migrate --config-file /etc/st2/st2.conf
"""


def main(args: Sequence[str] | None = None) -> int:
    options = _parse(sys.argv[1:] if args is None else args)
    files = [word for path in options.config_file for word in ("--config-file", path)]
    try:
        database = connect_database(configuration.load(files, prog="st2-db"), check=lambda _: None)
        return (_check if options.verb == "check" else _migrate)(database, options.json)
    except ConfigError as error:
        print(f"st2-db: {error}", file=sys.stderr)
        return 2
    finally:
        connection.disconnect()


def _check(database: Database[Document], as_json: bool) -> int:
    version = schema.stored(database)
    wrong = schema.problem(version)
    faults = indexes.check(database)
    if as_json:
        _print_json({"version": version, "needed": schema.needed(), "indexes": faults})
    else:
        print(wrong or f"The database has schema version {version}, as this release needs it.")
        print("\n".join(map(str, faults)) or "All indexes are there.")
    return 1 if wrong or faults else 0


def _migrate(database: Database[Document], as_json: bool) -> int:
    versions = schema.migrate(database)
    faults = indexes.repair(database)
    if as_json:
        _print_json({"version": schema.needed(), "made": versions, "indexes": faults})
    else:
        done = [f"schema version {version}: made" for version in versions]
        done += [f"{fault.collection}.{fault.name}: made" for fault in faults]
        print("\n".join(done) or "Nothing was to be done.")
    return 0


def _print_json(facts: dict[str, Any]) -> None:
    faults: list[indexes.Fault] = facts["indexes"]
    shown = [{"collection": fault.collection, "index": fault.name} for fault in faults]
    print(json.dumps({**facts, "indexes": shown}, indent=4))


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="st2-db",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("verb", choices=("check", "migrate"))
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main())
