"""Rights over executions. They follow the action: a grant on it or on its pack is one on what it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from st2common.models.connection import Document
from st2common.rbac.resolution import Rights, pack_uid

VIEW = "execution_view"
STOP = "execution_stop"

#: What has to be read of an execution for :func:`may`.
FIELDS: Mapping[str, int] = {"action.uid": 1, "action.ref": 1, "action.pack": 1, "context.user": 1}


def uids(execution: Mapping[str, Any]) -> tuple[str, ...]:
    """What names an execution, in its stored form or that of the API."""
    ref = execution["action"]["ref"]
    pack, _, name = ref.partition(".")
    own = execution.get("id") or str(execution.get("_id", ""))
    return f"execution:{own}", f"action:{pack}:{name}", pack_uid(pack)


def may(rights: Rights, permission: str, execution: Mapping[str, Any]) -> bool:
    if rights.is_admin:
        return True
    if rights.isolated and (execution.get("context") or {}).get("user") != rights.user:
        return False
    return rights.allows(permission, *uids(execution))


def conditions(rights: Rights) -> Document:
    """Of the query for the executions that a user may view; empty where that is every one."""
    if rights.is_admin:
        return {}
    own: Document = {"context.user": rights.user} if rights.isolated else {}
    allowed = rights.uids(VIEW)
    if allowed is None:
        return {"$and": [own]} if own else {}
    refs, packs, ids = [], [], []
    for uid in sorted(allowed):
        kind, _, rest = uid.partition(":")
        if kind == "action":
            refs.append(rest.replace(":", ".", 1))
        elif kind == "pack":
            packs.append(rest)
        elif kind == "execution" and ObjectId.is_valid(rest):
            ids.append(ObjectId(rest))
    visible = {"$or": [{"action.ref": {"$in": refs}}, {"action.pack": {"$in": packs}}, {"_id": {"$in": ids}}]}
    return {"$and": [visible, own] if own else [visible]}
