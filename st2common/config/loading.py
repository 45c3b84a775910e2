"""Reading the configuration and checking every value of it, before anything is done with one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from st2common.config.options import list_opts, list_unused, register
from st2common.config.report import values_of
from st2common.errors import ConfigError

DEFAULT_FILE = Path("/etc/st2/st2.conf")


def load(args: Sequence[str], prog: str, cli: Sequence[cfg.Opt] = ()) -> cfg.ConfigOpts:
    """The configuration of the command line ``args`` (without the program's name), which may have ``cli`` too.

    Raises:
        ConfigError: a file cannot be read or a value has the wrong type; one line for each.
        SystemExit: ``--help``, or an argument that is none.
    """
    config = cfg.ConfigOpts()
    register(config)
    config.register_cli_opts(cli)
    try:
        config(list(args), prog=prog, default_config_files=_default_files(), default_config_dirs=[], use_env=False)
    except cfg.ConfigFilesNotFoundError as error:
        raise ConfigError(f"there is no configuration file {', '.join(error.config_files)}") from error
    except cfg.ConfigFilesPermissionDeniedError as error:
        raise ConfigError(f"the configuration file {', '.join(error.config_files)} may not be read") from error
    except (cfg.ConfigFileParseError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration cannot be read: {error}".replace("\n", " ")) from error
    problems = _apply_environment(config) + _wrong_values(config)
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def _default_files() -> list[str]:
    named = os.environ.get("ST2_CONFIG_PATH")
    if named:
        return [named]
    return [str(DEFAULT_FILE)] if DEFAULT_FILE.exists() else []


def _options() -> list[tuple[str, cfg.Opt]]:
    return [(group, option) for group, options in [*list_opts(), *list_unused()] for option in options]


def _apply_environment(config: cfg.ConfigOpts) -> list[str]:
    problems = []
    for group, option in _options():
        variable = f"ST2_{group}__{option.dest}".upper()
        if variable not in os.environ:
            continue
        try:
            config.set_override(option.name, os.environ[variable], group=group)
        except ValueError as error:
            problems.append(_problem(f"environment variable {variable}", group, option, error))
    return problems


def _wrong_values(config: cfg.ConfigOpts) -> list[str]:
    problems = []
    for group, option in _options():
        try:
            config[group][option.dest]
        except (ValueError, cfg.Error) as error:
            problems.append(_problem(_file_of(config, group, option), group, option, error.__context__ or error))
    return problems


def _file_of(config: cfg.ConfigOpts, group: str, option: cfg.Opt) -> str:
    """The last file that sets the option: the one that counts."""
    names = {option.name, option.dest, *(old.name for old in option.deprecated_opts)}
    files = [value.file for value in values_of(config) if value.group == group and value.name in names]
    return files[-1] if files else "default"


def _problem(source: str, group: str, option: cfg.Opt, error: Any) -> str:
    # What oslo says of a value quotes it.
    reason = "the value is not valid (a $ is written $$)" if option.secret else " ".join(str(error).split())
    return f"{source}: [{group}] {option.name} must be of type {type(option.type).__name__.lower()}: {reason}"
