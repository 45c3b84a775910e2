"""Every route that clients of the family call, with the status and shape that they read; and the texts of errors.

The rows are facts about answers that a server of the family was seen to give, and about what its clients read of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from st2common.models import actions
from st2common.models.actions import Action
from st2common.models.executions import Executions
from st2common.models.members import Member, Members
from st2common.models.statuses import Status
from tests.integration.rbac.conftest import Platform, make_platform  # noqa: F401 - a fixture

EXECUTION = "action context id liveaction log parameters runner start_timestamp status web_url"
ENDED = f"{EXECUTION} elapsed_seconds end_timestamp result result_size"
ACTION = "enabled entry_point id metadata_file name notify output_schema pack parameters ref runner_type tags uid"
RULE = "action context criteria description enabled id metadata_file name pack ref tags trigger type uid"
ALIAS = (
    "ack action_ref description enabled extra formats id immutable_parameters metadata_file name pack ref result uid"
)
PACK = "author contributors dependencies description email files id keywords name path python_versions ref uid version"
POLICY = "description enabled id metadata_file name pack parameters policy_type ref resource_ref uid"
POLICY_TYPE = "description enabled id module name parameters ref resource_type uid"
TRIGGER = "id name pack parameters ref type uid"
TRIGGER_TYPE = "id name pack parameters_schema payload_schema ref tags uid"
INSTANCE = "id occurrence_time payload status trigger"
ENFORCEMENT = "enforced_at id rule status trigger_instance_id"
SENSOR = "artifact_uri enabled entry_point id metadata_file name pack ref trigger_types uid"
TRACE = "action_executions id rules start_timestamp trace_tag trigger_instances uid"
KEY = "encrypted id name scope secret uid value"
API_KEY = "created_at enabled id key_hash metadata uid user"
RUNNER = "description enabled id name runner_module runner_package runner_parameters uid"
INQUIRY = "id roles route schema ttl users"
ROLE = "description id name permission_grant_ids permission_grant_objects system"
ASSIGNMENT = "description id is_remote role source user"
FAULT = "faultstring"
HELP = "available helpstrings"

NEW_ACTION = {"name": "new", "pack": "linux", "runner_type": "local-shell-cmd", "enabled": True, "parameters": {}}
NEW_RULE = {"name": "new", "pack": "core", "trigger": {"type": "core.event"}, "action": {"ref": "core.local"}}
NEW_POLICY = {"name": "new", "pack": "core", "resource_ref": "core.local", "policy_type": "action.concurrency"}
NEW_ALIAS = {"name": "new", "pack": "core", "action_ref": "core.local", "formats": ["do {{cmd}}"]}
NEW_TRIGGER = {"type": "core.st2.webhook", "parameters": {"url": "new"}}
SAY = {"name": "say", "format": "say {{cmd}}", "command": "say x", "user": "", "source_channel": "cli"}
EVERY = {"scope": "st2kv.system", "user": None}
LIST = "include_attributes=id,status,action.ref&limit=50&parent=null&sort_desc=True"

#: method, path, body, status, names that the object (of a list: its first one) has, whether it is a list.
#: Rows that change something come in an order in which each finds what it needs.
ROWS: list[tuple[str, str, Any, int, str, bool]] = [
    ("GET", "/", None, 200, "docs_url version", False),
    ("GET", "/user", None, 200, "authentication rbac username", False),
    ("GET", "/nosuch", None, 404, FAULT, False),
    # API keys
    ("GET", "/apikeys", None, 200, API_KEY, True),
    ("GET", "/apikeys/?user=x&limit=50", None, 200, API_KEY, True),
    ("GET", "/apikeys/{key}", None, 200, API_KEY, False),
    ("POST", "/apikeys", {}, 201, "created_at enabled id key metadata uid user", False),
    ("PUT", "/apikeys/{key}", {"user": "ada", "enabled": True, "metadata": {}}, 200, API_KEY, False),
    ("DELETE", "/apikeys/{key}", None, 204, "", False),
    # Actions
    ("GET", "/actions?include_attributes=ref,pack,description", None, 200, "description id pack ref", True),
    ("GET", "/actions", None, 200, ACTION, True),
    ("GET", "/actions/core.local", None, 200, ACTION, False),
    ("POST", "/actions", NEW_ACTION, 201, ACTION, False),
    ("PUT", "/actions/linux.new", {**NEW_ACTION, "description": "x"}, 200, ACTION, False),
    (
        "POST",
        "/actions/linux.new/clone",
        {"dest_pack": "linux", "dest_action": "c", "overwrite": False},
        201,
        ACTION,
        False,
    ),
    ("DELETE", "/actions/linux.new", {"remove_files": False}, 204, "", False),
    ("GET", "/actions/views/overview?limit=1", None, 200, ACTION, True),
    ("GET", "/actions/views/overview/core.local", None, 200, ACTION, False),
    ("GET", "/actions/views/parameters/core.local", None, 200, "parameters", False),
    ("GET", "/actions/views/entry_point/core.local", None, 404, FAULT, False),
    # Runner types
    ("GET", "/runnertypes/?name=local-shell-cmd", None, 200, RUNNER, True),
    ("GET", "/runnertypes/local-shell-cmd", None, 200, RUNNER, False),
    ("PUT", "/runnertypes/local-shell-cmd", {"enabled": True}, 200, RUNNER, False),
    # Executions
    ("GET", f"/executions/?{LIST}", None, 200, "action id status", True),
    ("GET", "/actionexecutions?limit=1", None, 200, EXECUTION, True),
    ("POST", "/executions", {"action": "core.local", "parameters": {"cmd": "x"}, "user": None}, 201, EXECUTION, False),
    ("GET", "/executions/{ended}", None, 200, ENDED, False),
    ("GET", "/executions/last?include_attributes=id,children", None, 200, "id", False),
    ("GET", "/executions/{ended}?exclude_attributes=result", None, 200, EXECUTION, False),
    ("PUT", "/executions/{ended}", {"status": "pausing"}, 400, FAULT, False),
    (
        "POST",
        "/executions/{ended}/re_run",
        {"parameters": {}, "tasks": [], "reset": [], "delay": 0},
        201,
        EXECUTION,
        False,
    ),
    ("GET", "/executions/{ended}/result", None, 200, "failed return_code stderr stdout succeeded", False),
    ("GET", "/executions/{ended}/result?download=true&pretty_format=True", None, 200, "failed stdout", False),
    ("GET", "/executions/{ended}/attribute/result", None, 200, "failed return_code stderr stdout succeeded", False),
    ("GET", "/executions/{ended}/attribute/log", None, 400, FAULT, False),
    ("GET", "/executions/{ended}/children/?depth=-1", None, 200, "", True),
    ("GET", "/executions/views/filters", None, 200, "action rule runner status trigger trigger_type user", False),
    ("GET", "/executions/views/filters?types=action,status", None, 200, "action status", False),
    ("DELETE", "/executions/{ended}", None, 200, FAULT, False),
    ("DELETE", "/executions/{execution}", None, 200, EXECUTION, False),
    # Inquiries
    ("GET", "/inquiries", None, 200, INQUIRY, True),
    ("GET", "/inquiries/{inquiry}", None, 200, INQUIRY, False),
    ("PUT", "/inquiries/{inquiry}", {"id": "{inquiry}", "response": {}}, 200, "id response", False),
    # Rules
    (
        "GET",
        "/rules?limit=50&include_attributes=ref,trigger.ref,action.ref,enabled",
        None,
        200,
        "action id trigger",
        True,
    ),
    ("GET", "/rules/core.one", None, 200, RULE, False),
    ("GET", "/rules/views", None, 200, RULE, True),
    ("GET", "/rules/views/core.one", None, 200, RULE, False),
    ("POST", "/rules", NEW_RULE, 201, RULE, False),
    ("PUT", "/rules/core.new", NEW_RULE, 200, RULE, False),
    ("DELETE", "/rules/core.new", None, 204, "", False),
    ("GET", "/ruletypes", None, 200, "description enabled id name parameters", True),
    ("GET", "/ruletypes/standard", None, 200, "description enabled id name parameters", False),
    ("GET", "/ruleenforcements", None, 200, ENFORCEMENT, True),
    ("GET", "/ruleenforcements/{enforcement}", None, 200, ENFORCEMENT, False),
    ("GET", "/ruleenforcements/views", None, 200, f"{ENFORCEMENT} trigger_instance", True),
    ("GET", "/ruleenforcements/views/{enforcement}", None, 200, f"{ENFORCEMENT} trigger_instance", False),
    # Triggers
    ("GET", "/triggertypes", None, 200, TRIGGER_TYPE, True),
    ("GET", "/triggertypes/core.event", None, 200, TRIGGER_TYPE, False),
    ("POST", "/triggertypes", {"name": "new", "pack": "core"}, 201, TRIGGER_TYPE, False),
    ("PUT", "/triggertypes/core.new", {"name": "new", "pack": "core"}, 200, TRIGGER_TYPE, False),
    ("DELETE", "/triggertypes/core.new", None, 204, "", False),
    ("GET", "/triggers?type=core.event", None, 200, TRIGGER, True),
    ("GET", "/triggers/core.event", None, 200, TRIGGER, False),
    ("POST", "/triggers", NEW_TRIGGER, 201, TRIGGER, False),
    (
        "GET",
        "/triggerinstances?limit=50&include_attributes=id,trigger,occurrence_time,status",
        None,
        200,
        "id status",
        True,
    ),
    ("GET", "/triggerinstances/{instance}", None, 200, INSTANCE, False),
    ("POST", "/triggerinstances/{instance}/re_emit", None, 200, "message payload", False),
    # Sensors, webhooks, timers
    ("GET", "/sensortypes", None, 200, SENSOR, True),
    ("GET", "/sensortypes/core.Watch", None, 200, SENSOR, False),
    ("PUT", "/sensortypes/core.Watch", {"enabled": True}, 200, SENSOR, False),
    ("GET", "/webhooks?include_attributes=url,type,description", None, 200, TRIGGER, True),
    ("GET", "/webhooks/hook", None, 200, TRIGGER, False),
    ("POST", "/webhooks/hook", {"sent": "1"}, 202, "sent", False),
    ("POST", "/webhooks/st2", {"trigger": "core.event", "payload": {}}, 202, "payload trigger", False),
    ("GET", "/timers?timer_type=core.st2.IntervalTimer", None, 200, TRIGGER, True),
    ("GET", "/timers?timer_type=nosuch", None, 400, FAULT, False),
    ("GET", "/timers/{timer}", None, 200, TRIGGER, False),
    # The datastore
    ("PUT", "/keys/new", {"name": "new", "value": "v", **EVERY}, 200, KEY, False),
    ("GET", "/keys/?decrypt=false&scope=all&limit=50", None, 200, KEY, True),
    ("GET", "/keys/k?decrypt=true&scope=system", None, 200, KEY, False),
    ("DELETE", "/keys/new?scope=system", None, 204, "", False),
    # Packs
    ("GET", "/packs", None, 200, PACK, True),
    ("GET", "/packs/core", None, 200, PACK, False),
    ("POST", "/packs/install", {"packs": ["x"], "force": False, "skip_dependencies": False}, 400, FAULT, False),
    ("POST", "/packs/register", {"types": ["rules"], "packs": ["core"]}, 200, "rules", False),
    ("GET", "/packs/index", None, 200, "index status", False),
    ("POST", "/packs/index/search", {"query": "x"}, 200, "", True),
    ("POST", "/packs/index/search", {"pack": "nosuch"}, 200, "", True),
    ("GET", "/packs/index/health", None, 200, "indexes packs", False),
    ("GET", "/packs/views/files/core", None, 200, "content file_path", True),
    ("GET", "/packs/views/file/core/icon.png", None, 200, "", False),
    ("PUT", "/configs/core", {"a": 1}, 200, "id pack values", False),
    ("GET", "/configs", None, 200, "id pack values", True),
    ("GET", "/configs/core", None, 200, "id pack values", False),
    ("GET", "/config_schemas", None, 200, "", True),
    ("GET", "/config_schemas/core", None, 404, FAULT, False),
    # Policies, aliases, traces, others
    ("GET", "/policytypes?resource_type=action", None, 200, POLICY_TYPE, True),
    ("GET", "/policytypes/action.concurrency", None, 200, POLICY_TYPE, False),
    ("GET", "/policies?resource_ref=linux.df&policy_type=action.concurrency", None, 200, POLICY, True),
    ("GET", "/policies/core.one", None, 200, POLICY, False),
    ("POST", "/policies", {**NEW_POLICY, "parameters": {"threshold": 1}}, 201, POLICY, False),
    ("PUT", "/policies/core.new", {**NEW_POLICY, "parameters": {"threshold": 2}}, 200, POLICY, False),
    ("DELETE", "/policies/core.new", None, 204, "", False),
    ("GET", "/actionalias?limit=-1", None, 200, ALIAS, True),
    ("GET", "/actionalias?limit=10&offset=0", None, 200, ALIAS, True),
    ("GET", "/actionalias/core.say", None, 200, ALIAS, False),
    ("POST", "/actionalias", NEW_ALIAS, 201, ALIAS, False),
    ("PUT", "/actionalias/core.new", NEW_ALIAS, 200, ALIAS, False),
    ("DELETE", "/actionalias/core.new", None, 204, "", False),
    ("POST", "/actionalias/match", {"command": "say x"}, 200, "actionalias display representation", False),
    ("POST", "/actionalias/match", {"command": "dance"}, 400, FAULT, False),
    ("GET", "/actionalias/help?pack=core&filter=&limit=5&offset=0", None, 200, HELP, False),
    ("POST", "/aliasexecution", SAY, 201, "actionalias execution", False),
    ("POST", "/aliasexecution/match_and_execute", {**SAY}, 201, "results", False),
    ("GET", "/traces?sort_desc=True", None, 200, TRACE, True),
    ("GET", "/traces/{trace}", None, 200, TRACE, False),
    ("POST", "/workflows/inspect", "version: 1.0\ntasks:\n  a:\n    action: core.noop\n", 200, "", True),
    ("GET", "/service_registry/groups", None, 200, "groups", False),
    ("GET", "/service_registry/groups/api/members", None, 200, "members", False),
    ("GET", "/rbac/roles?system=true", None, 200, ROLE, True),
    ("GET", "/rbac/roles/runner", None, 200, ROLE, False),
    ("GET", "/rbac/role_assignments?user=grace", None, 200, ASSIGNMENT, True),
    ("GET", "/rbac/role_assignments/{assignment}", None, 200, ASSIGNMENT, False),
    ("GET", "/rbac/permission_types", None, 200, "action rule", False),
    ("GET", "/rbac/permission_types/action", None, 200, "", True),
]

CMD = {"action": "core.local", "parameters": {"cmd": "true"}}
BOTH_LISTS = (
    "exclude_fields and include_fields arguments are mutually exclusive. "
    "You need to provide either one or another, but not both."
)
UNKNOWN = "0" * 24

#: method, path, body (bytes: as they are), status, the whole text.
FAULTS: list[tuple[str, str, Any, int, str]] = [
    ("GET", f"/executions/{UNKNOWN}", None, 404, f'Unable to identify resource with id "{UNKNOWN}".'),
    ("GET", "/executions/zzz", None, 404, 'Unable to identify resource with id "zzz".'),
    ("GET", "/nosuch", None, 404, "The resource could not be found."),
    ("DELETE", "/executions", None, 404, "The resource could not be found."),
    ("GET", "/workflows", None, 404, "The resource could not be found."),
    ("GET", "/actions/core.nosuch", None, 404, 'Resource with a reference or id "core.nosuch" not found'),
    ("GET", "/rules/core.nosuch", None, 404, 'Resource with a reference or id "core.nosuch" not found'),
    ("GET", "/keys/nokey", None, 404, 'The key "nokey" does not exist in the StackStorm datastore.'),
    ("POST", "/webhooks/nosuch", {}, 404, "Webhook nosuch not registered with st2"),
    ("POST", "/webhooks/hook", b"x", 400, "'x' is not of type 'object', 'array'"),
    ("POST", "/executions", {}, 400, "'action' is a required property"),
    ("POST", "/executions", None, 400, "'action' is a required property"),
    ("POST", "/executions", {**CMD, "zzz": 1}, 400, "Additional properties are not allowed ('zzz' was unexpected)"),
    ("POST", "/executions", {"action": "core.nosuch"}, 400, 'Action "core.nosuch" cannot be found.'),
    (
        "POST",
        "/executions",
        {"action": "core.strict", "parameters": {"cmd": "true", "zzz": 1}},
        400,
        "Additional properties are not allowed ('zzz' was unexpected)",
    ),
    (
        "POST",
        "/executions",
        {"action": "core.strict", "parameters": {"cmd": "true", "seconds": "abc"}},
        400,
        "invalid literal for int() with base 10: 'abc'",
    ),
    ("POST", "/executions", {"action": "core.strict", "parameters": {}}, 400, "'cmd' is a required property"),
    ("GET", "/executions?limit=abc", None, 400, 'Parameter "limit" is not of type integer'),
    ("GET", "/executions?limit=-5", None, 400, 'Limit, "-5" specified, must be a positive number.'),
    ("GET", "/executions?limit=0", None, 400, 'Limit, "0" specified, must be a positive number.'),
    (
        "GET",
        "/executions?include_attributes=nosuch&limit=1",
        None,
        400,
        "Invalid or unsupported include attribute specified: nosuch",
    ),
    ("GET", "/executions?include_attributes=id&exclude_attributes=result", None, 400, BOTH_LISTS),
    ("PUT", "/executions/{ended}", {"status": "pausing"}, 400, "Execution is already in completed state."),
    ("DELETE", "/executions/{ended}", None, 200, "Action cannot be canceled. State = succeeded."),
]


@pytest.fixture(scope="module")
def platform(make_platform: Callable[[], Iterator[Platform]]) -> Iterator[Platform]:  # noqa: F811
    for platform in make_platform():
        _end_one(platform)
        parameters = {"cmd": {"type": "string", "required": True}, "seconds": {"type": "integer"}}
        strict = {"pack": "core", "name": "strict", "runner_type": "local-shell-cmd", "parameters": parameters}
        actions.save(Action.from_metadata(strict))
        Members(platform.database).tell([Member("api", 1, ("127.0.0.1", 9101))], 600)
        yield platform


def _end_one(platform: Platform) -> None:
    """An execution that has succeeded."""
    identity = platform.ids["ended"] = platform.request(cmd="echo hello")
    result = {"failed": False, "succeeded": True, "return_code": 0, "stdout": "hello", "stderr": ""}
    executions = Executions(platform.database)
    executions.claim(identity, "a runner", 0, {})
    executions.change(identity, Status.SUCCEEDED, fields={"result": result, "result_size": len(json.dumps(result))})


def _filled(value: Any, ids: dict[str, str]) -> Any:
    return json.loads(json.dumps(value).replace("{inquiry}", ids["inquiry"])) if isinstance(value, dict) else value


def _ask(platform: Platform, method: str, path: str, body: Any) -> Any:
    target = "/v1" + path.format(**platform.ids)
    headers = platform.headers("admin")
    if isinstance(body, str | bytes):
        return platform.api.open(target, method=method, data=body, content_type="text/plain", headers=headers)
    if body is None and method == "POST" and path.endswith("re_emit"):
        return platform.api.open(target, method=method, data=b"null", content_type="application/json", headers=headers)
    if body is None:
        return platform.api.open(target, method=method, headers=headers)
    # What is deleted comes with a body that has no type.
    content_type = None if method == "DELETE" else "application/json"
    text = json.dumps(_filled(body, platform.ids))
    return platform.api.open(target, method=method, data=text, content_type=content_type, headers=headers)


def test_every_route_answers_as_its_clients_read_it(platform: Platform) -> None:
    differences = []
    for method, path, body, status, names, is_list in ROWS:
        response = _ask(platform, method, path, body)
        found = response.get_json(silent=True, force=True)
        shown = f"{method} {path}: {response.status_code} {response.text[:300]}"
        if response.status_code != status:
            differences.append(f"{shown} (not {status})")
        elif isinstance(found, list) is not is_list:
            differences.append(f"{shown} (a list: {is_list})")
        elif names and (missing := set(names.split()) - set((found[0] if is_list else found) if found else ())):
            differences.append(f"{shown} lacks {sorted(missing)}")
        elif (
            is_list
            and path.startswith("/executions")
            and "children" not in path
            and not response.headers["X-Total-Count"]
        ):
            differences.append(f"{shown} has no X-Total-Count")
        elif status == 204 and response.data:
            differences.append(f"{shown} has a body")
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize(("method", "path", "body", "status", "text"), FAULTS)
def test_errors_have_the_texts_that_clients_know(
    platform: Platform, method: str, path: str, body: Any, status: int, text: str
) -> None:
    response = _ask(platform, method, path, body)
    assert (response.status_code, response.json) == (status, {"faultstring": text})


def test_a_body_that_is_no_json(platform: Platform) -> None:
    headers = platform.headers("admin")
    response = platform.api.post("/v1/executions", data=b"{bad", content_type="application/json", headers=headers)
    assert response.status_code == 400
    assert response.json["faultstring"].startswith("Failed to parse request body: ")
