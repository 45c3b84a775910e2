"""Requests that become events."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api import webhooks
from st2common.datastore.crypto import CryptoKey, KeyFile
from st2common.services.keys import Caller, Datastore, NewItem
from st2common.services.triggers import create_trigger, save_trigger_type
from st2common.services.webhooks import signature

Documents = Database[dict[str, Any]]


@pytest.fixture(autouse=True)
def hooks(client: FlaskClient) -> None:
    url = {"properties": {"url": {"type": "string"}}}
    save_trigger_type(None, {"pack": "core", "name": "st2.webhook", "parameters_schema": url})
    number = {"properties": {"n": {"type": "integer"}}}
    save_trigger_type(None, {"pack": "core", "name": "event", "payload_schema": number})
    for url in ("sample", "/with/slashes/"):
        create_trigger(None, {"type": "core.st2.webhook", "parameters": {"url": url}})


@pytest.fixture
def events(database: Documents) -> Callable[[], list[dict[str, Any]]]:
    return lambda: list(database["trigger_instance_d_b"].find({}))


Events = Callable[[], list[dict[str, Any]]]


def test_a_request_becomes_an_event(client: FlaskClient, events: Events) -> None:
    secrets = {"X-Auth-Token": "t", "St2-Api-Key": "k", "Cookie": "auth-token=c"}
    answer = client.post("/v1/webhooks/sample", json={"sent": "1"}, headers={**secrets, "X-Mine": "m"})
    assert (answer.status_code, answer.json) == (202, {"sent": "1"})
    [event] = events()
    assert event["payload"]["body"] == {"sent": "1"}
    assert event["payload"]["headers"]["X-Mine"] == event["payload"]["headers_lower"]["x-mine"] == "m"
    assert not {"x-auth-token", "st2-api-key", "cookie"} & set(event["payload"]["headers_lower"])
    assert event["trace_context"]["trace_tag"].startswith("webhook-sample-")


def test_lists_forms_paths_and_tags(client: FlaskClient, events: Events) -> None:
    assert client.post("/v1/webhooks/sample/", json=[1, 2]).status_code == 202
    assert client.post("/webhooks/with/slashes", data={"a": ["1", "2"]}).json == {"a": ["1", "2"]}
    client.post("/v1/webhooks/sample", json={}, headers={"St2-Trace-Tag": "mine"})
    bodies = [event["payload"]["body"] for event in events()]
    assert bodies == [[1, 2], {"a": ["1", "2"]}, {}]
    assert events()[2]["trace_context"] == {"trace_tag": "mine"}


def test_what_is_refused(client: FlaskClient, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.post("/v1/webhooks/nosuch", json={})
    assert (answer.status_code, answer.json) == (404, {"faultstring": "Webhook nosuch not registered with st2"})
    answer = client.post("/v1/webhooks/sample", data="x", content_type="text/plain")
    assert (answer.status_code, answer.json) == (400, {"faultstring": "'x' is not of type 'object', 'array'"})
    assert client.post("/v1/webhooks/sample", data="{bad", content_type="application/json").status_code == 400
    monkeypatch.setattr(webhooks, "MAX_BODY", 100)
    assert client.post("/v1/webhooks/sample", json={"a": "x" * 100}).status_code == 413
    assert events() == []


def test_the_webhook_for_any_trigger(client: FlaskClient, events: Events) -> None:
    told = {"trigger": "core.event", "payload": {"n": 1}}
    answer = client.post("/v1/webhooks/st2", json=told)
    assert (answer.status_code, answer.json) == (202, told)
    assert [(event["trigger"], event["payload"]) for event in events()] == [("core.event", {"n": 1})]
    for wrong in ({}, [], {"trigger": "core.nosuch"}, {"trigger": "core.event", "payload": {"n": "x"}}):
        assert client.post("/v1/webhooks/st2", json=wrong).status_code == 400


def test_lists(client: FlaskClient) -> None:
    listed = client.get("/v1/webhooks?include_attributes=url,type,description").json
    assert sorted(hook["parameters"]["url"] for hook in listed) == ["/with/slashes/", "sample"]
    assert client.get("/v1/webhooks/with/slashes").json["type"] == "core.st2.webhook"
    assert client.get("/v1/webhooks/nosuch").status_code == 404


SECRET = b"open sesame, please"


@pytest.fixture
def signed(client: FlaskClient, config: cfg.ConfigOpts, database: Documents, tmp_path: Path) -> Callable[..., Any]:
    """Sends a signed request to the webhook ``sample``, which has a secret; authentication is on."""
    key_file = tmp_path / "key.json"
    key_file.write_text(CryptoKey.generate().dump())
    key_file.chmod(0o600)
    config.set_override("encryption_key_path", str(key_file), group="keyvalue")
    config.set_override("enable", True, group="auth")
    datastore = Datastore(database, KeyFile.of_config(config))
    text = "whsec_" + base64.b64encode(SECRET).decode()
    datastore.set_key(Caller("ada", True), "webhook_secret:sample", NewItem(text, secret=True))
    datastore.set_key(Caller("ada", True), "webhook_secret:with/slashes", NewItem(text))

    def send(
        request_id: str = "one", age: int = 0, body: bytes = b'{"a": 1}', url: str = "sample", **changes: str
    ) -> Any:
        timestamp = str(int(time.time()) - age)
        headers = {
            "Webhook-Id": request_id,
            "Webhook-Timestamp": timestamp,
            "Webhook-Signature": f"v1,bm90IG1pbmU= {signature(SECRET, request_id, timestamp, body)}",
        }
        sent = changes.pop("body_sent", body.decode())
        return client.post(
            f"/v1/webhooks/{url}", data=sent, content_type="application/json", headers={**headers, **changes}
        )

    return send


def test_a_signature_in_the_place_of_a_token(signed: Callable[..., Any], events: Events) -> None:
    assert signed().status_code == 202
    # Whoever has seen it can send it again, and nothing happens again.
    assert signed().status_code == 202
    assert signed(age=299).status_code == 202
    assert signed("two").status_code == 202
    assert [event["payload"]["body"] for event in events()] == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"age": 301}, "signed more than 300 s before or after now"),
        ({"age": -330}, "signed more than 300 s before or after now"),
        ({"body_sent": '{"a": 2}'}, "the signature is wrong"),
        ({"Webhook-Id": "other"}, "the signature is wrong"),
        ({"Webhook-Timestamp": "1"}, "the signature is wrong"),
        ({"Webhook-Timestamp": "soon"}, "needs Webhook-Id and Webhook-Timestamp"),
        ({"Webhook-Signature": "v1,"}, "the signature is wrong"),
        ({"Webhook-Signature": ""}, "the signature is wrong"),
        ({"url": "nosuch"}, "this webhook has no secret"),
        # A key that everybody can read is none.
        ({"url": "with/slashes"}, "this webhook has no secret"),
        ({"url": "st2"}, "this webhook has no secret"),
        # What is shown first decides.
        ({"X-Auth-Token": "wrong"}, "Invalid or expired"),
    ],
)
def test_what_is_not_signed_well(
    signed: Callable[..., Any], events: Events, changes: dict[str, Any], told: str
) -> None:
    answer = signed(**changes)
    assert (answer.status_code, events()) == (401, [])
    assert told in answer.json["faultstring"]


def test_a_signature_opens_no_other_door(client: FlaskClient, signed: Callable[..., Any]) -> None:
    headers = {"Webhook-Id": "1", "Webhook-Timestamp": "1", "Webhook-Signature": "v1,x"}
    assert client.get("/v1/webhooks/sample", headers=headers).status_code == 401
    assert client.post("/v1/executions", json={}, headers=headers).status_code == 401
