"""One platform with access control for all tests here, with a user for each role, and a token for each user."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from flask.testing import FlaskClient
from oslo_config import cfg
from pymongo.database import Database

from st2api import application, service
from st2common import config as configuration
from st2common.auth.api_keys import ApiKeys
from st2common.auth.tokens import Tokens
from st2common.clock import now_us
from st2common.content import registrar
from st2common.datastore.crypto import CryptoKey, KeyFile
from st2common.models import action_aliases, actions, connection, packs, policies, runner_types
from st2common.models.action_aliases import ActionAlias
from st2common.models.actions import Action
from st2common.models.packs import Pack
from st2common.models.policies import Policy
from st2common.models.roles import Roles
from st2common.models.rule_enforcements import RuleEnforcements
from st2common.models.runner_types import RunnerType
from st2common.models.sensor_runs import SensorRuns
from st2common.models.sensor_runs import Status as RunStatus
from st2common.output.chunk import End
from st2common.output.mongo_log import MongoOutputLog
from st2common.rbac.resolution import Grant
from st2common.services.executions import request_execution
from st2common.services.keys import Caller, Datastore, NewItem
from st2common.services.rules import create_rule
from st2common.services.sensors import save_sensor
from st2common.services.trigger_dispatch import dispatch_trigger
from st2common.services.triggers import create_trigger, save_trigger_type
from st2common.transport.memory import MemoryTransport
from st2stream.service import Stream

ROLES: dict[str, list[tuple[str | None, str]]] = {
    # Runs the action core.local, and no other.
    "runner": [("action:core:local", "action_execute"), (None, "execution_list stream_view")],
    # Looks at what the pack core did, and at nothing else.
    "viewer": [("pack:core", "action_view"), (None, "execution_list execution_views_filters_list")],
    # Cares for the pack core.
    "packer": [
        ("pack:core", "pack_all action_all policy_all action_alias_all rule_all sensor_type_all"),
        (None, "pack_list action_list policy_list action_alias_list rule_list sensor_type_list"),
    ],
    # Has the permissions of what belongs to no pack.
    "clerk": [
        ("key_value_pair:st2kv.system:k", "key_value_pair_all"),
        (None, "key_value_pair_list api_key_all trace_all inquiry_all runner_type_all policy_type_all"),
        (None, "webhook_all timer_all"),
    ],
    # Installs packs.
    "installer": [(None, "pack_install pack_uninstall pack_register pack_search pack_views_index_health")],
}
#: Everybody: each user is called like the role; nobody has none.
USERS = ("admin", "observer", *ROLES, "nobody")


@dataclass
class Platform:
    config: cfg.ConfigOpts
    database: Database[dict[str, Any]]
    api: FlaskClient
    stream: FlaskClient
    transport: MemoryTransport
    roles: Roles
    #: Made for the tests: name -> id.
    ids: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def headers(self, user: str) -> dict[str, str]:
        if user not in self._tokens:
            self._tokens[user] = Tokens(self.database).create(user, 3600).token
        return {"X-Auth-Token": self._tokens[user]}

    def ask(self, user: str, method: str, path: str, body: Any = None, *, stream: bool = False) -> Any:
        client = self.stream if stream else self.api
        return client.open(f"/v1{path}", method=method, json=body, headers=self.headers(user), buffered=False)

    def get(self, user: str, path: str) -> Any:
        return self.ask(user, "GET", path)

    def request(self, action_ref: str = "core.local", user: str = "admin", **parameters: Any) -> str:
        """A new execution; its id."""
        stored = request_execution(
            self.database, self.transport, action_ref=action_ref, parameters=parameters, user=user
        )
        return str(stored["_id"])


@pytest.fixture(scope="session")
def make_platform(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    def make() -> Iterator[Platform]:
        directory = tmp_path_factory.mktemp("rbac")
        config = configuration.load([], "st2api")
        key_file = directory / "key.json"
        key_file.write_text(CryptoKey.generate().dump())
        key_file.chmod(0o600)
        for group, name, value in (
            ("rbac", "enable", True),
            ("keyvalue", "encryption_key_path", str(key_file)),
            ("system", "base_path", str(directory)),
            ("content", "system_packs_base_path", str(directory / "packs")),
            ("content", "index_url", [(directory / "index.json").as_uri()]),
        ):
            config.set_override(name, value, group=group)
        database = connection.connect(database_uri, f"test_{secrets.token_hex(6)}")
        transport = MemoryTransport()
        service.prepare(database, transport)
        app = application.make_app(config, database, transport)
        stream = Stream(config, database, transport)
        platform = Platform(
            config,
            database,
            app.test_client(use_cookies=False),
            stream.app.test_client(use_cookies=False),
            transport,
            Roles(database),
        )
        _fill(platform, directory)
        yield platform
        stream.close()
        application.close(app)
        transport.close()
        database.client.drop_database(database.name)
        connection.disconnect()

    return make


@pytest.fixture(scope="module")
def platform(make_platform: Callable[[], Iterator[Platform]]) -> Iterator[Platform]:
    yield from make_platform()


def _fill(platform: Platform, directory: Path) -> None:
    for name, grants in ROLES.items():
        platform.roles.put(name, "", [Grant(frozenset(permissions.split()), uid) for uid, permissions in grants])
    for user in USERS[:-1]:
        platform.roles.assign(user, user, "assignments/test.yaml")
    (directory / "index.json").write_text('{"packs": {}, "metadata": {}}')
    _register(directory)
    database, ids = platform.database, platform.ids
    ids["execution"] = platform.request(cmd="date")
    ids["linux_execution"] = platform.request("linux.df")
    ids["inquiry"] = platform.request("core.ask", schema={"type": "object"})
    asked = {"schema": {"type": "object"}, "users": [], "roles": [], "route": "", "ttl": 60}
    executions = database["action_execution_d_b"]
    executions.update_one({"action.ref": "core.ask"}, {"$set": {"status": "pending", "result": asked}})
    _run_sensor(database)
    ids["key"] = str(ApiKeys(database).create("ada")[0]["_id"])
    ids["trace"] = platform.get("admin", "/traces").json[0]["id"]
    datastore = Datastore(database, KeyFile.of_config(platform.config))
    for name in ("k", "other"):
        datastore.set_key(Caller("ada", True), name, NewItem("v", secret=True))
    _fill_rules(platform)
    platform.roles.assign("grace", "runner", "assignments/grace.yaml")
    ids["assignment"] = platform.roles.find_assignments({"user": "grace"})[0]["id"]


def _fill_rules(platform: Platform) -> None:
    registrar.ensure_indexes()
    for name, parameters in (
        ("event", {}),
        ("doomed", {}),
        ("st2.webhook", {"properties": {"url": {"type": "string"}}}),
        ("st2.IntervalTimer", {"properties": {"unit": {"type": "string"}, "delta": {"type": "integer"}}}),
    ):
        save_trigger_type(None, {"pack": "core", "name": name, "parameters_schema": parameters})
    create_trigger(None, {"type": "core.st2.webhook", "parameters": {"url": "hook"}})
    timer = {"type": "core.st2.IntervalTimer", "parameters": {"unit": "weeks", "delta": 1}}
    platform.ids["timer"] = create_trigger(None, timer)["id"]
    rule = {"pack": "core", "name": "one", "trigger": {"type": "core.event"}, "action": {"ref": "core.local"}}
    made = create_rule(None, {**rule, "enabled": True}, "admin")
    happened = dispatch_trigger(platform.database, platform.transport, trigger="core.event", payload={})
    platform.ids["instance"] = str(happened["_id"])
    enforcement = {
        "_id": ObjectId(),
        "rule": {name: made[name] for name in ("ref", "uid", "id")},
        "trigger_instance_id": platform.ids["instance"],
        "enforced_at": 1,
        "status": "succeeded",
    }
    RuleEnforcements(platform.database).insert([enforcement])
    platform.ids["enforcement"] = str(enforcement["_id"])


def _run_sensor(database: Database[dict[str, Any]]) -> None:
    """The sensor core.Watch has run, and printed nothing."""
    runs = SensorRuns(database)
    run_id = runs.begin("core.Watch", "node", "host", 1, 0)
    MongoOutputLog(database).finish(End(run_id, 1, 1, "stopped", 0, now_us()))
    runs.end(run_id, RunStatus.STOPPED, 0, None, 0)


def _register(directory: Path) -> None:
    parameters = {name: {"type": kind} for name, kind in (("cmd", "string"), ("schema", "object"))}
    runner = {"description": "", "runner_package": "r", "runner_module": "r", "runner_parameters": parameters}
    for name in ("local-shell-cmd", "inquirer"):
        runner_types.save(RunnerType.from_metadata({**runner, "name": name}))
    for pack in ("core", "linux"):
        path = directory / "packs" / pack
        (path / "actions").mkdir(parents=True)
        (path / "pack.yaml").write_text(
            f"ref: {pack}\nname: {pack}\ndescription: A pack.\nversion: 1.0.0\nauthor: a\nemail: a@b.c\n"
        )
        (path / "icon.png").write_bytes(b"png")
        manifest = {"ref": pack, "name": pack, "description": "A pack.", "version": "1.0.0", "author": "a"}
        packs.save(Pack.from_manifest({**manifest, "email": "a@b.c", "files": ["pack.yaml"], "path": str(path)}))
    for ref, runner_type in (
        ("core.local", "local-shell-cmd"),
        ("core.doomed", "local-shell-cmd"),
        ("core.ask", "inquirer"),
        ("linux.df", "local-shell-cmd"),
    ):
        pack, name = ref.split(".")
        actions.save(Action.from_metadata({"pack": pack, "name": name, "runner_type": runner_type}))
    policy = {"pack": "core", "resource_ref": "linux.df", "policy_type": "action.concurrency"}
    policies.save(Policy.from_metadata({**policy, "name": "one", "enabled": False, "parameters": {"threshold": 9}}))
    sensor = {"pack": "core", "name": "Watch", "file": "/s.py", "digest": "d", "trigger_types": []}
    save_sensor({**sensor, "metadata_file": "sensors/watch.yaml"})
    alias = {"pack": "core", "action_ref": "core.local", "formats": ["say {{cmd}}"]}
    action_aliases.save(ActionAlias.from_metadata({**alias, "name": "say"}))
