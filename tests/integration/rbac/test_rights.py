"""What users see of what they may see, and what happens when that changes."""

from __future__ import annotations

import itertools
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from flask import Response
from pymongo import MongoClient, monitoring

from st2api import application
from st2common import config as configuration
from st2common.errors import ConfigError
from st2common.http.app import create_app
from st2common.http.authentication import Authentication, CredentialEnded
from st2common.http.authorization import Authorization, any_user
from st2common.models.execution_view import to_api
from st2common.models.executions import Executions
from st2common.models.roles import Roles
from st2common.output.chunk import Chunk, Run, Stream
from st2common.output.mongo_log import MongoOutputLog
from st2common.rbac import definitions, remote_groups
from st2common.rbac.cmd import main
from st2common.rbac.resolution import EVERYTHING, Rights
from st2common.transport.port import Message
from st2common.transport.topology import ANNOUNCEMENT, EXECUTION
from st2stream.client import Client
from st2stream.events import stream_events
from st2stream.subscriber import Filter
from tests.integration.rbac.conftest import Platform


def test_a_list_has_what_its_reader_may_see(platform: Platform) -> None:
    for user, packs in (("admin", {"core", "linux"}), ("observer", {"core", "linux"}), ("viewer", {"core"})):
        response = platform.get(user, "/executions?limit=100")
        assert {execution["action"]["pack"] for execution in response.json} == packs
        assert len(response.json) == int(response.headers["X-Total-Count"])
    assert {found["action"]["ref"] for found in platform.get("runner", "/executions").json} == {"core.local"}
    assert platform.get("viewer", "/executions?action=linux.df").json == []
    assert "linux.df" not in platform.get("viewer", "/executions/views/filters").json["action"]
    assert "linux.df" in platform.get("observer", "/executions/views/filters").json["action"]


def test_the_last_execution_is_the_last_that_one_may_see(platform: Platform) -> None:
    mine, other = platform.request(cmd="date"), platform.request("linux.df")
    assert platform.get("runner", "/executions/last").json["id"] == mine
    assert platform.get("observer", "/executions/last").json["id"] == other


def test_children_that_one_may_not_see_are_left_out(platform: Platform) -> None:
    parent, child = platform.request(cmd="date"), platform.request("linux.df")
    executions = Executions(platform.database).collection
    executions.update_one({"_id": Executions(platform.database).get(child)["_id"]}, {"$set": {"parent": parent}})
    path = f"/executions/{parent}/children"
    assert [found["id"] for found in platform.get("observer", path).json] == [child]
    assert platform.get("runner", path).json == []


def test_the_stream_of_a_workflow_leaves_out_steps_that_one_may_not_see(platform: Platform) -> None:
    root, below, seen, hidden, deep = (
        platform.request(ref) for ref in ("core.local", "linux.df", "core.local", "linux.df", "core.local")
    )
    log = MongoOutputLog(platform.database)
    for execution_id, fields in (
        (root, {"runner.name": "orquesta"}),
        (below, {"runner.name": "orquesta", "parent": root}),
        (seen, {"parent": root}),
        (hidden, {"parent": root}),
        # A workflow that one may not see hides what is below it.
        (deep, {"parent": below}),
    ):
        change = {"$set": {**fields, "status": "succeeded"}}
        platform.database["action_execution_d_b"].update_one({"_id": ObjectId(execution_id)}, change)
        log.append([Chunk(execution_id, Stream.STDOUT, 1, 1, 0, b"x\n", (Run(2, 1),), 1)])
    told = {}
    for user in ("observer", "runner"):
        path = f"/executions/{root}/output?tree=true&follow=false"
        with platform.ask(user, "GET", path, stream=True) as response:
            told[user] = {each for each in (below, seen, hidden, deep) if each in response.text}
            assert ("linux.df" in response.text) is (user == "observer")
    assert told == {"observer": {below, seen, hidden, deep}, "runner": {seen}}


def test_keys_that_one_may_not_see_are_left_out(platform: Platform) -> None:
    assert platform.ask("clerk", "PUT", "/keys/own", {"value": "v", "scope": "user"}).status_code == 200
    for user, names in (("clerk", ["k", "own"]), ("observer", ["k", "other"]), ("nobody", [])):
        assert [item["name"] for item in platform.get(user, "/keys?scope=all").json] == names
    assert [item["name"] for item in platform.get("clerk", "/keys?name=other,k").json] == ["k"]
    assert platform.get("clerk", "/keys?name=other").json == []


def test_secrets_are_shown_to_administrators(platform: Platform) -> None:
    shown = {user: platform.get(user, "/apikeys?show_secrets=true").json for user in ("admin", "observer")}
    assert {item["key_hash"] for item in shown["observer"]} == {"********"}
    assert "********" not in {item["key_hash"] for item in shown["admin"]}


def test_who_one_is(platform: Platform) -> None:
    assert platform.get("grace", "/user").json["rbac"] == {"enabled": True, "roles": ["runner"], "is_admin": False}
    assert platform.get("admin", "/user").json["rbac"] == {"enabled": True, "roles": ["admin"], "is_admin": True}


def test_an_execution_tells_by_which_roles_it_was_allowed(platform: Platform) -> None:
    body = {"action": "core.local", "context": {"rbac": {"roles": ["admin"]}}}
    made = platform.ask("grace", "POST", "/executions", body).json
    assert made["context"]["rbac"] == {"user": "grace", "roles": ["runner"]}
    assert made["context"]["user"] == "grace"
    assert platform.ask("grace", "POST", "/executions", {**body, "user": "admin"}).status_code == 403


def test_the_roles_of_an_inquiry(platform: Platform) -> None:
    inquiry = platform.ids["inquiry"]
    executions = platform.database["action_execution_d_b"]
    executions.update_one({"action.ref": "core.ask"}, {"$set": {"result.roles": ["boss"]}})
    answered = platform.ask("clerk", "PUT", f"/inquiries/{inquiry}", {"response": {}})
    assert (answered.status_code, "does not have permission to respond" in answered.text) == (403, True)
    executions.update_one({"action.ref": "core.ask"}, {"$set": {"result.roles": ["clerk"]}})
    assert platform.ask("clerk", "PUT", f"/inquiries/{inquiry}", {"response": {}}).status_code == 200


def test_roles_and_assignments_as_clients_see_them(platform: Platform) -> None:
    roles = platform.get("admin", "/rbac/roles").json
    assert {"admin", "system_admin", "observer", "runner"} <= {role["name"] for role in roles}
    system = platform.get("admin", "/rbac/roles?system=true").json
    assert {role["name"] for role in system} == {"admin", "system_admin", "observer"}
    role = platform.get("admin", "/rbac/roles/runner").json
    assert len(role["permission_grant_ids"]) == 2
    assert role["permission_grant_objects"][0] == {
        "resource_uid": "action:core:local",
        "resource_type": "action",
        "permission_types": ["action_execute"],
    }
    assert platform.get("admin", f"/rbac/roles/{role['id']}").json == role
    [assignment] = platform.get("admin", "/rbac/role_assignments?user=grace&remote=false").json
    assert platform.get("admin", f"/rbac/role_assignments/{assignment['id']}").json == assignment
    assert set(assignment) == {"id", "user", "role", "description", "is_remote", "source"}
    assert platform.get("admin", "/rbac/permission_types/stream").json == ["stream_view"]
    for unknown in ("roles/nosuch", "role_assignments/nosuch", "permission_types/nosuch"):
        assert platform.get("admin", f"/rbac/{unknown}").status_code == 404


def _told(platform: Platform, rights: Rights, execution_id: str) -> bytes:
    """What a stream with these rights says of an execution's change, and of an announcement."""
    execution = to_api(Executions(platform.database).get(execution_id) or {})
    changed = Message(EXECUTION, "update", {"v": 1, "execution": execution})
    announced = Message(ANNOUNCEMENT, "general", {"v": 1, "payload": {}})
    client = Client(Filter(), None, None, rights)  # type: ignore[arg-type]  # no output here, so no feeds
    for message in (changed, announced):
        client.put(stream_events(message))
    return client.take(0)


def test_a_stream_tells_what_its_reader_may_see(platform: Platform) -> None:
    rights = platform.roles.rights("runner", False)
    for execution_id, visible in ((platform.ids["execution"], True), (platform.ids["linux_execution"], False)):
        told = _told(platform, rights, execution_id)
        assert (b"st2.execution__update" in told, b"st2.liveaction__update" in told) == (visible, visible)
        assert b"st2.announcement__general" in told
        assert b"st2.liveaction__update" in _told(platform, EVERYTHING, execution_id)


def test_changed_rights_cut_open_streams(platform: Platform) -> None:
    app = create_app("test", prefixes=(), origins=("http://127.0.0.1",))
    Authentication(platform.config, platform.database, recheck_interval=0.0).guard(app)
    Authorization(platform.config, platform.database).guard(app)

    @app.get("/endless")
    @any_user
    def endless() -> Response:
        return Response(itertools.repeat(b"line\n"), content_type="text/plain")

    platform.roles.assign("lin", "observer", "assignments/lin.yaml")
    client = app.test_client(use_cookies=False)
    with client.get("/endless", headers=platform.headers("lin"), buffered=False) as live:
        pieces = live.iter_encoded()
        assert len(list(itertools.islice(pieces, 10))) == 10
        platform.roles.unassign_except((), user="lin")
        with pytest.raises(CredentialEnded):
            list(itertools.islice(pieces, 10))


def test_isolation(platform: Platform) -> None:
    platform.config.set_override("permission_isolation", True, group="rbac")
    app = application.make_app(platform.config, platform.database, platform.transport)
    platform.config.clear_override("permission_isolation", group="rbac")
    isolated = replace(platform, api=app.test_client(use_cookies=False))
    mine = isolated.ask("grace", "POST", "/executions", {"action": "core.local"}).json["id"]
    other = isolated.ask("runner", "POST", "/executions", {"action": "core.local"}).json["id"]
    for user, own, foreign in (("grace", mine, other), ("runner", other, mine)):
        listed = {execution["id"] for execution in isolated.get(user, "/executions").json}
        assert (own in listed, foreign in listed) == (True, False)
        assert isolated.get(user, f"/executions/{own}").status_code == 200
        assert isolated.get(user, f"/executions/{foreign}").status_code == 403
    assert {mine, other} <= {execution["id"] for execution in isolated.get("admin", "/executions").json}
    application.close(app)


def test_definitions_are_applied_as_a_whole(platform: Platform, tmp_path: Path) -> None:
    for kind in definitions.KINDS:
        (tmp_path / kind).mkdir()
    (tmp_path / "roles" / "cook.yaml").write_text("name: cook\npermission_grants: [{permission_types: [pack_list]}]\n")
    (tmp_path / "assignments" / "eve.yaml").write_text("username: eve\nroles: [cook, observer]\n")
    (tmp_path / "mappings" / "staff.yaml").write_text("group: cn=staff\nroles: [cook]\n")
    known = list(platform.database["role_d_b"].find({"system": False}))
    assignments = list(platform.database["user_role_assignment_d_b"].find())
    grants = list(platform.database["permission_grant_d_b"].find())
    try:
        found = definitions.read(tmp_path)
        assert definitions.apply(found, platform.roles).roles == 1
        applied = platform.roles.rights("eve", False)
        assert (applied.roles, applied.allows("pack_list")) == (("cook", "observer"), True)
        assert platform.roles.rights("runner", False).roles == ()
        ids = platform.roles.get("cook")["permission_grant_ids"]  # type: ignore[index]
        assert definitions.apply(definitions.read(tmp_path), platform.roles).removed == 0
        assert platform.roles.get("cook")["permission_grant_ids"] == ids  # type: ignore[index]
        remote_groups.sync(platform.roles, "mallory", ["cn=staff", "cn=other"])
        assert platform.roles.rights("mallory", False).roles == ("cook",)
        definitions.apply(definitions.read(tmp_path), platform.roles)
        assert platform.roles.rights("mallory", False).roles == ("cook",)
        remote_groups.sync(platform.roles, "mallory", [])
        assert platform.roles.rights("mallory", False).roles == ()
        (tmp_path / "assignments" / "eve.yaml").unlink()
        assert definitions.apply(definitions.read(tmp_path), platform.roles).removed == 2
        assert platform.roles.rights("eve", False) == Rights(user="eve")
    finally:
        for name, documents in (
            ("role_d_b", known),
            ("user_role_assignment_d_b", assignments),
            ("permission_grant_d_b", grants),
        ):
            condition = {"system": {"$ne": True}}
            platform.database[name].delete_many(condition)
            platform.database[name].insert_many(documents)


def test_the_command_applies_them(database_uri: str, tmp_path: Path) -> None:
    for name, text in (("roles/r.yaml", "name: r\n"), ("assignments/a.yaml", "username: ada\nroles: [r, admin]\n")):
        path = tmp_path / "rbac" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    name = f"test_{secrets.token_hex(6)}"
    config = tmp_path / "st2.conf"
    config.write_text(f"[system]\nbase_path = {tmp_path}\n[database]\nhost = {database_uri}\ndb_name = {name}\n")
    command = [sys.executable, "-m", "st2common.rbac.cmd", "--config-file", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "roles: 1\nassignments: 2\nmappings: 0\n"), done.stderr
    with MongoClient[Any](database_uri) as client:
        assert Roles(client[name]).rights("ada", False).roles == ("admin", "r")
        client.drop_database(name)


def test_definitions_with_a_fault_change_nothing(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rbac" / "assignments").mkdir(parents=True)
    (tmp_path / "rbac" / "assignments" / "a.yaml").write_text("username: ada\nroles: [nosuch]\n")
    config = tmp_path / "st2.conf"
    config.write_text(f"[system]\nbase_path = {tmp_path}\n")
    assert main(["--config-file", str(config)]) == 1
    assert "a.yaml: no such role: nosuch" in capsys.readouterr().err
    (tmp_path / "rbac" / "assignments" / "a.yaml").write_text("username: ada\nroles: [admin]\n")
    assert main(["--config-file", str(config), "--check"]) == 0


class _Commands(monitoring.CommandListener):
    """The collections that a client reads."""

    def __init__(self) -> None:
        self.collections: set[str] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.collections.add(str(event.command.get(event.command_name)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Counted when it began."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Counted when it began."""


def test_what_is_off_reads_nothing(platform: Platform, database_uri: str) -> None:
    seen, headers = _Commands(), platform.headers("nobody")
    with MongoClient[Any](database_uri, event_listeners=[seen]) as client:
        platform.config.set_override("enable", False, group="rbac")
        app = application.make_app(platform.config, client[platform.database.name], platform.transport)
        platform.config.set_override("enable", True, group="rbac")
        api = app.test_client(use_cookies=False)
        assert api.get("/v1/executions", headers=headers).status_code == 200
        assert api.get("/v1/user", headers=headers).json["rbac"] == {"enabled": False, "roles": [], "is_admin": True}
        application.close(app)
    assert "token_d_b" in seen.collections
    assert not seen.collections & {"role_d_b", "user_role_assignment_d_b", "permission_grant_d_b"}


def test_without_authentication_there_is_nobody_to_have_rights(platform: Platform) -> None:
    config = configuration.load([], "st2api")
    config.set_override("enable", True, group="rbac")
    config.set_override("enable", False, group="auth")
    with pytest.raises(ConfigError, match="needs"):
        Authorization(config, platform.database)
