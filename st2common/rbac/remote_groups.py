"""Roles that users have because of the groups that they belong to elsewhere: looked up at each login."""

from __future__ import annotations

import logging
from collections.abc import Collection

from st2common.models.roles import Roles

LOG = logging.getLogger(__name__)


def sync(roles: Roles, user: str, groups: Collection[str]) -> None:
    """Give ``user`` the roles that ``groups`` are mapped to, and take those away that no group of theirs has."""
    kept = set()
    for mapping in roles.mapped(groups):
        for role in mapping["roles"]:
            kept.add((user, role, mapping["source"]))
            roles.assign(user, role, mapping["source"], f'Member of the group "{mapping["group"]}"', is_remote=True)
    removed = roles.unassign_except(kept, user=user, is_remote=True)
    LOG.info('User "%s" has %d roles by groups; %d were taken away', user, len(kept), removed)
