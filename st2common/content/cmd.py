"""``st2-register-content``: make the content of the packs known to the platform."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from oslo_config import cfg

from st2common import config as configuration
from st2common.config.clients import connect_database
from st2common.content import pack_environment, paths, registrar
from st2common.content.pack_source import InstallError
from st2common.content.report import Report
from st2common.errors import ConfigError
from st2common.models import connection

LOG = logging.getLogger(__name__)

# Every word that installations use; see registrar.KINDS for those that there is something to register of.
_KINDS = ("actions", "aliases", "configs", "policies", "rules", "runners", "sensors", "triggers")


def main(args: Sequence[str] | None = None) -> int:
    """0: all registered; 1: something was not valid; 2: the configuration is not."""
    options = _parse(sys.argv[1:] if args is None else args)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        stream=sys.stderr,
        format="%(levelname)s %(message)s",
    )
    try:
        report = _register(options)
    except ConfigError as error:
        print(f"st2-register-content: {error}", file=sys.stderr)
        return 2
    for kind, count in report.counts.items():
        print(f"{kind}: {count}")
    if report.errors:
        print(f"not valid: {len(report.errors)}", file=sys.stderr)
    return 1 if report.errors and options.fail else 0


def _register(options: argparse.Namespace) -> Report:
    config = configuration.load(_config_arguments(options), prog="st2-register-content")
    kinds = _kinds(options)
    for kind in kinds:
        if kind not in registrar.KINDS:
            LOG.warning("There are no %s in this version: none registered", kind)
    directories = [options.register_pack] if options.register_pack else list(paths.packs(config).values())
    connect_database(config)
    try:
        report = registrar.register(config, kinds, directories)
    finally:
        connection.disconnect()
    if options.environments or options.register_recreate_virtualenvs:
        _make_environments(config, directories, report, anew=options.register_recreate_virtualenvs)
    return report


def _make_environments(config: cfg.ConfigOpts, directories: Sequence[Path], report: Report, *, anew: bool) -> None:
    for directory in directories:
        pack = directory.name
        if pack in paths.SYSTEM_PACKS or (pack_environment.location(config, pack).exists() and not anew):
            continue
        try:
            pack_environment.build(config, pack, directory, partial(print, flush=True))
            report.add("virtualenvs", 1)
        except InstallError as error:
            LOG.error("%s: %s", directory, error)
            report.errors.append(f"{directory}: {error}")


def _parse(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="st2-register-content", description=__doc__, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    parser.add_argument("--config-dir", action="append", default=[])
    parser.add_argument("--register-all", action="store_true", help="every kind; so does giving none")
    for kind in _KINDS:
        parser.add_argument(f"--register-{kind}", dest="kinds", action="append_const", const=kind)
    parser.add_argument("--register-pack", type=Path, metavar="DIR", help="only the pack in this directory")
    parser.add_argument("--register-fail-on-failure", dest="fail", action="store_true", default=True)
    parser.add_argument("--register-no-fail-on-failure", dest="fail", action="store_false")
    parser.add_argument("--verbose", "-v", action="store_true")
    parser.add_argument(
        "--register-setup-virtualenvs",
        dest="environments",
        action="store_true",
        help="make the virtual environments of packs that have none",
    )
    parser.add_argument("--register-recreate-virtualenvs", action="store_true", help="make those of all packs anew")
    parser.add_argument("--experimental", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(args)


def _kinds(options: argparse.Namespace) -> list[str]:
    if options.register_all or not options.kinds:
        return list(registrar.KINDS)
    return list(dict.fromkeys(options.kinds))


def _config_arguments(options: argparse.Namespace) -> list[str]:
    files = [word for path in options.config_file for word in ("--config-file", path)]
    return files + [word for path in options.config_dir for word in ("--config-dir", path)]


if __name__ == "__main__":
    sys.exit(main())
