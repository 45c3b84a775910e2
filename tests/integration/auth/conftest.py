"""A platform with authentication on: its auth service and its API on one database, and users with cheap hashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from oslo_config import cfg
from passlib.hash import bcrypt
from pymongo.database import Database

from st2api import application, service
from st2api.auth.application import make_app
from st2common import config as configuration
from st2common.auth.api_keys import ApiKeys
from st2common.auth.tokens import Tokens
from st2common.models import actions, runner_types
from st2common.models.actions import Action
from st2common.models.runner_types import RunnerType
from st2common.transport.memory import MemoryTransport

RUNNER = {
    "name": "local-shell-cmd",
    "description": "Runs commands.",
    "runner_package": "local_runner",
    "runner_module": "local_shell_command_runner",
    "runner_parameters": {"cmd": {"type": "string"}},
}
ACTION = {"pack": "core", "name": "local", "runner_type": "local-shell-cmd"}


@pytest.fixture
def config(tmp_path: Path) -> cfg.ConfigOpts:
    passwords = tmp_path / "htpasswd"
    cheap = bcrypt.using(rounds=4)
    passwords.write_text(f"ada:{cheap.hash('secret')}\ngrace:{cheap.hash('hopper')}\nchatops:{cheap.hash('bot')}\n")
    options = configuration.load([], "st2auth")
    options.set_override("backend_kwargs", json.dumps({"file_path": str(passwords)}), group="auth")
    return options


@pytest.fixture
def auth(config: cfg.ConfigOpts, database: Database[dict[str, Any]]) -> FlaskClient:
    """The authentication service."""
    Tokens(database).ensure_indexes()
    return make_app(config, database).test_client()


@pytest.fixture
def app(
    config: cfg.ConfigOpts, database: Database[dict[str, Any]], memory_transport: MemoryTransport
) -> Iterator[Flask]:
    runner_types.save(RunnerType.from_metadata(RUNNER))
    actions.save(Action.from_metadata(ACTION))
    service.prepare(database, memory_transport)
    flask = application.make_app(config, database, memory_transport)
    yield flask
    application.close(flask)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """The API, for a client that keeps no cookies."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def tokens(database: Database[dict[str, Any]], app: Flask) -> Tokens:
    return Tokens(database)


@pytest.fixture
def keys(database: Database[dict[str, Any]], app: Flask) -> ApiKeys:
    return ApiKeys(database)
