"""All options: those that the platform uses, and those of other members of the family that it only knows."""

from __future__ import annotations

from oslo_config import cfg

from st2common.config.groups import (
    actionrunner,
    auth,
    garbagecollector,
    http,
    infrastructure,
    keyvalue,
    rbac,
    reactor,
    system,
    unused,
)

_USED = (http, auth, rbac, actionrunner, infrastructure, system, garbagecollector, keyvalue, reactor)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The groups with the options that do something: what the sample file is generated from."""
    return sorted((group, options) for module in _USED for group, options in module.GROUPS.items())


def list_unused() -> list[tuple[str, list[cfg.Opt]]]:
    """Options that a file may have and that change nothing here."""
    return sorted(unused.GROUPS.items())


def register(config: cfg.ConfigOpts) -> None:
    for group, options in [*list_opts(), *list_unused()]:
        config.register_opts(options, group=group)
