"""Actions made, changed, copied and deleted over HTTP, and the files that belong to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg

from st2common.content import registrar

SCRIPT = {"name": "hello", "pack": "mine", "runner_type": "local-shell-script", "entry_point": "hello.sh"}
FILES = [{"file_path": "hello.sh", "content": "echo hello\n"}, {"file_path": "lib/more.py", "content": "x = 1\n"}]


@pytest.fixture
def pack(tmp_path: Path, config: cfg.ConfigOpts, client: FlaskClient) -> Path:
    """A pack ``mine`` with a directory of actions, and the platform's own packs."""
    roots = tmp_path / "roots"
    config.set_override("system_packs_base_path", str(roots), group="content")
    directory = roots / "mine"
    (directory / "actions").mkdir(parents=True)
    (directory / "pack.yaml").write_text(
        "name: mine\ndescription: x\nversion: 1.0.0\nauthor: Me\nemail: me@example.com\n"
    )
    assert registrar.register(config).errors == []
    return directory


def create(client: FlaskClient, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/actions", json={**SCRIPT, **more})
    assert response.status_code == 201, response.json
    return dict(response.json)


def test_an_action_with_files_is_made_and_deleted(client: FlaskClient, pack: Path) -> None:
    made = create(client, data_files=FILES, metadata_file="actions/hello.yaml", description=None)
    assert (made["ref"], made["uid"], made["enabled"]) == ("mine.hello", "action:mine:hello", True)
    assert (pack / "actions/hello.sh").read_text() == "echo hello\n"
    assert (pack / "actions/lib/more.py").is_file()
    assert "actions/hello.sh" in client.get("/v1/packs/mine").json["files"]
    again = client.post("/v1/actions", json=SCRIPT)
    assert (again.status_code, again.json["conflict-id"]) == (409, made["id"])
    # The official client sends this body without a content type.
    deleted = client.delete(f"/v1/actions/{made['id']}", data='{"remove_files": true}', content_type="")
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert not (pack / "actions/hello.sh").exists()
    assert (pack / "actions/lib/more.py").is_file()
    assert client.get("/v1/actions/mine.hello").status_code == 404
    assert client.delete("/v1/actions/mine.hello", json={}).status_code == 404


def test_files_stay_unless_they_are_to_go(client: FlaskClient, pack: Path) -> None:
    create(client, data_files=FILES)
    create(client, name="other")
    assert client.delete("/v1/actions/mine.other", json={"remove_files": True}).status_code == 204
    assert (pack / "actions/hello.sh").exists(), "another action uses it"
    assert client.delete("/v1/actions/mine.hello", json={"remove_files": False}).status_code == 204
    assert (pack / "actions/hello.sh").exists()
    assert client.delete("/v1/actions/mine.hello", json={"files": True}).status_code == 400


def test_a_change_replaces_the_whole_action(client: FlaskClient, pack: Path) -> None:
    made = create(client, description="before")
    whole = {name: value for name, value in made.items() if name not in ("ref", "description")}
    changed = client.put(f"/v1/actions/{made['id']}", json={**whole, "enabled": False})
    assert (changed.status_code, changed.json) == (200, {**made, "description": "", "enabled": False})
    renamed = client.put("/v1/actions/mine.hello", json={**SCRIPT, "name": "renamed"})
    assert (renamed.json["id"], renamed.json["ref"]) == (made["id"], "mine.renamed")
    create(client)
    assert client.put("/v1/actions/mine.hello", json={**SCRIPT, "name": "renamed"}).status_code == 409
    assert client.put("/v1/actions/mine.nosuch", json=SCRIPT).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"pack": "core"},
        {"pack": "nosuch"},
        {"pack": "../mine"},
        {"pack": 5},
        {"runner_type": "nosuch"},
        {"unknown": 1},
        {"name": "../up"},
        {"parameters": {"p": {"type": "nosuch"}}},
        {"parameters": {"p": {"immutable": True}}},
        {"entry_point": "../../outside.sh"},
        {"data_files": [{"file_path": "../pack.yaml", "content": ""}]},
        {"data_files": [{"file_path": "a\0b", "content": ""}]},
        {"data_files": [{"file_path": "/etc/x", "content": ""}]},
        {"data_files": [{"file_path": "link/x", "content": ""}]},
        {"data_files": [{"file_path": ".", "content": ""}]},
        {"data_files": [{"file_path": "x"}]},
    ],
)
def test_what_is_not_valid(client: FlaskClient, pack: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    (pack / "actions" / "link").symlink_to(tmp_path)
    response = client.post("/v1/actions", json={**SCRIPT, **wrong})
    assert response.status_code == 400
    assert response.json["faultstring"]
    assert not (tmp_path / "x").exists()
    assert client.get("/v1/actions?pack=mine").json == []


def test_actions_of_core_cannot_be_changed(client: FlaskClient, pack: Path) -> None:
    action = client.get("/v1/actions/core.local").json
    assert client.put("/v1/actions/core.local", json=action).status_code == 400
    assert client.delete("/v1/actions/core.local", json={}).status_code == 400


def test_without_a_pack_it_goes_to_the_default_one(client: FlaskClient, pack: Path) -> None:
    script = {name: value for name, value in SCRIPT.items() if name != "pack"}
    response = client.post("/v1/actions", json={**script, "data_files": FILES})
    assert response.json["ref"] == "default.hello"
    assert (pack.parent / "default/actions/hello.sh").read_text() == "echo hello\n"
    assert client.get("/v1/packs/default").json["path"] == str(pack.parent / "default")
    foreign = client.post("/v1/actions", json={**SCRIPT, "pack": "examples", "data_files": FILES})
    assert foreign.status_code == 403


def test_a_clone_has_files_of_its_own(client: FlaskClient, pack: Path, config: cfg.ConfigOpts) -> None:
    create(client, data_files=FILES, parameters={"p": {"type": "string", "position": 0}})
    (pack / "actions/hello.sh").chmod(0o775)
    body = {"dest_pack": "mine", "dest_action": "copy"}
    response = client.post("/v1/actions/mine.hello/clone", json=body)
    assert (response.status_code, response.json["ref"]) == (201, "mine.copy")
    assert (response.json["entry_point"], response.json["metadata_file"]) == ("copy.sh", "actions/copy.yaml")
    assert (pack / "actions/copy.sh").stat().st_mode & 0o111
    assert client.post("/v1/actions/mine.hello/clone", json=body).status_code == 400
    assert client.post("/v1/actions/mine.hello/clone", json={**body, "overwrite": True}).status_code == 201
    for wrong in ({"dest_pack": "nosuch"}, {"dest_pack": "core"}, {"dest_action": "../x"}, {"more": 1}):
        assert client.post("/v1/actions/mine.hello/clone", json={**body, **wrong}).status_code == 400
    # What was written is an action's file like any other.
    assert registrar.register(config, ["actions"], [pack]).errors == []
    assert client.get("/v1/actions/mine.copy").json["parameters"] == {"p": {"type": "string", "position": 0}}
