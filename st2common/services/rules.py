"""The verbs that change rules. A rule holds the trigger that it waits for; engines see each change by its count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.content import rule_metadata
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import ConflictError, NotFound
from st2common.models import actions, rules, trigger_types
from st2common.models.connection import Document
from st2common.models.rules import Rule
from st2common.models.secrets import MASK, masked, object_schema
from st2common.services.triggers import hold_trigger, release_trigger
from st2common.transport.port import Transport


def get_rule(ref_or_id: str) -> Document:
    """
    Raises:
        NotFound: there is no such rule.
    """
    found = rules.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def create_rule(transport: Transport | None, metadata: Mapping[str, Any], user: str) -> Document:
    """Store a new rule of ``user``; its API form.

    Raises:
        ConflictError: the pack has a rule of this name.
        ValidationError: the metadata is not valid, or there is no such trigger type.
    """
    complete = rule_metadata.complete({"pack": DEFAULT_PACK, **metadata})
    known = rules.get(f"{complete['pack']}.{complete['name']}")
    if known:
        raise _conflict(known)
    return save_rule(transport, {**complete, "context": {"user": user}})


def update_rule(transport: Transport | None, ref_or_id: str, metadata: Mapping[str, Any]) -> Document:
    """Store other metadata in the place of what the rule has had; its API form. Whose it is does not change.

    Raises:
        NotFound: there is no such rule.
        ConflictError, ValidationError: as :func:`create_rule`.
    """
    earlier = get_rule(ref_or_id)
    complete = rule_metadata.complete({"pack": earlier["pack"], **metadata})
    reference = f"{complete['pack']}.{complete['name']}"
    known = rules.get(reference)
    if known and known["id"] != earlier["id"]:
        raise _conflict(known)
    _keep_hidden(complete["action"], earlier["action"])
    trigger = hold_trigger(transport, complete["trigger"], reference)
    rules.replace(earlier["id"], Rule.from_metadata({**complete, "context": earlier["context"]}, trigger))
    if (earlier["trigger"]["ref"], earlier["ref"]) != (trigger["ref"], reference):
        release_trigger(transport, earlier["trigger"]["ref"], earlier["ref"])
    return get_rule(earlier["id"])


def save_rule(transport: Transport | None, metadata: Mapping[str, Any]) -> Document:
    """Store a rule of complete metadata, in the place of one with its name; its API form.

    Raises:
        ValidationError: there is no such trigger type, or it does not take these parameters.
    """
    reference = f"{metadata['pack']}.{metadata['name']}"
    earlier = rules.get(reference)
    # Held before the rule is there, and released after the rule is gone: no rule waits for a trigger that is not.
    trigger = hold_trigger(transport, metadata["trigger"], reference)
    rules.save(Rule.from_metadata(metadata, trigger))
    if earlier and earlier["trigger"]["ref"] != trigger["ref"]:
        release_trigger(transport, earlier["trigger"]["ref"], reference)
    return get_rule(reference)


def delete_rule(transport: Transport | None, ref_or_id: str) -> None:
    """
    Raises:
        NotFound: there is no such rule.
    """
    remove_rule(transport, get_rule(ref_or_id))


def remove_rule(transport: Transport | None, rule: Mapping[str, Any]) -> None:
    """Forget a rule that is given in its API form."""
    rules.remove(rule["id"])
    release_trigger(transport, rule["trigger"]["ref"], rule["ref"])


def shown(found: list[Document], *, mask: bool) -> list[Document]:
    """Rules as clients may see them: what the action marks as secret is hidden in its parameters where ``mask``."""
    if not mask:
        return found
    schemas: dict[str, Document] = {}
    for rule in found:
        reference = rule["action"]["ref"]
        if reference not in schemas:
            action = actions.recent(reference)
            schemas[reference] = (action or {}).get("parameters") or {}
        hidden = masked(rule["action"]["parameters"], object_schema(schemas[reference]))
        rule["action"] = {**rule["action"], "parameters": hidden}
    return found


def described(rule: Document) -> Document:
    """A rule with the descriptions of its action and its trigger type."""
    action, trigger_type = actions.recent(rule["action"]["ref"]), trigger_types.recent(rule["trigger"]["type"])
    if action:
        rule["action"]["description"] = action.get("description") or ""
    if trigger_type:
        rule["trigger"]["description"] = trigger_type.get("description") or ""
    return rule


def _keep_hidden(action: Document, earlier: Mapping[str, Any]) -> None:
    """Clients send back what they were shown: a mask stands for the value that it has hidden."""
    known = earlier["parameters"]
    given = action.get("parameters") or {}
    action["parameters"] = {
        name: known[name] if value == MASK and name in known else value for name, value in given.items()
    }


def _conflict(known: Document) -> ConflictError:
    return ConflictError(f'Rule "{known["ref"]}" already exists.', known["id"])
