"""Definitions: YAML files that say which roles there are, and who has them.

Below ``<[system] base_path>/rbac``::

    roles/*.yaml        name!, description, enabled, permission_grants: [{resource_uid, permission_types!}]
    assignments/*.yaml  username!, roles!, description, enabled
    mappings/*.yaml     group!, roles!, description, enabled

Applied as a whole or not at all: a file that is not valid changes nobody's rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.content import loader
from st2common.content.errors import ContentError
from st2common.models.connection import Document
from st2common.models.roles import Roles
from st2common.rbac.permissions import PARTS, VERBS, fit
from st2common.rbac.resolution import Grant, SystemRole

_TEXT = {"type": "string", "minLength": 1}
_COMMON = {"description": {"type": ["string", "null"]}, "enabled": {"type": "boolean"}}
_ROLES = {"type": "array", "items": _TEXT}
_GRANT = {
    "type": "object",
    "required": ["permission_types"],
    "additionalProperties": False,
    "properties": {
        "resource_uid": {"type": ["string", "null"], "minLength": 1},
        "permission_types": {"type": "array", "items": _TEXT, "minItems": 1},
    },
}

#: Directory -> the key that names what a file defines, and the schema of the file.
KINDS: Mapping[str, tuple[str, Document]] = {
    "roles": ("name", {"permission_grants": {"type": ["array", "null"], "items": _GRANT}}),
    "assignments": ("username", {"roles": _ROLES}),
    "mappings": ("group", {"roles": _ROLES}),
}

Files = dict[str, Document]


@dataclass
class Definitions:
    """What the enabled files say; each by its path below the directory of definitions."""

    roles: Files = field(default_factory=dict)
    assignments: Files = field(default_factory=dict)
    mappings: Files = field(default_factory=dict)
    #: What is wrong, with file and line where that is known.
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Applied:
    """How many of each there are now, and how many assignments were removed."""

    roles: int
    assignments: int
    mappings: int
    removed: int


def read(directory: Path) -> Definitions:
    """All definitions below ``directory``, in the order of their names."""
    found = Definitions()
    for kind in KINDS:
        files: Files = getattr(found, kind)
        names: dict[str, str] = {}
        for path in sorted((directory / kind).glob("*.yaml")):
            try:
                content = _checked(kind, path)
            except ContentError as error:
                found.errors.append(str(error))
                continue
            name = content[KINDS[kind][0]]
            # Several files may give roles to one user.
            if kind != "assignments" and name in names:
                found.errors.append(f'{path}: "{name}" is defined by {names[name]} already')
            names[name] = path.name
            if content.get("enabled", True) or kind == "mappings":
                files[f"{kind}/{path.name}"] = content
    _check_references(directory, found)
    return found


def apply(definitions: Definitions, roles: Roles) -> Applied:
    """Make the stored roles, assignments and mappings those of ``definitions``, which must have no errors.

    Assignments that did not come from files stay: those of remote groups, and those made by other means.
    """
    for content in definitions.roles.values():
        grants = [_grant(grant) for grant in content.get("permission_grants") or []]
        roles.put(content["name"], content.get("description") or "", grants)
    kept = {
        (content["username"], role, source)
        for source, content in definitions.assignments.items()
        for role in content["roles"]
    }
    for source, content in definitions.assignments.items():
        for role in dict.fromkeys(content["roles"]):
            roles.assign(content["username"], role, source, content.get("description") or "")
    # A prefix as a range, since the database need not know regular expressions; "0" follows "/".
    removed = roles.unassign_except(kept, source={"$gte": "assignments/", "$lt": "assignments0"})
    roles.remove_except([content["name"] for content in definitions.roles.values()])
    roles.put_mappings(_mapping(source, content) for source, content in definitions.mappings.items())
    return Applied(len(definitions.roles), len(kept), len(definitions.mappings), removed)


def _checked(kind: str, path: Path) -> Document:
    content = loader.load(path)
    name, own = KINDS[kind]
    required = [name] if kind == "roles" else [name, "roles"]
    schema = {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {name: _TEXT, **_COMMON, **own},
    }
    error = best_match(Draft4Validator(schema).iter_errors(content))
    if error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{path}: {where + ': ' if where else ''}{error.message}")
    if kind == "roles":
        _check_role(path, content)
    return content


def _check_role(path: Path, role: Document) -> None:
    if role["name"] in set(SystemRole):
        raise ContentError(f'{path}: the role "{role["name"]}" is the platform\'s own')
    for grant in role.get("permission_grants") or []:
        uid = grant.get("resource_uid")
        resource_type = uid.partition(":")[0] if uid else None
        if resource_type is not None and resource_type not in VERBS:
            raise ContentError(f'{path}: resource_uid "{uid}" begins with no type of resource')
        for permission in grant["permission_types"]:
            if permission not in PARTS:
                raise ContentError(f'{path}: there is no permission "{permission}"')
            if resource_type is not None and permission not in fit(resource_type):
                raise ContentError(f'{path}: "{permission}" cannot be granted on "{uid}"')


def _check_references(directory: Path, found: Definitions) -> None:
    known = {content["name"] for content in found.roles.values()} | set(SystemRole)
    for files in (found.assignments, found.mappings):
        for source, content in files.items():
            missing = [role for role in content["roles"] if role not in known]
            if missing and not found.errors:
                found.errors.append(f"{directory / source}: no such role: {', '.join(missing)}")


def _grant(grant: Mapping[str, Any]) -> Grant:
    return Grant(frozenset(grant["permission_types"]), grant.get("resource_uid"))


def _mapping(source: str, content: Mapping[str, Any]) -> Document:
    return {
        "group": content["group"],
        "roles": list(dict.fromkeys(content["roles"])),
        "description": content.get("description") or "",
        "enabled": content.get("enabled", True),
        "source": source,
    }
