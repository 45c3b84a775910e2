"""Requests made up from the API's own description: none makes it fail, or answer what the description does not say."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from oslo_config import cfg
from pymongo.database import Database
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from st2common.models import action_aliases, policies
from st2common.models.action_aliases import ActionAlias
from st2common.models.policies import Policy

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

# Requests to each route, and as many with bodies that the description forbids. All of it takes less than 25 s.
EXAMPLES = 5
_KINDS = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

POLICY = {"pack": "core", "name": "two", "resource_ref": "core.off", "policy_type": "action.concurrency"}
ALIAS = {"pack": "core", "name": "say", "action_ref": "core.local", "formats": ["say {{cmd}}"]}


@pytest.fixture
def config(config: cfg.ConfigOpts, tmp_path: Path) -> cfg.ConfigOpts:
    """What is written and read lies in the test's directory."""
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"packs": {"core": {"name": "core", "keywords": ["a"]}}}))
    config.set_override("base_path", str(tmp_path), group="system")
    config.set_override("system_packs_base_path", str(tmp_path), group="content")
    config.set_override("packs_base_paths", str(tmp_path), group="content")
    config.set_override("index_url", [f"file://{index}"], group="content")
    return config


@pytest.fixture
def known(client: FlaskClient, database: Database[dict[str, Any]], started: dict[str, Any]) -> dict[str, str]:
    """Values of the routes' variables that name something: else all answers would be 404."""
    policies.save(Policy.from_metadata({**POLICY, "parameters": {"threshold": 2, "action": "delay"}}))
    action_aliases.save(ActionAlias.from_metadata(ALIAS))
    client.put("/v1/keys/greeting", json={"value": "hello"})
    key = client.post("/v1/apikeys", json={"user": "stanley"}).json
    return {
        "execution_id": started["id"],
        "ref_or_id": "core.local",
        "pack": "core",
        "name_or_id": "local-shell-cmd",
        "id_or_key": key["id"],
        "trace_id": client.get("/v1/traces").json[0]["id"],
    }


def test_the_api_does_what_it_says(app: Flask, known: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    failures = []
    operations = [found.ok() for found in schema.get_all_operations()]
    # What is asked for is deleted at last.
    for operation in sorted(operations, key=lambda operation: operation.method == "delete"):
        # What is the same under an old path.
        if operation.definition.raw.get("deprecated"):
            continue
        for kind in _KINDS if operation.body else _KINDS[:1]:
            try:
                _probe(operation, kind, known)
            except (Exception, FailureGroup) as error:
                failures.append(f"{operation.label} {kind}: {error}")
    assert not failures, "\n\n".join(failures)


def _probe(operation: Any, kind: GenerationMode, known: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        # The same requests in each run: who has broken nothing is not stopped.
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=kind))
    def probe(case: Case) -> None:
        _name_what_is_there(case, known)
        if case.operation.definition.raw["operationId"] == "raw_output.raw_output":
            # Of what never ends, not the end.
            case.query = {**(case.query or {}), "follow": "false"}
        case.call_and_validate(checks=CHECKS)

    probe()


def _name_what_is_there(case: Case, known: dict[str, str]) -> None:
    for name, value in (case.path_parameters or {}).items():
        if name in known and zlib.crc32(repr(value).encode()) % 2:
            case.path_parameters[name] = known[name]
    if isinstance(case.body, dict) and isinstance(case.body.get("action"), str):
        case.body["action"] = "core.hello"
