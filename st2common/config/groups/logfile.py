"""The option that every daemon's group has."""

from __future__ import annotations

from oslo_config import cfg


def logging_file(service: str) -> cfg.Opt:
    return cfg.StrOpt(
        "logging",
        default=f"/etc/st2/logging.{service}.conf",
        help="Logging file (the INI form of Python's logging), used when it exists.",
    )
