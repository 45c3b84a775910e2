"""The rules of every path: errors, headers, prefixes, bodies, queries."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from st2common.http.app import MAX_BODY_BYTES

NO_ROUTE = "The resource could not be found."
BOTH_LISTS = (
    "exclude_fields and include_fields arguments are mutually exclusive. "
    "You need to provide either one or another, but not both."
)


@pytest.mark.parametrize("path", ["/v1/executions", "/executions/", "/api/v1/executions", "/v1/actionexecutions/"])
def test_every_spelling_of_a_path_is_the_same_resource(client: FlaskClient, started: dict[str, Any], path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert [each["id"] for each in response.json] == [started["id"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nosuch"), ("DELETE", "/v1/executions"), ("POST", "/v1/runnertypes"), ("GET", "/v1/executions/x/y/z")],
)
def test_a_wrong_path_or_method_is_not_found(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method)
    assert (response.status_code, response.json) == (404, {"faultstring": NO_ROUTE})
    assert response.content_type == "application/json"


def test_the_phrase_of_a_status_reads_as_clients_show_it(client: FlaskClient) -> None:
    assert client.get("/v1/nosuch").status == "404 Not Found"
    assert client.post("/v1/executions", json={}).status == "400 Bad Request"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/"])
def test_the_root_tells_the_version(client: FlaskClient, path: str) -> None:
    assert client.get(path).json == {"version": "3.9.0", "docs_url": "http://docs.stackstorm.com/3.9"}


def test_an_unexpected_error_says_nothing_and_is_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("the reason")

    with caplog.at_level(logging.ERROR):
        response = app.test_client().get("/v1/broken")
    assert (response.status_code, response.json) == (500, {"faultstring": "Internal Server Error"})
    assert "the reason" in caplog.text


@pytest.mark.parametrize(
    ("body", "content_type", "fault"),
    [
        (b"{bad", "application/json", "Failed to parse request body: "),
        (b'{"action": "\\ud800"}', "application/json", "Failed to parse request body: "),
        (b'{"action": NaN}', "application/json", "Failed to parse request body: "),
        (b"[" * 100_000, "application/json", "Failed to parse request body: "),
        (b'{"action": 99999999999999999999}', "application/json", "Failed to parse request body: "),
        (b"\xff", "text/plain", "Failed to parse request body: "),
        (b"x", "text/plain", "'x' is not of type 'object'"),
        (b"<a/>", "application/xml", "Failed to parse request body: Unsupported Content-Type: application/xml"),
        (b"action=core.local", "application/x-www-form-urlencoded", "['core.local'] is not of type 'string'"),
        (b"", "application/json", "'action' is a required property"),
        (b"{}", None, "'action' is a required property"),
        (b"null", "application/json", "None is not of type 'object'"),
        (b'{"action": "core.nosuch"}', "application/json", 'Action "core.nosuch" cannot be found.'),
        (b'{"action": "core.local", "zzz": 1}', "application/json", "Additional properties are not allowed ('zzz' was"),
    ],
)
def test_bad_bodies(client: FlaskClient, body: bytes, content_type: str | None, fault: str) -> None:
    response = client.post("/v1/executions", data=body, content_type=content_type)
    assert response.status_code == 400
    assert response.json["faultstring"].startswith(fault)
    assert client.get("/v1/executions").json == []


def test_a_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    response = client.post("/v1/executions", data=b" " * (MAX_BODY_BYTES + 1), content_type="application/json")
    assert response.status_code == 413
    assert "larger than" in response.json["faultstring"]


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=abc", 'Parameter "limit" is not of type integer'),
        ("limit=-5", 'Limit, "-5" specified, must be a positive number.'),
        ("limit=0", 'Limit, "0" specified, must be a positive number.'),
        ("offset=-1", 'Offset, "-1" specified, must be a positive number.'),
        ("show_secrets=maybe", 'Parameter "show_secrets" is not of type boolean'),
        ("include_attributes=nosuch&limit=1", "Invalid or unsupported include attribute specified: nosuch"),
        ("exclude_attributes=log", "Invalid or unsupported exclude attribute specified: log"),
        (
            "include_attributes=id&exclude_attributes=result",
            BOTH_LISTS,
        ),
        ("timestamp_gt=yesterday", '"yesterday" is not a time in UTC like 2017-08-31T11:51:06.961844Z'),
        ("filter=$where:1", 'Filter "$where:1" is not of the form path:value'),
    ],
)
def test_bad_queries(client: FlaskClient, started: dict[str, Any], query: str, fault: str) -> None:
    response = client.get(f"/v1/executions?{query}")
    assert (response.status_code, response.json) == (400, {"faultstring": fault})


def test_unknown_parameters_are_ignored_and_of_repeated_ones_the_last_counts(
    client: FlaskClient, started: dict[str, Any]
) -> None:
    response = client.get("/v1/executions?nosuch=1&limit=abc&limit=7")
    assert response.status_code == 200
    assert response.headers["X-Limit"] == "7"


def test_a_request_id_is_echoed_or_made(client: FlaskClient) -> None:
    assert client.get("/v1", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
    uuid.UUID(client.get("/v1/nosuch").headers["X-Request-ID"])
    # What could forge a line of the log is replaced.
    uuid.UUID(client.get("/v1", headers={"X-Request-ID": "a b\tc"}).headers["X-Request-ID"])


def test_secrets_of_the_query_are_not_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="st2common.http.access_log"):
        client.get("/v1/nosuch%0aforged?x-auth-token=geheim&St2-Api-Key=geheim&limit=1")
    assert "geheim" not in caplog.text
    assert "'limit': '1'" in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


class TestCrossOrigin:
    def test_any_options_request_is_answered(self, client: FlaskClient) -> None:
        response = client.options("/v1/what/ever")
        assert response.status_code == 200
        assert response.data == b""
        assert response.headers["Access-Control-Allow-Methods"] == "GET,POST,PUT,DELETE,OPTIONS"
        allowed = "Content-Type,Authorization,X-Auth-Token,St2-Api-Key,X-Request-ID"
        assert response.headers["Access-Control-Allow-Headers"] == allowed
        exposed = "Content-Type,X-Limit,X-Total-Count,X-Request-ID"
        assert response.headers["Access-Control-Expose-Headers"] == exposed
        assert response.headers["Access-Control-Allow-Credentials"] == "true"

    @pytest.mark.parametrize(
        ("origin", "allowed"),
        [
            (None, "http://127.0.0.1:3000"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:9101", "http://127.0.0.1:9101"),
            ("null", "http://127.0.0.1:3000"),
            ("http://localhost:8080.evil.example", "http://127.0.0.1:3000"),
        ],
    )
    def test_only_listed_origins_are_named(self, client: FlaskClient, origin: str | None, allowed: str) -> None:
        response = client.get("/v1", headers={"Origin": origin} if origin else {})
        assert response.headers["Access-Control-Allow-Origin"] == allowed

    @pytest.mark.parametrize("origin", ["http://evil.example", "null"])
    def test_a_page_from_elsewhere_starts_nothing(self, client: FlaskClient, origin: str) -> None:
        body = json.dumps({"action": "core.local", "parameters": {"cmd": "date"}})
        response = client.post("/v1/executions", data=body, headers={"Origin": origin})
        assert response.status_code == 403
        assert client.get("/v1/executions").json == []

    def test_the_own_page_may(self, client: FlaskClient) -> None:
        body = {"action": "core.local", "parameters": {"cmd": "date"}}
        response = client.post(
            "http://st2.localhost/v1/executions", json=body, headers={"Origin": "http://st2.localhost"}
        )
        assert response.status_code == 201
