"""The verb by which events come into the platform: store the instance, then hand it to the rules engines.

When the broker is away it goes out later; when this process dies before, the sweeper publishes it again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError, WriteError

from st2common.clock import now_us
from st2common.errors import NotFound, TransportError, ValidationError
from st2common.models import rules, trigger_types, triggers
from st2common.models.connection import Document
from st2common.models.trigger_instances import Status, TriggerInstances
from st2common.services.triggers import check_value
from st2common.transport.port import SCHEMA_VERSION, Body, Transport
from st2common.transport.topology import TRIGGER_INSTANCES

LOG = logging.getLogger(__name__)


class UnknownTrigger(ValidationError):
    """There is no such trigger."""


def dispatch_trigger(
    database: Database[Document],
    transport: Transport,
    *,
    trigger: str | Mapping[str, Any],
    payload: Mapping[str, Any],
    trace_context: Mapping[str, Any] | None = None,
    validate_payload: bool = True,
    instance_id: ObjectId | None = None,
) -> Document:
    """Something has happened: store it durably and tell the rules engines; the stored instance.

    ``trigger`` is the reference of a trigger, of a trigger type without parameters, or ``{type, parameters}``.
    ``trace_context`` is {id_} of a trace, or {trace_tag}. ``validate_payload`` stands in the configuration, as
    ``[system] validate_trigger_payload``. ``instance_id`` is for who has to dispatch this event once, however often it
    tries.

    Raises:
        UnknownTrigger: there is no such trigger: no rule waits for it, and none could.
        ValidationError: the payload does not fit the schema of the trigger type, or cannot be stored.
        DuplicateKeyError: there is an instance with this id.
    """
    known = _find(trigger)
    if validate_payload:
        trigger_type = trigger_types.recent(known["type"])
        if trigger_type is None:
            raise UnknownTrigger(f'There is no trigger type "{known["type"]}".')
        check_value(trigger_type["payload_schema"], payload, f'payload of trigger "{known["type"]}"')
    instance = {
        "_id": instance_id or ObjectId(),
        "trigger": known["ref"],
        "trigger_type": known["type"],
        "payload": dict(payload),
        "occurrence_time": now_us(),
        "status": str(Status.PENDING),
    }
    if trace_context:
        instance["trace_context"] = dict(trace_context)
    _insert(database, instance)
    _queue_instance(database, transport, instance["_id"])
    return instance


def dispatch_wanted(
    database: Database[Document],
    transport: Transport,
    events: Mapping[str, Mapping[str, Any]],
    trace_context: Mapping[str, Any] | None = None,
) -> None:
    """Dispatch those of ``events`` ({reference of a trigger: payload}) that an enabled rule waits for: for what the
    platform itself has to tell, and what would otherwise fill the database with events that nobody wants.

    What cannot be dispatched is a line in the log: what it tells about has happened all the same.
    """
    for trigger in rules.wanted(events):
        try:
            payload = events[trigger]
            dispatch_trigger(database, transport, trigger=trigger, payload=payload, trace_context=trace_context)
        except ValidationError as error:
            LOG.warning("Trigger %s does not fire: %s", trigger, error)


def re_emit(database: Database[Document], transport: Transport, instance_id: str) -> Document:
    """Dispatch the payload of an earlier instance again, with a note of which one it was; the new instance.

    Raises:
        NotFound: there is no such instance.
        UnknownTrigger: its trigger is gone meanwhile.
    """
    earlier = TriggerInstances(database).get(instance_id)
    if earlier is None:
        raise NotFound(f'Unable to identify resource with id "{instance_id}".')
    payload = {**(earlier.get("payload") or {}), "__context": {"original_id": instance_id}}
    return dispatch_trigger(
        database,
        transport,
        trigger=earlier["trigger"],
        payload=payload,
        trace_context=earlier.get("trace_context"),
        # What was good enough once; the note is not a part of any schema.
        validate_payload=False,
    )


def publish_instance(transport: Transport, instance_id: ObjectId) -> None:
    """Hand a stored instance to the rules engines.

    Raises:
        TransportError: the broker does not take it.
    """
    transport.publish(TRIGGER_INSTANCES.exchange, TRIGGER_INSTANCES.routing_key, _message(instance_id))


def _queue_instance(database: Database[Document], transport: Transport, instance_id: ObjectId) -> None:
    """The same; what the broker does not take now goes out from this process when it is back."""
    try:
        publish_instance(transport, instance_id)
    except TransportError as error:
        LOG.warning("Trigger instance %s is stored and waits for the broker: %s", instance_id, error)
        try:
            # The broker may have taken the first message all the same. Noted before there is a second one: engines look
            # more closely at what has two.
            TriggerInstances(database).republished(instance_id, 0)
        except PyMongoError:
            LOG.warning("The database is away: trigger instance %s is left to the sweeper", instance_id)
        else:
            transport.notify(TRIGGER_INSTANCES.exchange, TRIGGER_INSTANCES.routing_key, _message(instance_id))


def _message(instance_id: ObjectId) -> Body:
    return {"v": SCHEMA_VERSION, "trigger_instance_id": str(instance_id)}


def _find(trigger: str | Mapping[str, Any]) -> Document:
    if isinstance(trigger, str):
        named, found = trigger, triggers.recent(trigger) if "." in trigger else None
    else:
        named = str(trigger["type"])
        found = triggers.recent_of_type(named, trigger.get("parameters") or {})
    if found is None:
        raise UnknownTrigger(f'There is no trigger "{named}".')
    return found


def _insert(database: Database[Document], instance: Document) -> None:
    try:
        TriggerInstances(database).insert(instance)
    except DuplicateKeyError:
        raise
    except (BSONError, OverflowError, UnicodeEncodeError, WriteError) as error:
        # Integers of more than 64 bits, keys with a NUL, half a surrogate pair, 16 MiB: JSON has them, BSON does not.
        raise ValidationError(f"The payload cannot be stored: {error}") from error
