"""Who may ask for what: every route of the API and of the stream service, with every role."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from st2common.http.app import create_app
from st2common.http.authentication import Authentication, is_public
from st2common.http.authorization import Authorization
from tests.integration.rbac.conftest import USERS, Platform

EVERYBODY = " ".join(USERS)
LOOK = "observer"
ACTION = {"name": "made", "pack": "core", "runner_type": "local-shell-cmd"}
POLICY = {"name": "made", "pack": "core", "resource_ref": "core.ask", "policy_type": "action.concurrency"}
RULE = {"name": "made", "pack": "core", "trigger": {"type": "core.event"}, "action": {"ref": "core.local"}}
HOOK = {"type": "core.st2.webhook", "parameters": {"url": "x"}}
ALIAS = {"name": "made", "pack": "core", "action_ref": "core.ask", "formats": ["ask"]}
SAYING = {"name": "say", "pack": "core", "action_ref": "core.local", "formats": ["say {{cmd}}"]}
SAY = {"command": "say x", "user": "", "source_channel": "c"}

#: method, path, body, who may beside the administrators. Bodies that no route takes show that who may gets further.
ROWS: list[tuple[str, str, Any, str]] = [
    ("GET", "/user", None, EVERYBODY),
    ("GET", "/metrics", None, EVERYBODY),
    ("GET", "/executions", None, "observer runner viewer"),
    ("GET", "/executions/{execution}", None, "observer runner viewer packer"),
    ("GET", "/executions/{linux_execution}", None, LOOK),
    ("GET", "/executions/{execution}/attribute/status", None, "observer runner viewer packer"),
    ("GET", "/executions/{execution}/children", None, "observer runner viewer packer"),
    ("GET", "/executions/{execution}/output", None, "observer runner viewer packer"),
    ("GET", "/executions/{execution}/result", None, "observer runner viewer packer"),
    ("GET", "/executions/{execution}/stdout?follow=false", None, "observer runner viewer packer"),
    ("GET", "/executions/{linux_execution}/stderr?follow=false", None, LOOK),
    ("GET", "/actionexecutions/{linux_execution}/stdout?follow=false", None, LOOK),
    ("GET", "/executions/views/filters", None, "observer viewer"),
    ("POST", "/executions", {"action": "core.local"}, "runner packer"),
    ("POST", "/executions", {"action": "linux.df"}, ""),
    ("POST", "/executions/{execution}/re_run", {}, "runner packer"),
    ("POST", "/executions/{linux_execution}/re_run", {}, ""),
    ("POST", "/executions/{execution}/secrets", {"secrets": ["x"]}, ""),
    ("PUT", "/executions/{execution}", {"status": "paused"}, "runner packer"),
    ("DELETE", "/executions/{execution}", None, "runner packer"),
    ("DELETE", "/executions/{linux_execution}", None, ""),
    ("GET", "/actions", None, "observer packer"),
    ("GET", "/actions/core.local", None, "observer runner viewer packer"),
    ("GET", "/actions/linux.df", None, LOOK),
    ("GET", "/actions/views/overview", None, "observer packer"),
    ("GET", "/actions/views/overview/core.local", None, "observer runner viewer packer"),
    ("GET", "/actions/views/parameters/core.local", None, "observer runner viewer packer"),
    ("GET", "/actions/views/entry_point/core.local", None, "observer runner viewer packer"),
    ("POST", "/actions", ACTION, "packer"),
    ("POST", "/actions", {**ACTION, "pack": "linux"}, ""),
    ("PUT", "/actions/core.doomed", {**ACTION, "name": "doomed"}, "packer"),
    ("PUT", "/actions/core.doomed", {**ACTION, "name": "doomed", "pack": "linux"}, ""),
    ("POST", "/actions/core.doomed/clone", {"dest_pack": "core", "dest_action": "copy"}, "packer"),
    ("POST", "/actions/core.doomed/clone", {"dest_pack": "linux", "dest_action": "copy"}, ""),
    ("DELETE", "/actions/core.doomed", None, "packer"),
    ("GET", "/runnertypes", None, "observer clerk"),
    ("GET", "/runnertypes/inquirer", None, "observer clerk"),
    ("PUT", "/runnertypes/inquirer", {"enabled": True}, "clerk"),
    ("GET", "/webhooks", None, "observer clerk"),
    ("GET", "/webhooks/hook", None, "observer clerk"),
    ("POST", "/webhooks/hook", {}, "clerk"),
    ("GET", "/timers", None, "observer clerk"),
    ("GET", "/timers/{timer}", None, "observer clerk"),
    ("GET", "/sensortypes", None, "observer packer"),
    ("GET", "/sensortypes/core.Watch", None, "observer packer"),
    ("PUT", "/sensortypes/core.Watch", {"enabled": False}, "packer"),
    ("GET", "/packs", None, "observer packer"),
    ("GET", "/packs/core", None, "observer packer"),
    ("GET", "/packs/linux", None, LOOK),
    ("POST", "/packs/register", {"packs": ["nosuch"]}, "installer"),
    ("POST", "/packs/unregister", {"packs": ["core"]}, "installer"),
    ("POST", "/packs/install", {"packs": ["nosuch"]}, "installer"),
    ("POST", "/packs/uninstall", {"packs": ["nosuch"]}, "installer"),
    ("GET", "/packs/index", None, "observer installer"),
    ("GET", "/packs/index/health", None, "installer"),
    ("POST", "/packs/index/search", {"query": "x"}, "observer installer"),
    ("GET", "/packs/views/files/core", None, "observer packer"),
    ("GET", "/packs/views/file/core/pack.yaml", None, "observer packer"),
    ("GET", "/packs/views/file/core/icon.png", None, EVERYBODY),
    ("GET", "/configs", None, "observer packer"),
    ("GET", "/config_schemas", None, "observer packer"),
    ("PUT", "/configs/core", {"a": 1}, "packer"),
    ("GET", "/configs/core", None, "observer packer"),
    ("GET", "/keys", None, "observer clerk"),
    ("GET", "/keys?scope=user", None, EVERYBODY),
    ("GET", "/keys?scope=all", None, EVERYBODY),
    ("GET", "/keys?decrypt=true", None, ""),
    ("GET", "/keys?scope=user&user=somebody", None, ""),
    ("GET", "/keys/k", None, "observer clerk"),
    ("GET", "/keys/other?decrypt=true", None, LOOK),
    ("GET", "/keys/x?scope=user", None, EVERYBODY),
    ("GET", "/keys/x?user=somebody", None, ""),
    ("PUT", "/keys/k", {"value": "v"}, "clerk"),
    ("PUT", "/keys/other", {"value": "v", "user": "clerk"}, ""),
    ("PUT", "/keys/k", {"value": "v", "encrypted": True}, ""),
    ("PUT", "/keys/x", {"value": "v", "scope": "user"}, EVERYBODY),
    ("PUT", "/keys/x", {"value": "v", "scope": "user", "user": "somebody"}, ""),
    ("DELETE", "/keys/k", None, "clerk"),
    ("DELETE", "/keys/other?user=clerk", None, ""),
    ("DELETE", "/keys/x?scope=user", None, EVERYBODY),
    ("GET", "/apikeys", None, "observer clerk"),
    ("GET", "/apikeys/{key}", None, "observer clerk"),
    ("POST", "/apikeys", {}, "clerk"),
    ("POST", "/apikeys", {"user": "somebody"}, ""),
    ("PUT", "/apikeys/{key}", {"enabled": False}, ""),
    ("DELETE", "/apikeys/{key}", None, "clerk"),
    ("GET", "/policies", None, "observer packer"),
    ("GET", "/policies/core.one", None, "observer packer"),
    ("POST", "/policies", {**POLICY, "parameters": {"threshold": 1}}, "packer"),
    ("PUT", "/policies/core.one", {**POLICY, "pack": "linux", "policy_type": "nosuch"}, ""),
    ("PUT", "/policies/core.one", {**POLICY, "name": "one", "parameters": {"threshold": 1}}, "packer"),
    ("DELETE", "/policies/core.one", None, "packer"),
    ("GET", "/rules", None, "observer packer"),
    ("GET", "/rules/views", None, "observer packer"),
    ("GET", "/rules/core.one", None, "observer packer"),
    ("GET", "/rules/views/core.one", None, "observer packer"),
    ("GET", "/ruletypes", None, "observer packer"),
    ("GET", "/ruletypes/standard", None, "observer packer"),
    ("POST", "/rules", RULE, "packer"),
    ("POST", "/rules", {**RULE, "action": {"ref": "linux.df"}}, ""),
    ("POST", "/rules", {**RULE, "trigger": HOOK}, ""),
    ("PUT", "/rules/core.one", {**RULE, "pack": "linux", "colour": 1}, ""),
    ("PUT", "/rules/core.one", {**RULE, "name": "one", "action": {"ref": "linux.df"}}, ""),
    ("PUT", "/rules/core.one", {**RULE, "name": "one"}, "packer"),
    ("DELETE", "/rules/core.one", None, "packer"),
    ("GET", "/ruleenforcements", None, LOOK),
    ("GET", "/ruleenforcements/views", None, LOOK),
    ("GET", "/ruleenforcements/{enforcement}", None, LOOK),
    ("GET", "/ruleenforcements/views/{enforcement}", None, LOOK),
    ("GET", "/triggertypes", None, LOOK),
    ("GET", "/triggertypes/core.event", None, LOOK),
    ("POST", "/triggertypes", {"name": "made"}, ""),
    ("PUT", "/triggertypes/core.event", {"name": "event"}, ""),
    ("DELETE", "/triggertypes/core.doomed", None, ""),
    ("GET", "/triggers", None, LOOK),
    ("GET", "/triggers/core.event", None, LOOK),
    ("POST", "/triggers", HOOK, ""),
    ("PUT", "/triggers/core.event", HOOK, ""),
    ("GET", "/triggerinstances", None, LOOK),
    ("GET", "/triggerinstances/{instance}", None, LOOK),
    ("POST", "/triggerinstances/{instance}/re_emit", None, ""),
    ("DELETE", "/triggers/core.event", None, ""),
    ("GET", "/policytypes", None, "observer clerk"),
    ("GET", "/policytypes/action.retry", None, "observer clerk"),
    ("GET", "/actionalias", None, "observer packer"),
    ("GET", "/actionalias/core.say", None, "observer packer"),
    ("POST", "/actionalias", ALIAS, "packer"),
    ("PUT", "/actionalias/core.say", {**ALIAS, "pack": "linux", "colour": 1}, ""),
    (
        "PUT",
        "/actionalias/core.say",
        {**ALIAS, "name": "say", "formats": ["say {{cmd}}"], "action_ref": "core.local"},
        "packer",
    ),
    ("POST", "/actionalias/match", {"command": "say x"}, "packer"),
    ("GET", "/actionalias/help", None, EVERYBODY),
    ("POST", "/aliasexecution", {**SAY, "name": "say", "format": "say {{cmd}}"}, "runner packer"),
    ("POST", "/aliasexecution/match_and_execute", SAY, "runner packer"),
    ("DELETE", "/actionalias/core.say", None, "packer"),
    ("GET", "/traces", None, "observer clerk"),
    ("GET", "/traces/{trace}", None, "observer clerk"),
    ("GET", "/inquiries", None, "observer clerk"),
    ("GET", "/inquiries/{inquiry}", None, "observer clerk"),
    ("PUT", "/inquiries/{inquiry}", {"response": {}}, "clerk"),
    ("POST", "/workflows/inspect", {}, EVERYBODY),
    ("GET", "/service_registry/groups", None, ""),
    ("GET", "/service_registry/groups/nosuch/members", None, ""),
    ("GET", "/rbac/roles", None, ""),
    ("GET", "/rbac/roles/runner", None, ""),
    ("GET", "/rbac/role_assignments", None, ""),
    ("GET", "/rbac/role_assignments/{assignment}", None, ""),
    ("GET", "/rbac/permission_types", None, ""),
    ("GET", "/rbac/permission_types/action", None, ""),
]
#: Of routes whose thing is not there: who may or may not gets 404.
UNKNOWN = {"configs.get_schema"}

STREAMS: list[tuple[str, str]] = [
    ("/stream", "observer runner"),
    ("/metrics", EVERYBODY),
    ("/executions/{execution}/output?follow=false", "observer runner"),
    ("/executions/{linux_execution}/output?follow=false", "observer"),
    ("/sensortypes/core.Watch/output?follow=false", "observer"),
    ("/executions/{execution}/stdout?follow=false", "observer runner viewer packer"),
    ("/executions/{linux_execution}/stderr?follow=false", "observer"),
]


@pytest.mark.parametrize(("method", "path", "body", "allowed"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_who_may(platform: Platform, method: str, path: str, body: Any, allowed: str) -> None:
    path = path.format(**platform.ids)
    may = {"admin", *allowed.split()}
    # First those who may not: what is deleted cannot be refused.
    for user in sorted(USERS, key=may.__contains__):
        with platform.ask(user, method, path, body) as response:
            known = response.status_code not in (401, 500, 503)
            assert (user, response.status_code != 403, known) == (user, user in may, True), response.text


@pytest.mark.parametrize(("path", "allowed"), STREAMS)
def test_who_may_watch(platform: Platform, path: str, allowed: str) -> None:
    for user in USERS:
        with platform.ask(user, "GET", path.format(**platform.ids), stream=True) as response:
            may = user in ("admin", *allowed.split())
            assert (user, response.status_code) == (user, 200 if may else 403)


@pytest.mark.parametrize("user", USERS)
def test_pages_larger_than_the_limit_are_for_administrators(platform: Platform, user: str) -> None:
    for limit in ("-1", "101"):
        status = platform.get(user, f"/keys?scope=user&limit={limit}").status_code
        assert status == (200 if user == "admin" else 403)
    assert platform.get(user, "/keys?scope=user&limit=100").status_code == 200


def test_every_route_is_in_the_table(platform: Platform) -> None:
    asked = {_view(platform.api.application, method, path, platform.ids) for method, path, _, _ in ROWS}
    assert _guarded(platform.api.application) == asked | UNKNOWN
    asked = {_view(platform.stream.application, "GET", path, platform.ids) for path, _ in STREAMS}
    assert _guarded(platform.stream.application) == asked


def test_a_route_that_says_nothing_is_for_administrators(platform: Platform) -> None:
    app = create_app("test", prefixes=(), origins=("http://127.0.0.1",))
    Authentication(platform.config, platform.database).guard(app)
    Authorization(platform.config, platform.database).guard(app)
    app.add_url_rule("/forgotten", view_func=lambda: "for administrators")
    client = app.test_client(use_cookies=False)
    statuses = [client.get("/forgotten", headers=platform.headers(user)).status_code for user in ("admin", "observer")]
    assert statuses == [200, 403]


def _view(app: Flask, method: str, path: str, ids: dict[str, str]) -> str:
    endpoint, _ = app.url_map.bind("").match(path.format(**ids).partition("?")[0], method)
    return str(endpoint).removeprefix("old_")


def _guarded(app: Flask) -> set[str]:
    views = {endpoint for endpoint, view in app.view_functions.items() if not is_public(view)}
    return {endpoint.removeprefix("old_") for endpoint in views}
