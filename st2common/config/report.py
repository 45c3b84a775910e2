"""Telling what a configuration file has that nobody reads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from oslo_config import cfg

from st2common.config.options import list_opts, list_unused

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileValue:
    """One assignment as it stands in a file."""

    file: str
    group: str
    name: str


def values_of(config: cfg.ConfigOpts) -> Iterator[FileValue]:
    """Every assignment of every file that ``config`` was loaded from, in order."""
    for file in config.config_file or []:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(file, sections).parse()
        for group, values in sections.items():
            for name in values:
                yield FileValue(file, group, name)


def report(config: cfg.ConfigOpts) -> None:
    """Log what was loaded: a warning for each option that does not exist, a note for each that is not used.

    To be called once logging is configured.
    """
    used, unused = _names(list_opts()), _names(list_unused())
    for value in values_of(config):
        if _place(value) in unused - used:
            LOG.info("%s: [%s] %s is known but not used: ignored", value.file, value.group, value.name)
    for text in unknown(config):
        LOG.warning("%s: ignored", text)


def unknown(config: cfg.ConfigOpts) -> list[str]:
    """A sentence for each option of the files that does not exist."""
    known = _names(list_opts()) | _names(list_unused())
    return [
        f"{value.file}: [{value.group}] {value.name} is not an option"
        for value in values_of(config)
        if _place(value) not in known
    ]


def _place(value: FileValue) -> tuple[str, str]:
    return value.group, value.name.replace("-", "_")


def _names(groups: list[tuple[str, list[cfg.Opt]]]) -> set[tuple[str, str]]:
    return {
        (group, name)
        for group, options in groups
        for option in options
        for name in [option.dest, *(old.name for old in option.deprecated_opts)]
    }
