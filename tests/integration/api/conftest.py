"""An API application on a real database, with the action ``core.local`` registered, and logs written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api import application, service
from st2common import config as configuration
from st2common.models import actions, packs, runner_types
from st2common.models.actions import Action
from st2common.models.packs import Pack
from st2common.models.runner_types import RunnerType
from st2common.transport.memory import MemoryTransport
from tests.printer import Printer

LOCAL_RUNNER = {
    "name": "local-shell-cmd",
    "description": "A runner to execute local actions as a fixed user.",
    "runner_package": "local_runner",
    "runner_module": "local_shell_command_runner",
    "runner_parameters": {
        "cmd": {"type": "string", "description": "Command."},
        "sudo": {"type": "boolean", "default": False},
        "sudo_password": {"type": "string", "secret": True},
        "timeout": {"type": "integer", "default": 60},
    },
}
LOCAL_ACTION = {
    "pack": "core",
    "name": "local",
    "description": "Runs a command.",
    "runner_type": "local-shell-cmd",
    "parameters": {"cmd": {"type": "string", "required": True}, "sudo": {"immutable": True}},
    "metadata_file": "actions/local.yaml",
}
CORE_PACK = {
    "ref": "core",
    "name": "core",
    "description": "Basic core actions.",
    "version": "1.0.1",
    "author": "Somebody",
    "email": "info@example.com",
    "files": ["pack.yaml"],
}


@pytest.fixture
def config() -> cfg.ConfigOpts:
    options = configuration.load([], "st2api")
    options.set_override("user", "stanley", group="system_user")
    options.set_override("enable", False, group="auth")
    return options


@pytest.fixture
def content(database: Database[dict[str, Any]], tmp_path: Any) -> None:
    (tmp_path / "core" / "actions").mkdir(parents=True)
    (tmp_path / "core" / "actions" / "hello.py").write_text("print('hello')\n")
    (tmp_path / "secret.py").write_text("outside of the pack\n")
    runner_types.save(RunnerType.from_metadata(LOCAL_RUNNER))
    packs.save(Pack.from_manifest({**CORE_PACK, "path": str(tmp_path / "core")}))
    actions.save(Action.from_metadata(LOCAL_ACTION))
    script = {"runner_type": "local-shell-cmd", "pack": "core"}
    actions.save(Action.from_metadata({**script, "name": "hello", "entry_point": "hello.py"}))
    actions.save(Action.from_metadata({**script, "name": "outside", "entry_point": "../../secret.py"}))
    actions.save(Action.from_metadata({**script, "name": "off", "enabled": False}))


@pytest.fixture
def app(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], memory_transport: MemoryTransport, content: None
) -> Iterator[Flask]:
    service.prepare(database, memory_transport)
    flask = application.make_app(config, database, memory_transport)
    yield flask
    application.close(flask)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def started(client: FlaskClient) -> dict[str, Any]:
    """An execution that was just accepted."""
    response = client.post("/v1/executions", json={"action": "core.local", "parameters": {"cmd": "date"}})
    assert response.status_code == 201
    document: dict[str, Any] = response.json
    return document


@pytest.fixture
def printer(database: Database[dict[str, Any]], started: dict[str, Any]) -> Printer:
    return Printer(database, started["id"])


@pytest.fixture
def print_of(database: Database[dict[str, Any]]) -> Callable[..., Printer]:
    return lambda execution_id, **options: Printer(database, execution_id, **options)
