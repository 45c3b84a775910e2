"""Access control."""

from __future__ import annotations

from oslo_config import cfg

GROUPS: dict[str, list[cfg.Opt]] = {
    "rbac": [
        cfg.BoolOpt("enable", default=False, help="Let users do only what their roles say. Needs [auth] enable."),
        cfg.BoolOpt(
            "sync_remote_groups",
            default=False,
            help="At each login, give users the roles that the groups have which the authentication backend tells.",
        ),
        cfg.BoolOpt(
            "permission_isolation",
            default=False,
            help="Show users who are no administrators their own executions and rules only.",
        ),
    ],
}
