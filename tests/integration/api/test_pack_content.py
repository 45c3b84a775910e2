"""Packs over HTTP: registration, files, configurations, the index."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from st2common.content import registrar

MANIFEST = "name: mine\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n"
SCHEMA = """\
region: {type: string, default: eu}
api_key: {type: string, secret: true, required: true}
nested: {type: object, properties: {password: {type: string, secret: true}, port: {type: integer, default: 1}}}
"""


@pytest.fixture
def pack(tmp_path: Path, config: cfg.ConfigOpts, client: FlaskClient) -> Path:
    config.set_override("base_path", str(tmp_path), group="system")
    config.set_override("system_packs_base_path", str(tmp_path / "packs"), group="content")
    directory = tmp_path / "packs" / "mine"
    (directory / "actions").mkdir(parents=True)
    (directory / "pack.yaml").write_text(MANIFEST)
    (directory / "config.schema.yaml").write_text(SCHEMA)
    (directory / "actions" / "a.yaml").write_text("name: a\nrunner_type: noop\n")
    registrar.register(config)
    return directory


def test_registration(client: FlaskClient, pack: Path, tmp_path: Path) -> None:
    (pack / "actions" / "b.yaml").write_text("name: b\nrunner_type: noop\n")
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides" / "mine.yaml").write_text(
        "actions: {defaults: {enabled: false}, exceptions: {a: {enabled: true}}}"
    )
    response = client.post("/v1/packs/register", json={"types": ["action"], "packs": ["mine"]})
    assert (response.status_code, response.json) == (200, {"actions": 2, "packs": 1, "actions(overridden)": 1})
    assert [client.get(f"/v1/actions/mine.{name}").json["enabled"] for name in "ab"] == [True, False]
    everything = client.post("/v1/packs/register", json={}).json
    assert everything["actions"] > 10
    assert everything["runners"] >= 6
    for wrong in ({"packs": ["nosuch"]}, {"packs": ["../mine"]}, {"types": ["nosuch"]}, {"packs": "mine"}):
        assert client.post("/v1/packs/register", json=wrong).status_code == 400


def test_a_broken_file_fails_registration_unless_it_may(client: FlaskClient, pack: Path) -> None:
    (pack / "actions" / "b.yaml").write_text("name: [\n")
    failed = client.post("/v1/packs/register", json={"packs": ["mine"]})
    assert failed.status_code == 400
    assert f"{pack / 'actions/b.yaml'}:2: " in failed.json["faultstring"]
    tolerated = client.post("/v1/packs/register", json={"packs": ["mine"], "fail_on_failure": False})
    assert tolerated.json["actions"] == 1


def test_unregistration(client: FlaskClient, pack: Path) -> None:
    response = client.post("/v1/packs/unregister", json={"packs": ["mine"]})
    nothing = dict.fromkeys(("aliases", "policies", "rules", "sensors", "triggers"), 0)
    assert response.json == {**nothing, "actions": 1, "config_schemas": 1, "packs": 1}
    assert client.get("/v1/packs/mine").status_code == 404
    assert client.get("/v1/actions?pack=mine").json == []
    assert client.post("/v1/packs/unregister", json={"packs": ["core"]}).status_code == 400


def test_files(client: FlaskClient, pack: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("outside")
    (pack / "link").symlink_to(tmp_path / "secret")
    (pack / "large.txt").write_bytes(b"x" * 500_001)
    (pack / "page.html").write_text("<script>")
    client.post("/v1/packs/register", json={"packs": ["mine"]})
    files = client.get("/v1/packs/views/files/mine").json
    assert {file["file_path"] for file in files} == {
        "pack.yaml",
        "config.schema.yaml",
        "actions/a.yaml",
        "page.html",
    }
    got = client.get("/v1/packs/views/file/mine/actions/a.yaml")
    assert got.text == "name: a\nrunner_type: noop\n"
    assert got.content_type.startswith("application/x-yaml")
    assert client.get("/v1/packs/views/file/mine/page.html").content_type.startswith("text/plain")
    for name, value in (("If-None-Match", got.headers["ETag"]), ("If-Modified-Since", got.headers["Last-Modified"])):
        known = client.get("/v1/packs/views/file/mine/actions/a.yaml", headers={name: value})
        assert (known.status_code, known.data) == (304, b"")
    (pack / "circle").symlink_to("circle")
    (pack / "device").symlink_to("/dev/zero")
    os.mkfifo(pack / "pipe")
    strange = ("%00", "a%00b", "x" * 300, "x/" * 2500, "%FF", "circle", "device", "pipe")
    for unknown in (
        "link",
        "nosuch",
        "actions",
        "..%2F..%2Fsecret",
        "/etc/passwd",
        "actions/..%2f..%2fsecret",
        *strange,
    ):
        assert client.get(f"/v1/packs/views/file/mine/{unknown}").status_code == 404
    assert client.get("/v1/packs/views/files/nosuch").status_code == 404


def test_configurations(client: FlaskClient, pack: Path, tmp_path: Path) -> None:
    assert client.get("/v1/configs/mine").status_code == 404
    assert client.get("/v1/config_schemas/mine").json["attributes"]["region"] == {"type": "string", "default": "eu"}
    assert [schema["pack"] for schema in client.get("/v1/config_schemas").json if schema["pack"] == "mine"] == ["mine"]
    values = {"api_key": "k3y", "nested": {"password": "p4ss", "port": 5}}
    response = client.put("/v1/configs/mine", json=values)
    hidden = {"api_key": "********", "nested": {"password": "********", "port": 5}}
    assert (response.status_code, response.json["values"]) == (200, hidden)
    assert client.get("/v1/configs/mine?show_secrets=true").json["values"] == values
    assert client.get("/v1/configs").json[0]["values"] == hidden
    written = tmp_path / "configs" / "mine.yaml"
    assert "k3y" in written.read_text()
    assert written.stat().st_mode & 0o007 == 0
    # Sending back what was shown keeps the secrets.
    client.put("/v1/configs/mine", json={**hidden, "region": "us"})
    assert client.get("/v1/configs/mine?show_secrets=true").json["values"] == {**values, "region": "us"}
    for wrong in ({}, {"api_key": 5}, {"api_key": "x", "more": 1}, ["x"]):
        refused = client.put("/v1/configs/mine", json=wrong)
        assert refused.status_code == 400
    assert client.put("/v1/configs/nosuch", json={}).status_code == 404
    assert "p4ss" not in client.put("/v1/configs/mine", json={"api_key": ["p4ss"]}).text


def test_the_index(client: FlaskClient, pack: Path, tmp_path: Path, config: cfg.ConfigOpts) -> None:
    first = {"packs": {"demo": {"name": "demo", "description": "Shows Things", "repo_url": "file:///x"}}}
    (tmp_path / "first.json").write_text(json.dumps(first))
    (tmp_path / "second.json").write_text(json.dumps({"packs": {"demo": {"name": "other"}, "web": {"name": "web"}}}))
    (tmp_path / "broken.json").write_text("[]")
    urls = [f"file://{tmp_path}/{name}.json" for name in ("first", "second", "broken", "nosuch")]
    config.set_override("index_url", urls, group="content")
    index = client.get("/v1/packs/index").json
    assert set(index["index"]) == {"demo", "web"}
    assert index["index"]["demo"]["description"] == "Shows Things"
    assert [status["error"] for status in index["status"]] == [None, None, "malformed", "unresponsive"]
    health = client.get("/v1/packs/index/health").json
    assert health["indexes"]["errors"] == {"malformed": 1, "unresponsive": 1}
    assert (health["indexes"]["count"], health["indexes"]["valid"], health["packs"]) == (4, 2, {"count": 2})

    def search(**wanted: Any) -> Any:
        return client.post("/v1/packs/index/search", json=wanted)

    assert [each["name"] for each in search(query="things").json] == ["demo"]
    assert search(query="nothing").json == []
    assert search(pack="demo").json["repo_url"] == "file:///x"
    assert search(pack="nosuch").json == []
    assert search().status_code == 400
