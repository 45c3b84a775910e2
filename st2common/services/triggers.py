"""The verbs that change trigger types and triggers. Each change of a trigger is told as an event of the exchange
``st2.trigger``, so that timers, webhooks, sensors and the rules engine follow at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import referencing
from bson import ObjectId
from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

from st2common.content import trigger_type_metadata
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import ConflictError, NotFound, ValidationError
from st2common.models import trigger_types, triggers
from st2common.models.connection import Document
from st2common.models.trigger_types import TriggerType, has_parameters
from st2common.services.draft4 import Validator, to_draft4
from st2common.services.timers import check_timer
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import TRIGGER

# Characters: an objection quotes what it objects to.
_MAX_MESSAGE = 1000


def get_trigger_type(ref_or_id: str) -> Document:
    """
    Raises:
        NotFound: there is no such trigger type.
    """
    found = trigger_types.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def create_trigger_type(transport: Transport | None, metadata: Mapping[str, Any]) -> Document:
    """Store a new trigger type; its API form.

    Raises:
        ConflictError: the pack has a trigger type of this name.
        ValidationError: the metadata is not valid.
    """
    complete = trigger_type_metadata.complete({"pack": DEFAULT_PACK, **metadata})
    known = trigger_types.get(f"{complete['pack']}.{complete['name']}")
    if known:
        raise ConflictError(f'Trigger type "{known["ref"]}" already exists.', known["id"])
    return save_trigger_type(transport, complete)


def update_trigger_type(transport: Transport | None, ref_or_id: str, metadata: Mapping[str, Any]) -> Document:
    """Store other metadata in the place of what the type has had; its API form. Its name stays.

    Raises:
        NotFound: there is no such trigger type.
        ValidationError: the metadata is not valid.
    """
    earlier = get_trigger_type(ref_or_id)
    complete = trigger_type_metadata.complete({"pack": earlier["pack"], **metadata})
    if (complete["pack"], complete["name"]) != (earlier["pack"], earlier["name"]):
        raise ValidationError("The name and the pack of a trigger type cannot be changed: rules know it by them.")
    return save_trigger_type(transport, complete)


def save_trigger_type(transport: Transport | None, metadata: Mapping[str, Any]) -> Document:
    """Store a trigger type of complete metadata, in the place of one with its name, and the trigger that a type without
    parameters has; the type's API form."""
    trigger_types.save(TriggerType.from_metadata(metadata))
    saved = get_trigger_type(f"{metadata['pack']}.{metadata['name']}")
    if not has_parameters(saved):
        trigger, made = triggers.keep(saved, {})
        if made:
            _tell(transport, "create", trigger)
    return saved


def delete_trigger_type(transport: Transport | None, ref_or_id: str) -> None:
    """Forget a trigger type and its triggers. Rules that wait for them stay, and wait in vain.

    Raises:
        NotFound: there is no such trigger type.
    """
    known = get_trigger_type(ref_or_id)
    for trigger in triggers.find([known["ref"]])[0]:
        triggers.remove(trigger["ref"])
        _tell(transport, "delete", trigger)
    trigger_types.remove(known["id"])


def get_trigger(ref_or_id: str) -> Document:
    """
    Raises:
        NotFound: there is no such trigger.
    """
    found = triggers.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def hold_trigger(transport: Transport | None, wanted: Mapping[str, Any], holder: str) -> Document:
    """The trigger that ``wanted`` ({type, parameters}) names, made if need be, held by the rule ``holder``.

    Raises:
        ValidationError: there is no such trigger type, or it does not take these parameters.
    """
    trigger_type, parameters = _checked(wanted)
    trigger, made = triggers.hold(trigger_type, parameters, holder)
    if made:
        _tell(transport, "create", trigger)
    return trigger


def release_trigger(transport: Transport | None, ref: str, holder: str) -> None:
    """The rule ``holder`` waits for this trigger no more; it goes with the last one that does."""
    gone = triggers.release(ref, holder)
    if gone:
        _tell(transport, "delete", gone)


def create_trigger(transport: Transport | None, wanted: Mapping[str, Any]) -> Document:
    """Make a trigger that stays until somebody deletes it; the one that is there, where there is one.

    ``wanted``: {type, parameters, name, description}.

    Raises:
        ConflictError: another trigger has this name.
        ValidationError: there is no such trigger type, or it does not take these parameters.
    """
    trigger_type, parameters = _checked(wanted)
    trigger, made = triggers.keep(trigger_type, parameters, wanted.get("name"), wanted.get("description"))
    if made:
        _tell(transport, "create", trigger)
    return trigger


def update_trigger(transport: Transport | None, ref_or_id: str, wanted: Mapping[str, Any]) -> Document:
    """Give a trigger other parameters or another description; its API form. Its type and its name stay.

    Raises:
        NotFound: there is no such trigger.
        ConflictError: there is another trigger with these parameters.
        ValidationError: the type does not take these parameters.
    """
    earlier = get_trigger(ref_or_id)
    _, parameters = _checked({"type": earlier["type"], "parameters": wanted.get("parameters") or {}})
    changes = {
        "parameters": parameters,
        "key": triggers.key_of(earlier["type"], parameters),
        "uid": f"trigger:{earlier['pack']}:{earlier['name']}:{triggers.digest(parameters)}",
        "description": wanted.get("description"),
    }
    triggers.replace(ObjectId(earlier["id"]), changes)
    return _tell(transport, "update", get_trigger(earlier["id"]))


def delete_trigger(transport: Transport | None, ref_or_id: str) -> None:
    """
    Raises:
        NotFound: there is no such trigger.
    """
    known = get_trigger(ref_or_id)
    triggers.remove(known["ref"])
    _tell(transport, "delete", known)


def check_value(schema: Mapping[str, Any], value: Any, what: str) -> None:
    """Whether ``value`` (``what`` names it in the error) fits a schema as packs write them.

    Raises:
        ValidationError: it does not, in the words of JSON schema.
    """
    if not schema:
        return
    # With an empty registry, a reference to another document is an error and not a request to where it lies.
    validator = Validator(to_draft4(schema), registry=referencing.Registry())
    try:
        error = best_match(validator.iter_errors(value))
    except Unresolvable as unresolvable:
        raise ValidationError(f'{what}: its schema refers to "{unresolvable.ref}"') from None
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ValidationError(f"{what}{f'.{place}' if place else ''}: {error.message[:_MAX_MESSAGE]}")


def _checked(wanted: Mapping[str, Any]) -> tuple[Document, Document]:
    """The trigger type, and the parameters found right."""
    type_ref = wanted["type"]
    trigger_type = trigger_types.get(type_ref) if "." in type_ref else None
    if trigger_type is None:
        raise ValidationError(f'There is no trigger type "{type_ref}". `st2 trigger list` shows those that there are.')
    parameters = {name: value for name, value in (wanted.get("parameters") or {}).items() if value is not None}
    check_value(trigger_type["parameters_schema"], parameters, f'parameters of trigger "{type_ref}"')
    check_timer(type_ref, parameters)
    return trigger_type, parameters


def _tell(transport: Transport | None, key: str, trigger: Document) -> Document:
    """Without a transport nobody is told: those who follow find it at their next look."""
    if transport is not None:
        transport.notify(TRIGGER, key, {"v": SCHEMA_VERSION, "trigger": trigger})
    return trigger
