"""``st2-db``: look whether the database is what this release needs, and make it so."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.errors import ConfigError
from st2common.models import connection, indexes

_EPILOG = """\
check    exit code 0: all indexes are there; 1: some are not, each with a line
migrate  makes the missing ones, and anew those that differ; daemons may run meanwhile

  st2-db check
  st2-db migrate --config-file /etc/st2/st2.conf
"""


def main(args: Sequence[str] | None = None) -> int:
    options = _parse(sys.argv[1:] if args is None else args)
    files = [word for path in options.config_file for word in ("--config-file", path)]
    try:
        database = connect_database(configuration.load(files, prog="st2-db"))
        faults = indexes.check(database) if options.verb == "check" else indexes.repair(database)
    except ConfigError as error:
        print(f"st2-db: {error}", file=sys.stderr)
        return 2
    finally:
        connection.disconnect()
    if options.json:
        print(json.dumps([{"collection": fault.collection, "index": fault.name} for fault in faults], indent=4))
    elif options.verb == "check":
        print("\n".join(map(str, faults)) or "All indexes are there.")
    else:
        print("\n".join(f"{fault.collection}.{fault.name}: made" for fault in faults) or "Nothing was to be done.")
    return 1 if faults and options.verb == "check" else 0


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
