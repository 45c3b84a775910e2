"""``st2-apply-rbac-definitions``: make the roles and their assignments those that the definition files say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.errors import ConfigError
from st2common.models import connection
from st2common.models.roles import Roles
from st2common.rbac import definitions
from st2common.rbac.definitions import Applied, Definitions


def main(args: Sequence[str] | None = None) -> int:
    """0: applied; 1: a definition is not valid, nothing was changed; 2: the configuration is not."""
    options = _parse(sys.argv[1:] if args is None else args)
    try:
        config = configuration.load(_config_arguments(options), prog="st2-apply-rbac-definitions")
        found = definitions.read(Path(config.system.base_path) / "rbac")
        if found.errors:
            print("\n".join(found.errors), file=sys.stderr)
            print("Nothing was changed.", file=sys.stderr)
            return 1
        applied = None if options.check else _apply(config, found)
    except ConfigError as error:
        print(f"st2-apply-rbac-definitions: {error}", file=sys.stderr)
        return 2
    if applied is None:
        print("The definitions are valid.")
        return 0
    print(f"roles: {applied.roles}\nassignments: {applied.assignments}\nmappings: {applied.mappings}")
    if applied.removed:
        print(f"assignments removed: {applied.removed}")
    if not config.rbac.enable:
        print("[rbac] enable is off: everybody may do everything.", file=sys.stderr)
    return 0


def _apply(config: cfg.ConfigOpts, found: Definitions) -> Applied:
    roles = Roles(connect_database(config))
    try:
        roles.prepare()
        return definitions.apply(found, roles)
    finally:
        connection.disconnect()


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="st2-apply-rbac-definitions", description=__doc__, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    parser.add_argument("--config-dir", action="append", default=[])
    parser.add_argument("--check", action="store_true", help="only tell whether the files are valid")
    # Scripts of the family give it.
    parser.add_argument("--verbose", "-v", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(args)


def _config_arguments(options: argparse.Namespace) -> list[str]:
    files = [word for path in options.config_file for word in ("--config-file", path)]
    return files + [word for path in options.config_dir for word in ("--config-dir", path)]


if __name__ == "__main__":
    sys.exit(main())
