"""Trigger types, triggers that rules hold, and events that come in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from st2common.clock import now_us
from st2common.content import registrar
from st2common.errors import ConflictError, NotFound, TransportError, ValidationError
from st2common.models import trigger_types, triggers
from st2common.models.trigger_instances import TriggerInstances
from st2common.services.trigger_dispatch import UnknownTrigger, dispatch_trigger, re_emit
from st2common.services.triggers import (
    create_trigger,
    create_trigger_type,
    delete_trigger_type,
    hold_trigger,
    release_trigger,
    save_trigger_type,
    update_trigger,
    update_trigger_type,
)
from st2common.transport.memory import MemoryTransport
from st2common.transport.port import Body, Message
from st2common.transport.topology import TRIGGER, TRIGGER_INSTANCES
from st2garbagecollector.sweeper import InstanceSweeper
from tests.conditions import eventually

Documents = Database[dict[str, Any]]

HOOK = {"type": "core.st2.webhook", "parameters": {"url": "x"}}


@pytest.fixture(autouse=True)
def types(database: Documents) -> None:
    registrar.ensure_indexes()
    for metadata in registrar.load_list(registrar.TRIGGER_TYPES):
        save_trigger_type(None, {"pack": "core", **metadata})


@pytest.fixture
def changes(memory_transport: MemoryTransport) -> list[Message]:
    heard: list[Message] = []
    memory_transport.subscribe(heard.append, lambda: None).bind(TRIGGER, "#")
    return heard


@pytest.fixture
def published(memory_transport: MemoryTransport) -> list[str]:
    ids: list[str] = []

    def take(delivery: Any) -> None:
        ids.append(delivery.message.body["trigger_instance_id"])
        delivery.ack()

    memory_transport.consume(TRIGGER_INSTANCES, take, prefetch=10)
    return ids


def test_a_type_without_parameters_has_one_trigger_with_its_name() -> None:
    found = triggers.get("core.st2.generic.actiontrigger")
    assert found is not None
    assert found == {
        "id": found["id"],
        "uid": "trigger:core:st2.generic.actiontrigger:99914b932bd37a50b983c5e7c90ae93b",
        "ref": "core.st2.generic.actiontrigger",
        "name": "st2.generic.actiontrigger",
        "pack": "core",
        "type": "core.st2.generic.actiontrigger",
        "parameters": {},
    }
    assert triggers.find(["core.st2.webhook"]) == ([], 0)


def test_a_trigger_lives_as_long_as_a_rule_holds_it(memory_transport: MemoryTransport, changes: list[Message]) -> None:
    first = hold_trigger(memory_transport, HOOK, "mine.one")
    assert hold_trigger(memory_transport, HOOK, "mine.two") == first
    # Holding it once more counts once.
    assert hold_trigger(memory_transport, HOOK, "mine.two") == first
    assert hold_trigger(memory_transport, {**HOOK, "parameters": {"url": "y"}}, "mine.two") != first
    release_trigger(memory_transport, first["ref"], "mine.two")
    assert triggers.get(first["ref"]) == first
    release_trigger(memory_transport, first["ref"], "mine.one")
    assert triggers.get(first["ref"]) is None
    own = triggers.get("core.st2.generic.inquiry")
    assert own is not None
    hold_trigger(memory_transport, {"type": own["type"]}, "mine.one")
    release_trigger(memory_transport, own["ref"], "mine.one")
    assert triggers.get(own["ref"]) == own
    eventually(lambda: len(changes) == 3)
    assert [(told.routing_key, told.body["trigger"]["parameters"]) for told in changes] == [
        ("create", {"url": "x"}),
        ("create", {"url": "y"}),
        ("delete", {"url": "x"}),
    ]


def test_many_who_hold_one_trigger_at_once(memory_transport: MemoryTransport) -> None:
    held: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: held.append(hold_trigger(memory_transport, HOOK, f"mine.r{n}")["ref"]))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 8
    assert len(set(held)) == 1


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"type": "core.nosuch"}, 'no trigger type "core.nosuch"'),
        ({"type": "core.st2.webhook"}, "'url' is a required property"),
        ({"type": "core.st2.webhook", "parameters": {"url": 1}}, 'parameters of trigger "core.st2.webhook".url: 1'),
        ({"type": "core.st2.webhook", "parameters": {"url": "x", "y": 1}}, "'y' was unexpected"),
    ],
)
def test_triggers_that_cannot_be(wanted: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        hold_trigger(None, wanted, "mine.rule")
    assert text in str(raised.value)


def test_types_over_the_api(memory_transport: MemoryTransport, changes: list[Message]) -> None:
    made = create_trigger_type(memory_transport, {"pack": "mine", "name": "event"})
    with pytest.raises(ConflictError):
        create_trigger_type(memory_transport, {"pack": "mine", "name": "event"})
    with pytest.raises(ValidationError, match="not a JSON schema"):
        update_trigger_type(memory_transport, "mine.event", {"name": "event", "payload_schema": {"type": "objekt"}})
    with pytest.raises(ValidationError, match="cannot be changed"):
        update_trigger_type(memory_transport, "mine.event", {"name": "other"})
    changed = update_trigger_type(memory_transport, made["id"], {"name": "event", "description": "Something."})
    assert changed == {**made, "description": "Something."}
    own = create_trigger(memory_transport, {"type": "core.st2.webhook", "parameters": {"url": "z"}, "name": "named"})
    assert own["ref"] == "core.named"
    moved = update_trigger(memory_transport, own["id"], {"parameters": {"url": "other"}})
    assert (moved["id"], moved["parameters"]) == (own["id"], {"url": "other"})
    delete_trigger_type(memory_transport, "mine.event")
    assert trigger_types.get("mine.event") is None
    assert triggers.get("mine.event") is None
    eventually(lambda: len(changes) == 4)
    assert [told.routing_key for told in changes] == ["create", "create", "update", "delete"]


def test_an_event_is_stored_and_then_published(
    database: Documents, memory_transport: MemoryTransport, published: list[str]
) -> None:
    held = hold_trigger(memory_transport, HOOK, "mine.rule")
    by_parameters = dispatch_trigger(database, memory_transport, trigger=HOOK, payload={"body": {"a": 1}})
    by_ref = dispatch_trigger(
        database, memory_transport, trigger=held["ref"], payload={"body": []}, trace_context={"trace_tag": "t"}
    )
    again = re_emit(database, memory_transport, str(by_ref["_id"]))
    eventually(lambda: len(published) == 3)
    assert published == [str(each["_id"]) for each in (by_parameters, by_ref, again)]
    stored = TriggerInstances(database).get(published[1])
    assert stored == {**by_ref, "trace_context": {"trace_tag": "t"}}
    assert (stored["trigger"], stored["trigger_type"], stored["status"]) == (held["ref"], HOOK["type"], "pending")
    assert again["payload"] == {"body": [], "__context": {"original_id": published[1]}}
    assert again["trace_context"] == {"trace_tag": "t"}


def test_events_that_cannot_be(database: Documents, memory_transport: MemoryTransport) -> None:
    def dispatch(trigger: Any, payload: Any, **more: Any) -> None:
        dispatch_trigger(database, memory_transport, trigger=trigger, payload=payload, **more)

    for unknown in ("core.nosuch", "nosuch", HOOK, {"type": "core.nosuch"}):
        with pytest.raises(UnknownTrigger, match="There is no trigger"):
            dispatch(unknown, {})
    inquiry = "core.st2.generic.inquiry"
    with pytest.raises(ValidationError, match="'route' is a required property"):
        dispatch(inquiry, {"id": "x"})
    with pytest.raises(ValidationError, match="cannot be stored"):
        dispatch(inquiry, {"id": "x", "route": "r", "n": 2**70}, validate_payload=False)
    with pytest.raises(NotFound):
        re_emit(database, memory_transport, "nosuch")
    assert TriggerInstances(database).collection.count_documents({}) == 0
    dispatch(inquiry, {"id": "x"}, validate_payload=False)
    assert TriggerInstances(database).collection.count_documents({}) == 1


def test_what_no_engine_has_seen_to_is_published_again(database: Documents, memory_transport: MemoryTransport) -> None:
    # No queue was declared: the broker refuses the message.
    lost = dispatch_trigger(database, memory_transport, trigger="core.st2.generic.actiontrigger", payload={})
    published: list[str] = []

    def take(delivery: Any) -> None:
        published.append(delivery.message.body["trigger_instance_id"])
        delivery.ack()

    patient = InstanceSweeper(TriggerInstances(database), memory_transport)
    assert patient.run() is False
    memory_transport.consume(TRIGGER_INSTANCES, take, prefetch=10)
    sweeper = InstanceSweeper(TriggerInstances(database), memory_transport, patience=0.0)
    eventually(lambda: sweeper.run() is False and published)
    assert set(published) == {str(lost["_id"])}


class LateBroker(MemoryTransport):
    """It takes every message, but says so too late; ``meanwhile`` happens while one waits for it."""

    def __init__(self, database: Documents, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._database = database
        self._meanwhile = meanwhile
        self.told: list[tuple[str, str]] = []

    def publish(self, exchange: str, routing_key: str, body: Body) -> None:
        self._meanwhile()
        raise TransportError("the broker did not confirm the message")

    def notify(self, exchange: str, routing_key: str, body: Body) -> None:
        stored = TriggerInstances(self._database).get(body["trigger_instance_id"])
        assert stored
        assert "republish_at" in stored, "engines have to know that there may be two messages"
        self.told.append((exchange, body["trigger_instance_id"]))


def test_what_the_broker_does_not_take_goes_out_later(database: Documents) -> None:
    broker = LateBroker(database)
    stored = dispatch_trigger(database, broker, trigger="core.st2.generic.actiontrigger", payload={})
    assert broker.told == [(TRIGGER_INSTANCES.exchange, str(stored["_id"]))]
    [due] = TriggerInstances(database).unprocessed(now_us() + 1, 10)
    assert due["_id"] == stored["_id"], "should it get lost, the sweeper finds it"


def test_what_cannot_be_noted_is_left_to_the_sweeper(database: Documents) -> None:
    """It is stored: whoever dispatches it must not do so again."""
    client: MongoClient[dict[str, Any]] = MongoClient(*database.client.address)
    broker = LateBroker(database, meanwhile=client.close)
    stored = dispatch_trigger(client[database.name], broker, trigger="core.st2.generic.actiontrigger", payload={})
    assert broker.told == []
    [due] = TriggerInstances(database).unprocessed(now_us() + 1, 10)
    assert due["_id"] == stored["_id"]
