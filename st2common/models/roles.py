"""Roles, what they grant, and who has them.

``role_d_b``::

    name               unique
    description
    system             True: always there, not from a file
    permission_grants  ids of documents in ``permission_grant_d_b``

``permission_grant_d_b``::

    resource_uid       action:core:local; None: everything of the permissions' types
    resource_type      action
    permission_types   ["action_execute"]

``user_role_assignment_d_b``::

    user, role         names
    source             the file that says so, relative to the directory of definitions; API where there is none
    is_remote          True: from a group that the user belongs to elsewhere
    description

``group_to_role_mapping_d_b``::

    group              unique; as the authentication backend calls it
    roles              names
    enabled, description, source
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from st2common.models.connection import Document
from st2common.rbac.resolution import Grant, Rights, SystemRole, rights_of

ROLES, GRANTS, ASSIGNMENTS = "role_d_b", "permission_grant_d_b", "user_role_assignment_d_b"
MAPPINGS = "group_to_role_mapping_d_b"

INDEXES = {
    ROLES: [IndexModel([("name", ASCENDING)], name="name", unique=True)],
    MAPPINGS: [IndexModel([("group", ASCENDING)], name="group", unique=True)],
    ASSIGNMENTS: [
        IndexModel([("user", ASCENDING), ("role", ASCENDING), ("source", ASCENDING)], name="key", unique=True)
    ],
}

_DESCRIPTIONS = {
    SystemRole.SYSTEM_ADMIN: "May do everything. For whoever installed the platform.",
    SystemRole.ADMIN: "May do everything.",
    SystemRole.OBSERVER: "May look at everything.",
}


class Roles:
    def __init__(self, database: Database[Document]) -> None:
        self._roles = database[ROLES]
        self._grants = database[GRANTS]
        self._assignments = database[ASSIGNMENTS]
        self._mappings = database[MAPPINGS]

    def prepare(self) -> None:
        """Indexes, and the roles that are always there."""
        for collection in (self._roles, self._mappings, self._assignments):
            collection.create_indexes(INDEXES[collection.name])
        for name, description in _DESCRIPTIONS.items():
            role = {"description": description, "system": True, "permission_grants": []}
            self._roles.update_one({"name": str(name)}, {"$setOnInsert": role}, upsert=True)

    def rights(self, user: str, isolation: bool) -> Rights:
        """What ``user`` may do now. ``isolation``: whether users see only what is their own."""
        names = {found["role"] for found in self._assignments.find({"user": user}, {"role": 1})}
        roles = list(self._roles.find({"name": {"$in": sorted(names)}})) if names else []
        grants = self._grants_of(roles)
        return rights_of(user, {role["name"]: grants[role["name"]] for role in roles}, isolation)

    def _grants_of(self, roles: Collection[Document]) -> dict[str, list[Grant]]:
        ids = [identity for role in roles for identity in role["permission_grants"]]
        found = {stored["_id"]: stored for stored in self._grants.find({"_id": {"$in": ids}})} if ids else {}
        return {
            role["name"]: [_grant(found[identity]) for identity in role["permission_grants"] if identity in found]
            for role in roles
        }

    def find(self, *, system: bool | None = None) -> list[Document]:
        """Roles in their API form, by name."""
        condition = {} if system is None else {"system": system}
        return self._shown(list(self._roles.find(condition).sort("name", ASCENDING)))

    def get(self, name_or_id: str) -> Document | None:
        """A role in its API form."""
        named: list[Document] = [{"name": name_or_id}]
        if ObjectId.is_valid(name_or_id):
            named.append({"_id": ObjectId(name_or_id)})
        found = self._roles.find_one({"$or": named})
        return self._shown([found])[0] if found else None

    def find_assignments(self, filters: Mapping[str, Any]) -> list[Document]:
        """In their API form. ``filters``: user, role, source, is_remote."""
        found = self._assignments.find(dict(filters)).sort([("user", ASCENDING), ("role", ASCENDING)])
        return [_assignment(stored) for stored in found]

    def get_assignment(self, assignment_id: str) -> Document | None:
        identity = ObjectId(assignment_id) if ObjectId.is_valid(assignment_id) else None
        found = self._assignments.find_one({"_id": identity}) if identity else None
        return _assignment(found) if found else None

    def names(self) -> set[str]:
        return {stored["name"] for stored in self._roles.find({}, {"name": 1})}

    def put(self, name: str, description: str, grants: Iterable[Grant]) -> None:
        """Store a custom role in the place of what has had its name."""
        grants = list(grants)
        earlier = self._roles.find_one({"name": name})
        if earlier and set(self._grants_of([earlier])[name]) == set(grants):
            # Nobody's rights change, not even for a moment: streams would be cut.
            self._roles.update_one({"name": name}, {"$set": {"description": description}})
            return
        new = [{"_id": ObjectId(), **_stored_grant(grant)} for grant in grants]
        if new:
            self._grants.insert_many(new)
        role = {"description": description, "system": False, "permission_grants": [grant["_id"] for grant in new]}
        self._roles.update_one({"name": name}, {"$set": role}, upsert=True)
        self._forget_grants(earlier)

    def remove_except(self, names: Collection[str]) -> list[str]:
        """Remove the custom roles that are not among ``names``; which were."""
        gone = list(self._roles.find({"system": False, "name": {"$nin": sorted(names)}}))
        for role in gone:
            self._roles.delete_one({"_id": role["_id"]})
            self._forget_grants(role)
        return [role["name"] for role in gone]

    def assign(self, user: str, role: str, source: str, description: str = "", *, is_remote: bool = False) -> None:
        key = {"user": user, "role": role, "source": source}
        self._assignments.update_one(key, {"$set": {"description": description, "is_remote": is_remote}}, upsert=True)

    def unassign_except(self, kept: Collection[tuple[str, str, str]], **condition: Any) -> int:
        """Remove the assignments that fulfil ``condition`` and are not among ``kept``; how many.

        ``kept``: (user, role, source).
        """
        gone = [
            stored["_id"]
            for stored in self._assignments.find(condition)
            if (stored["user"], stored["role"], stored["source"]) not in kept
        ]
        return self._assignments.delete_many({"_id": {"$in": gone}}).deleted_count if gone else 0

    def put_mappings(self, mappings: Iterable[Document]) -> None:
        """Store these mappings, each with its group, and no others."""
        new = {mapping["group"]: mapping for mapping in mappings}
        for group, mapping in new.items():
            self._mappings.replace_one({"group": group}, mapping, upsert=True)
        self._mappings.delete_many({"group": {"$nin": sorted(new)}})

    def mapped(self, groups: Collection[str]) -> list[Document]:
        """The enabled mappings of these groups."""
        return list(self._mappings.find({"group": {"$in": sorted(groups)}, "enabled": True}))

    def _forget_grants(self, role: Document | None) -> None:
        if role and role["permission_grants"]:
            self._grants.delete_many({"_id": {"$in": role["permission_grants"]}})

    def _shown(self, roles: list[Document]) -> list[Document]:
        grants = self._grants_of(roles)
        return [
            {
                "id": str(role["_id"]),
                "name": role["name"],
                "description": role["description"],
                "system": role["system"],
                "permission_grant_ids": [str(identity) for identity in role["permission_grants"]],
                "permission_grant_objects": [_stored_grant(grant) for grant in grants[role["name"]]],
            }
            for role in roles
        ]


def _grant(stored: Mapping[str, Any]) -> Grant:
    return Grant(frozenset(stored["permission_types"]), stored.get("resource_uid"))


def _stored_grant(grant: Grant) -> Document:
    uid = grant.resource_uid
    return {
        "resource_uid": uid,
        "resource_type": uid.partition(":")[0] if uid else None,
        "permission_types": sorted(grant.permissions),
    }


def _assignment(stored: Mapping[str, Any]) -> Document:
    return {
        "id": str(stored["_id"]),
        "user": stored["user"],
        "role": stored["role"],
        "description": stored["description"],
        "is_remote": stored["is_remote"],
        "source": stored["source"],
    }
