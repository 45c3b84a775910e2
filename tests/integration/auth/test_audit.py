"""Who changes what: the audit log, and what executions record."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo.database import Database

from st2common.auth import action_tokens
from st2common.auth.api_keys import ApiKeys
from st2common.auth.tokens import Tokens
from st2common.log import AUDIT
from st2common.models.executions import Executions

Documents = Database[dict[str, Any]]
Records = Callable[[], list[dict[str, Any]]]

RUN = {"action": "core.local", "parameters": {"cmd": "echo swordfish"}}


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Records:
    """What the audit log has."""

    def read() -> list[dict[str, Any]]:
        found = [record for record in caplog.records if record.name == "st2.audit"]
        assert all(record.levelno == AUDIT for record in found)
        return [json.loads(record.getMessage()) for record in found]

    caplog.set_level(logging.CRITICAL)
    return read


def test_a_change_is_written_down(client: FlaskClient, database: Documents, records: Records) -> None:
    token = Tokens(database).create("ada", 60)
    headers = {"X-Auth-Token": token.token, "X-Request-ID": "mine-1", "X-Forwarded-For": "evil, 192.0.2.7"}
    made = client.post("/v1/executions?x-auth-token=geheim", json=RUN, headers=headers).json
    (record,) = records()
    assert record.pop("time").endswith("Z")
    assert record == {
        "user": "ada",
        "credential": "authentication token",
        "credential_id": token.id,
        "method": "POST",
        "path": "/v1/executions",
        "resource": made["id"],
        "status": 201,
        "request_id": "mine-1",
        "address": "192.0.2.7",
    }
    assert made["context"]["credential"] == {"kind": "authentication token", "user": "ada", "id": token.id}


def test_the_credential_of_an_execution_is_not_what_a_client_says(client: FlaskClient, database: Documents) -> None:
    stored, key = ApiKeys(database).create("chatops")
    forged = {"credential": {"kind": "API key", "user": "root"}}
    headers = {"St2-Api-Key": str(key), "st2-context": json.dumps(forged)}
    expected = {"kind": "API key", "user": "chatops", "id": str(stored["_id"])}
    made = client.post("/v1/executions", json={**RUN, "context": forged}, headers=headers).json
    assert made["context"]["credential"] == expected
    again = client.post(f"/v1/executions/{made['id']}/re_run", json={}, headers=headers).json
    assert again["context"]["credential"] == expected


def test_nobody_acts_in_anothers_name(client: FlaskClient, database: Documents) -> None:
    """Without access control everybody may do everything, but not as somebody else, whose secrets they could read."""
    headers = {"X-Auth-Token": Tokens(database).create("ada", 60).token}
    assert client.post("/v1/executions", json={**RUN, "user": "grace"}, headers=headers).status_code == 403
    told = {"api_user": "grace", "user": "grace"}
    headers["st2-context"] = json.dumps(told)
    made = client.post("/v1/executions", json={**RUN, "user": "ada", "context": told}, headers=headers).json
    assert made["context"]["user"] == "ada"
    assert "api_user" not in made["context"]


def test_what_an_action_changes_names_its_execution(client: FlaskClient, database: Documents, records: Records) -> None:
    token = Tokens(database).create("ada", 60).token
    parent = client.post("/v1/executions", json=RUN, headers={"X-Auth-Token": token}).json["id"]
    own = action_tokens.new_token(parent)
    Executions(database).claim(parent, "host1/1", 2**62, action_tokens.claimed_with(own))
    child = client.post("/v1/executions", json=RUN, headers={"X-Auth-Token": own}).json
    assert records()[-1]["execution_id"] == parent
    assert child["context"]["credential"]["execution_id"] == parent


def test_what_is_refused_is_written_down_too(client: FlaskClient, database: Documents, records: Records) -> None:
    token = Tokens(database).create("ada", 60).token
    assert client.delete(f"/v1/executions/{'0' * 24}", headers={"X-Auth-Token": token}).status_code == 404
    assert client.delete("/v1/executions/last", headers={"X-Auth-Token": "wrong"}).status_code == 401
    found = [(record["user"], record["resource"], record["status"]) for record in records()]
    assert found == [("ada", "0" * 24, 404), (None, "last", 401)]


def test_reading_and_unknown_paths_are_not(client: FlaskClient, database: Documents, records: Records) -> None:
    headers = {"X-Auth-Token": Tokens(database).create("ada", 60).token}
    client.get("/v1/executions", headers=headers)
    client.post("/v1/nosuch", headers=headers)
    client.options("/v1/executions")
    assert records() == []


def test_no_secret_is_in_it(
    client: FlaskClient, database: Documents, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    token = Tokens(database).create("ada", 60).token
    old, key = ApiKeys(database).create("chatops")
    headers = {"X-Auth-Token": token}
    client.post("/v1/executions", json=RUN, headers=headers)
    client.put("/v1/keys/door", json={"value": "sesame"}, headers=headers)
    new = client.post("/v1/apikeys", json={"metadata": {"for": "sesame"}}, headers=headers).json
    client.put(f"/v1/apikeys/{key}", json={"enabled": False}, headers=headers)
    client.delete(f"/api/v1//apikeys/{key}/", headers=headers)
    client.delete(f"/apikeys/{new['key']}/", headers=headers)
    found = records()
    # A key that is named by itself has its id in the answer, unless it is gone.
    assert [record["resource"] for record in found[1:]] == ["door", new["id"], str(old["_id"]), "********", "********"]
    told = "\n".join(record.getMessage() for record in caplog.records if record.name == "st2.audit")
    assert not [secret for secret in (token, str(key), new["key"], "sesame", "swordfish") if secret in told]
