"""From grants to rights, as a table."""

from __future__ import annotations

import pytest
from bson import ObjectId

from st2common.rbac import executions
from st2common.rbac.permissions import INCLUDED_IN, PARTS, VERBS
from st2common.rbac.resolution import EVERYTHING, Grant, Rights, SystemRole, rights_of

LOCAL, CORE = "action:core:local", "pack:core"
EXECUTION = {"id": "6b02f22bd23843de9f9e3c84", "action": {"ref": "core.local"}, "context": {"user": "ada"}}
ANYWHERE: tuple[str, ...] = ()


def rights(*grants: tuple[str | None, str], isolation: bool = False) -> Rights:
    own = [Grant(frozenset(permissions.split()), uid) for uid, permissions in grants]
    return rights_of("ada", {"custom": own}, isolation)


@pytest.mark.parametrize(
    ("grant", "permission", "uids", "allowed"),
    [
        # On the thing itself, on its pack, on everything.
        ((LOCAL, "action_view"), "action_view", (LOCAL, CORE), True),
        ((CORE, "action_view"), "action_view", (LOCAL, CORE), True),
        ((None, "action_view"), "action_view", (LOCAL, CORE), True),
        (("action:core:http", "action_view"), "action_view", (LOCAL, CORE), False),
        (("pack:cor", "action_view"), "action_view", (LOCAL, CORE), False),
        # What includes what.
        ((LOCAL, "action_all"), "action_delete", (LOCAL, CORE), True),
        ((LOCAL, "action_execute"), "action_view", (LOCAL, CORE), True),
        ((LOCAL, "action_modify"), "action_view", (LOCAL, CORE), True),
        ((LOCAL, "action_view"), "action_execute", (LOCAL, CORE), False),
        ((LOCAL, "action_modify"), "action_delete", (LOCAL, CORE), False),
        ((None, "action_list"), "action_view", (LOCAL, CORE), False),
        ((CORE, "pack_all"), "action_view", (LOCAL, CORE), False),
        ((None, "key_value_pair_set"), "key_value_pair_view", ("key_value_pair:st2kv.system:k",), True),
        ((None, "runner_type_all"), "runner_type_modify", ("runner_type:noop",), True),
        ((None, "stream_view"), "stream_view", ANYWHERE, True),
        # Without a thing, a grant on one thing is not enough, but for seeing lists.
        (("api_key:abc", "api_key_all"), "api_key_create", ANYWHERE, False),
        ((None, "api_key_all"), "api_key_create", ANYWHERE, True),
        ((CORE, "pack_all"), "pack_install", ANYWHERE, False),
        ((LOCAL, "action_all"), "action_list", ANYWHERE, True),
        ((LOCAL, "action_view"), "action_list", ANYWHERE, False),
    ],
)
def test_what_a_grant_allows(
    grant: tuple[str | None, str], permission: str, uids: tuple[str, ...], allowed: bool
) -> None:
    assert rights(grant).allows(permission, *uids) is allowed


@pytest.mark.parametrize(
    ("grant", "permission", "allowed"),
    [
        ((LOCAL, "action_execute"), "execution_view", True),
        ((LOCAL, "action_execute"), "execution_stop", True),
        ((CORE, "action_execute"), "execution_rerun", True),
        ((CORE, "action_all"), "execution_stop", True),
        ((LOCAL, "action_view"), "execution_view", True),
        ((LOCAL, "action_view"), "execution_stop", False),
        ((None, "execution_view"), "execution_view", True),
        ((None, "execution_all"), "execution_stop", True),
        ((LOCAL, "execution_stop"), "execution_view", False),
        ((None, "execution_list"), "execution_view", False),
        (("execution:6b02f22bd23843de9f9e3c84", "execution_view"), "execution_view", True),
        (("action:core:locals", "action_execute"), "execution_view", False),
    ],
)
def test_rights_over_executions_follow_the_action(
    grant: tuple[str | None, str], permission: str, allowed: bool
) -> None:
    assert executions.may(rights(grant), permission, EXECUTION) is allowed


def test_isolation_leaves_the_own_executions() -> None:
    isolated = rights((None, "execution_view"), isolation=True)
    assert executions.may(isolated, executions.VIEW, EXECUTION)
    assert not executions.may(isolated, executions.VIEW, {**EXECUTION, "context": {"user": "grace"}})
    assert executions.conditions(isolated) == {"$and": [{"context.user": "ada"}]}
    assert not rights_of("ada", {"admin": []}, isolation=True).isolated


def test_the_executions_that_a_list_may_have() -> None:
    assert executions.conditions(EVERYTHING) == {}
    assert executions.conditions(rights((None, "execution_view"))) == {}
    some = rights(
        (LOCAL, "action_execute"),
        ("pack:linux", "action_view"),
        ("rule:core:r", "rule_view"),
        (f"execution:{EXECUTION['id']}", "execution_view"),
    )
    refs, packs, ids = executions.conditions(some)["$and"][0]["$or"]
    assert (refs, packs) == ({"action.ref": {"$in": ["core.local"]}}, {"action.pack": {"$in": ["linux"]}})
    assert ids == {"_id": {"$in": [ObjectId(str(EXECUTION["id"]))]}}
    nothing = executions.conditions(rights())["$and"][0]["$or"]
    assert nothing == [{"action.ref": {"$in": []}}, {"action.pack": {"$in": []}}, {"_id": {"$in": []}}]


@pytest.mark.parametrize("permission", sorted(PARTS))
def test_system_roles(permission: str) -> None:
    reads = permission.endswith(("_list", "_view", "_search"))
    assert rights_of("ada", {SystemRole.OBSERVER: []}, False).allows(permission, "x") is reads
    for role in (SystemRole.ADMIN, SystemRole.SYSTEM_ADMIN):
        assert rights_of("ada", {role: []}, False).allows(permission, "x")
    assert not rights_of("ada", {}, False).allows(permission, "x")


def test_every_permission_of_a_type_is_in_its_all() -> None:
    for resource_type, verbs in VERBS.items():
        if "all" in verbs:
            assert all(f"{resource_type}_all" in INCLUDED_IN[f"{resource_type}_{verb}"] for verb in verbs)


def test_equal_definitions_give_equal_rights() -> None:
    first = rights((LOCAL, "action_view action_execute"), (None, "action_list"))
    assert first == rights((None, "action_list"), (LOCAL, "action_execute action_view"))
    assert first != rights((None, "action_list"))
