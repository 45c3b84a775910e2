"""From the grants that a user has to what the user may do. No database here: values in, an answer out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from st2common.rbac.permissions import INCLUDED_IN, READING


class SystemRole(StrEnum):
    """Roles that are always there, and that no file defines."""

    SYSTEM_ADMIN = "system_admin"
    ADMIN = "admin"
    OBSERVER = "observer"


ADMINS = frozenset({SystemRole.SYSTEM_ADMIN, SystemRole.ADMIN})


@dataclass(frozen=True)
class Grant:
    permissions: frozenset[str]
    #: What it holds for, and for what belongs to that; None: everything of the permissions' types.
    resource_uid: str | None = None


#: Role -> what it grants, beside those that may do everything.
SYSTEM_GRANTS: Mapping[str, frozenset[Grant]] = {SystemRole.OBSERVER: frozenset({Grant(READING)})}


@dataclass(frozen=True)
class Rights:
    """What one user may do now. Equal rights allow the same."""

    user: str = ""
    #: Sorted.
    roles: tuple[str, ...] = ()
    grants: frozenset[Grant] = frozenset()
    is_admin: bool = False
    #: The user sees only what is the user's own, of executions and rules.
    isolated: bool = False

    def allows(self, permission: str, *uids: str) -> bool:
        """Whether the user has ``permission`` on a thing that ``uids`` name: its own, its action's, its pack's.

        Without ``uids``: whether the user has it on everything. To list what there is, having it on one thing is
        enough.
        """
        enough, lists = INCLUDED_IN[permission], permission.endswith("_list")
        return self.is_admin or any(
            grant.permissions & enough and (lists or grant.resource_uid is None or grant.resource_uid in uids)
            for grant in self.grants
        )

    def uids(self, permission: str) -> frozenset[str] | None:
        """The things that the user has ``permission`` on, and on what belongs to them; None: everything."""
        enough = INCLUDED_IN[permission]
        found = {grant.resource_uid for grant in self.grants if grant.permissions & enough}
        if self.is_admin or None in found:
            return None
        return frozenset(uid for uid in found if uid is not None)


#: What everybody has where there is no access control.
EVERYTHING = Rights(is_admin=True)


def rights_of(user: str, roles: Mapping[str, Collection[Grant]], isolation: bool) -> Rights:
    """The rights that ``roles`` (name -> the grants of custom ones) give."""
    grants = {grant for name, own in roles.items() for grant in SYSTEM_GRANTS.get(name, own)}
    is_admin = not ADMINS.isdisjoint(roles)
    return Rights(user, tuple(sorted(roles)), frozenset(grants), is_admin, isolated=isolation and not is_admin)


def content_uids(content: Mapping[str, Any]) -> tuple[str, str]:
    """What names a thing of a pack: its own uid and that of the pack."""
    return content["uid"], pack_uid(content["pack"])


def pack_uid(pack: str) -> str:
    return f"pack:{pack}"
