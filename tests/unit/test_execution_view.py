from __future__ import annotations

from typing import Any

from bson import ObjectId

from st2common.models.execution_view import (
    liveaction_form,
    projection,
    result_size,
    secret_values,
    select,
    to_api,
)
from st2common.models.secrets import MASK
from tests.shell_action import ACTION, RUNNER, action_with

START = 1_795_355_179_072_588


def stored(**changes: Any) -> dict[str, Any]:
    """An execution that succeeded, as it is stored."""
    result = {"failed": False, "succeeded": True, "return_code": 0, "stdout": "hello", "stderr": "oops"}
    return {
        "_id": ObjectId("6b02f22bd23843de9f9e3c84"),
        "status": "succeeded",
        "action": ACTION,
        "runner": RUNNER,
        "liveaction": {
            "id": "6b02f22bd23843de9f9e3c83",
            "callback": {},
            "runner_info": {"hostname": "vm", "pid": 31118},
        },
        "parameters": {"cmd": "echo hello"},
        "context": {"user": "root", "pack": "core"},
        "result": result,
        "result_size": result_size(result),
        "log": [{"status": "requested", "timestamp": START}, {"status": "succeeded", "timestamp": START + 196_830}],
        "start_timestamp": START,
        "end_timestamp": START + 196_830,
        "attempt": 1,
        "owner": "runner-1",
        "lease_until": START,
    } | changes


def test_the_document_that_clients_get() -> None:
    shown = to_api(stored(), web_base_url="https://localhost")
    assert shown == {
        "action": ACTION,
        "runner": RUNNER,
        "liveaction": {
            "action": "core.local",
            "action_is_workflow": False,
            "parameters": {"cmd": "echo hello"},
            "callback": {},
            "runner_info": {"hostname": "vm", "pid": 31118},
            "id": "6b02f22bd23843de9f9e3c83",
        },
        "status": "succeeded",
        "start_timestamp": "2026-11-22T13:46:19.072588Z",
        "end_timestamp": "2026-11-22T13:46:19.269418Z",
        "parameters": {"cmd": "echo hello"},
        "result_size": 82,
        "context": {"user": "root", "pack": "core"},
        "log": [
            {"timestamp": "2026-11-22T13:46:19.072588Z", "status": "requested"},
            {"timestamp": "2026-11-22T13:46:19.269418Z", "status": "succeeded"},
        ],
        "web_url": "https://localhost/#/history/6b02f22bd23843de9f9e3c84/general",
        "id": "6b02f22bd23843de9f9e3c84",
        "result": {"failed": False, "succeeded": True, "return_code": 0, "stdout": "hello", "stderr": "oops"},
        "elapsed_seconds": 0.19683,
    }


def test_empty_fields_are_left_out_but_some_stay() -> None:
    fresh = stored(parameters={}, children=[], context={}, status="requested", log=[])
    for name in ("result", "result_size", "end_timestamp"):
        del fresh[name]
    shown = to_api(fresh)
    assert set(shown) == {
        "action",
        "runner",
        "liveaction",
        "status",
        "start_timestamp",
        "context",
        "log",
        "web_url",
        "id",
    }


def test_secrets_are_masked_wherever_a_template_has_put_them() -> None:
    action = action_with({"cmd": {"type": "string"}, "login": {"properties": {"key": {"secret": True}}}})
    parameters = {"cmd": "login --key hunter2", "login": {"name": "bob", "key": "hunter2"}, "sudo_password": "pw"}
    execution = stored(action=action, parameters=parameters)
    hidden = {
        "cmd": f"login --key {MASK}",
        "login": {"name": "bob", "key": MASK},
        "sudo_password": MASK,
    }
    assert to_api(execution)["parameters"] == hidden
    assert to_api(execution)["liveaction"]["parameters"] == hidden
    assert to_api(execution, mask_secrets=False)["parameters"] == parameters
    assert sorted(secret_values(execution)) == ["hunter2", "pw"]


def test_the_default_of_a_secret_parameter_is_secret() -> None:
    action = action_with({"token": {"type": "string", "secret": True, "default": "t0ken"}})
    assert secret_values(stored(action=action)) == ["t0ken"]
    assert secret_values(stored(action=action, parameters={"token": "other"})) == ["other"]


def test_an_action_cannot_make_its_runners_secret_public() -> None:
    action = action_with({"sudo_password": {"description": "Mine", "secret": False}})
    assert to_api(stored(action=action, parameters={"sudo_password": "pw"}))["parameters"] == {"sudo_password": MASK}


def test_secrets_of_the_result_are_masked_by_the_output_schema() -> None:
    schema = {"type": "object", "properties": {"token": {"type": "string", "secret": True}}}
    old_form = {"token": {"type": "string", "secret": True}}
    runner = RUNNER | {"output_key": "result"}
    result = {"result": {"token": "t0ken", "user": "bob"}, "exit_code": 0}
    for output_schema in (schema, old_form):
        execution = stored(action=ACTION | {"output_schema": output_schema}, runner=runner, result=result)
        assert to_api(execution)["result"] == {"result": {"token": MASK, "user": "bob"}, "exit_code": 0}
    canceled = {"message": "Action canceled by user.", "user": "bob"}
    execution = stored(action=ACTION | {"output_schema": schema}, runner=runner, result=canceled)
    assert to_api(execution)["result"] == canceled


def test_selection_of_fields() -> None:
    shown = to_api(stored())
    assert select(shown, ["id", "status", "action.ref"]) == {
        "action": {
            "uid": "action:core:local",
            "ref": "core.local",
            "pack": "core",
            "parameters": ACTION["parameters"],
            "output_schema": {},
        },
        "status": "succeeded",
        "id": shown["id"],
    }
    assert select(shown, ["action.ref", "action"])["action"] == ACTION
    assert select(shown, ["runner.name"])["runner"] == {
        "name": "local-shell-cmd",
        "runner_parameters": RUNNER["runner_parameters"],
    }
    assert select(shown, ["context.user"])["context"] == shown["context"]
    assert set(shown) - set(select(shown, exclude=["result"])) == {"result"}
    assert select(shown) == shown


def test_what_is_read_is_enough_to_show_it() -> None:
    whole = stored(parameters={"cmd": "x", "sudo_password": "pw"})
    shown = to_api(whole)
    for name in shown:
        fields = projection([name])
        assert fields is not None
        part = {field: value for field, value in whole.items() if field in fields}
        assert select(to_api(part), [name]) == {name: shown[name], "id": shown["id"]}
    assert projection() is None
    assert projection(exclude=["result"]) == {"result": 0}


def test_the_live_action_of_events() -> None:
    running = stored(status="running")
    del running["result"], running["end_timestamp"]
    form = liveaction_form(to_api(running))
    assert form == {
        "status": "running",
        "start_timestamp": "2026-11-22T13:46:19.072588Z",
        "action": "core.local",
        "action_is_workflow": False,
        "parameters": {"cmd": "echo hello"},
        "context": {"user": "root", "pack": "core"},
        "callback": {},
        "runner_info": {"hostname": "vm", "pid": 31118},
        "id": "6b02f22bd23843de9f9e3c83",
        "result": "{}",
    }
    assert '"stdout": "hello"' in liveaction_form(to_api(stored()))["result"]
