"""An engine on a real database, with an action to run and the trigger types of the platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from oslo_config import cfg
from pymongo.database import Database

from st2api import service
from st2common import config as configuration
from st2common.content import registrar, rule_metadata
from st2common.models import actions, runner_types
from st2common.models.actions import Action
from st2common.models.runner_types import RunnerType
from st2common.services.rules import save_rule
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.services.triggers import save_trigger_type
from st2common.transport.memory import MemoryTransport
from st2rulesengine.engine import Engine

Documents = Database[dict[str, Any]]

EVENT = "mine.event"
NOOP_RUNNER = {
    "name": "noop",
    "description": "Does nothing.",
    "runner_package": "noop_runner",
    "runner_module": "noop_runner",
    "runner_parameters": {},
}
PARAMETERS = {
    "text": {"type": "string"},
    "number": {"type": "integer"},
    "thing": {"type": "object"},
    "password": {"type": "string", "secret": True},
}


@pytest.fixture
def config() -> cfg.ConfigOpts:
    options = configuration.load([], "st2rulesengine")
    options.set_override("user", "stanley", group="system_user")
    return options


@pytest.fixture(autouse=True)
def content(database: Documents, memory_transport: MemoryTransport) -> None:
    service.prepare(database, memory_transport)
    registrar.ensure_indexes()
    for metadata in registrar.load_list(registrar.TRIGGER_TYPES):
        save_trigger_type(None, {"pack": "core", **metadata})
    save_trigger_type(None, {"pack": "mine", "name": "event"})
    runner_types.save(RunnerType.from_metadata(NOOP_RUNNER))
    action = {"pack": "mine", "runner_type": "noop", "parameters": PARAMETERS}
    actions.save(Action.from_metadata({**action, "name": "act"}))
    actions.save(Action.from_metadata({**action, "name": "off", "enabled": False}))


@pytest.fixture
def rule(database: Documents) -> Callable[..., dict[str, Any]]:
    """Store a rule."""

    def store(name: str = "rule", criteria: Any = None, **more: Any) -> dict[str, Any]:
        metadata = {
            "pack": "mine",
            "name": name,
            "enabled": True,
            "trigger": {"type": EVENT},
            "criteria": criteria or {},
            "action": {"ref": "mine.act"},
            **more,
        }
        return save_rule(None, rule_metadata.complete(metadata))

    return store


@pytest.fixture
def engine(config: cfg.ConfigOpts, database: Documents, memory_transport: MemoryTransport) -> Engine:
    return Engine(config, database, memory_transport)


@pytest.fixture
def happen(database: Documents, memory_transport: MemoryTransport) -> Callable[..., str]:
    """Dispatch an event; the id of its instance."""

    def dispatch(payload: Any = None, trigger: Any = EVENT, **more: Any) -> str:
        instance = dispatch_trigger(database, memory_transport, trigger=trigger, payload=payload or {"a": 1}, **more)
        return str(instance["_id"])

    return dispatch
