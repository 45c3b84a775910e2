"""``st2-pack-install``, ``st2-pack-download``, ``st2-pack-setup-virtualenv``: packs on this host, without any service.

What they install is made known to the platform by ``st2ctl reload``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from oslo_config import cfg

from st2common import config as configuration
from st2common.content import install as installer
from st2common.content import pack_environment, paths
from st2common.content.pack_source import InstallError
from st2common.errors import ConfigError

#: A line that is there as soon as it is printed, before anything that a child prints.
tell = partial(print, flush=True)


def install(args: Sequence[str] | None = None) -> int:
    """Get packs and make their virtual environments. 0: done; 1: not; 2: the configuration is not valid."""
    return _install("st2-pack-install", "Install packs with what they depend on.", args, environments=True)


def download(args: Sequence[str] | None = None) -> int:
    """Get packs. Exit codes as of :func:`install`."""
    return _install("st2-pack-download", "Get packs, without their virtual environments.", args, environments=False)


def setup_virtualenv(args: Sequence[str] | None = None) -> int:
    """Make the virtual environments of packs that are here. Exit codes as of :func:`install`."""
    parser = _parser("st2-pack-setup-virtualenv", "Make the virtual environments of packs.")
    parser.add_argument("--update", action="store_true", help="keep what is there and bring it up to date")
    options = parser.parse_args(sys.argv[1:] if args is None else args)

    def work(config: cfg.ConfigOpts) -> None:
        for pack in options.pack:
            directory = paths.pack_directory(config, pack)
            if directory is None:
                raise InstallError(f'Pack "{pack}" is not installed')
            pack_environment.build(config, pack, directory, tell, update=options.update)

    return _run(parser.prog, options, work)


def _install(prog: str, about: str, args: Sequence[str] | None, *, environments: bool) -> int:
    parser = _parser(prog, about)
    parser.add_argument(
        "--verify-ssl", action=argparse.BooleanOptionalAction, default=True, help="check certificates (the default)"
    )
    parser.add_argument("--force", action="store_true", help="install also what does not fit this version")
    parser.add_argument("--skip-dependencies", action="store_true", help="only the named packs")
    given = parser.parse_args(sys.argv[1:] if args is None else args)

    def work(config: cfg.ConfigOpts) -> None:
        options = installer.Options(
            force=given.force,
            skip_dependencies=given.skip_dependencies,
            verify_ssl=given.verify_ssl,
            environments=environments,
        )
        for warning in installer.install(config, given.pack, options, tell).warnings:
            tell(f"Warning: {warning}")

    return _run(prog, given, work)


def _parser(prog: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=about, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    parser.add_argument("--config-dir", action="append", default=[])
    parser.add_argument(
        "--pack", action="append", required=True, metavar="PACK", help="may be given several times, =revision behind it"
    )
    return parser


def _run(prog: str, options: argparse.Namespace, work: Callable[[cfg.ConfigOpts], Any]) -> int:
    words = [word for path in options.config_file for word in ("--config-file", path)]
    words += [word for path in options.config_dir for word in ("--config-dir", path)]
    try:
        work(configuration.load(words, prog=prog))
    except ConfigError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except InstallError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    return 0
