"""Every permission there is, and which others include it.

A permission is ``<resource type>_<verb>``, the text that definitions have in their files: ``action_execute``.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Resource type -> its verbs.
VERBS: Mapping[str, tuple[str, ...]] = {
    "runner_type": ("list", "view", "modify", "all"),
    "pack": (
        *("list", "view", "create", "modify", "delete", "install", "uninstall", "register", "config", "search"),
        *("views_index_health", "all"),
    ),
    "sensor_type": ("list", "view", "modify", "all"),
    "action": ("list", "view", "create", "modify", "delete", "execute", "all"),
    "action_alias": ("list", "view", "create", "modify", "match", "help", "delete", "all"),
    "execution": ("list", "view", "rerun", "stop", "all", "views_filters_list"),
    "rule": ("list", "view", "create", "modify", "delete", "all"),
    "rule_enforcement": ("list", "view"),
    "key_value_pair": ("list", "view", "set", "delete", "all"),
    "webhook": ("list", "view", "create", "send", "delete", "all"),
    "timer": ("list", "view", "all"),
    "api_key": ("list", "view", "create", "modify", "delete", "all"),
    "trace": ("list", "view", "all"),
    "trigger": ("list", "view", "all"),
    "policy_type": ("list", "view", "all"),
    "policy": ("list", "view", "create", "modify", "delete", "all"),
    "stream": ("view",),
    "inquiry": ("list", "view", "respond", "all"),
}

#: Types of what belongs to a pack: a grant on the pack is one on all of it.
PACK_CONTENT = ("action", "action_alias", "sensor_type", "rule", "policy", "execution", "inquiry")
#: Types of what belongs to an action in the same way.
ACTION_CONTENT = ("execution", "inquiry")

# Verbs that only who sees a thing can use. ``match`` and ``help`` show no more of an alias than its formats.
_NEED_VIEW = frozenset({"create", "modify", "delete", "execute", "set", "send", "respond", "config"})
# Who may run an action sees, repeats and stops what it ran; who may see it sees what it did.
_OF_ACTIONS = {
    "execution_view": "action_view",
    "execution_rerun": "action_execute",
    "execution_stop": "action_execute",
    "execution_all": "action_all",
}


def names(resource_type: str) -> list[str]:
    return [f"{resource_type}_{verb}" for verb in VERBS[resource_type]]


#: Permission -> (resource type, verb).
PARTS: Mapping[str, tuple[str, str]] = {
    f"{resource_type}_{verb}": (resource_type, verb) for resource_type, verbs in VERBS.items() for verb in verbs
}


def _included_in(permission: str) -> frozenset[str]:
    resource_type, verb = PARTS[permission]
    found = {permission}
    if "all" in VERBS[resource_type]:
        found.add(f"{resource_type}_all")
    if verb == "view":
        found |= {f"{resource_type}_{other}" for other in VERBS[resource_type] if other in _NEED_VIEW}
    if permission in _OF_ACTIONS:
        found |= _included_in(_OF_ACTIONS[permission])
    return frozenset(found)


#: Permission -> all permissions that include it, itself among them.
INCLUDED_IN: Mapping[str, frozenset[str]] = {permission: _included_in(permission) for permission in PARTS}

#: What shows and changes nothing.
READING = frozenset(permission for permission, (_, verb) in PARTS.items() if verb in ("view", "search")) | frozenset(
    permission for permission in PARTS if permission.endswith("_list")
)


def fit(resource_type: str) -> frozenset[str]:
    """The permissions that can be granted on a thing of this type."""
    content = {"pack": PACK_CONTENT, "action": ACTION_CONTENT}.get(resource_type, ())
    return frozenset(name for each in (resource_type, *content) for name in names(each))
