"""Aliases, policies, inquiries and traces, through the official client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.official.client import Client
from tests.official.conftest import Status

pytestmark = pytest.mark.full


def write(directory: Path, document: dict[str, Any]) -> str:
    file = directory / "document.json"
    file.write_text(json.dumps({"pack": "default", "enabled": True, **document}))
    return str(file)


def test_an_alias(st2: Client, tmp_path: Path) -> None:
    alias = {"name": "say", "action_ref": "core.echo", "formats": ["say {{message}}"], "description": "Says it"}
    assert st2("action-alias", "create", write(tmp_path, alias), "-j").json()["uid"] == "action_alias:default:say"
    assert "default.say" in [each["ref"] for each in st2("action-alias", "list", "-j").json()]
    assert st2("action-alias", "get", "default.say", "-j").json()["formats"] == ["say {{message}}"]
    assert "Says it" in st2("action-alias", "match", "say hello there").out
    assert "matched no patterns" in st2("action-alias", "match", "nothing like it", code=1).out
    executed = st2("action-alias", "execute", "say hello there").out
    assert executed.startswith("Matching Action-alias: 'default.say'\n")
    execution_id = executed.split()[-1]
    st2("execution", "tail", execution_id)
    assert st2.execution(execution_id)["result"]["stdout"] == "hello there"
    assert "successfully deleted" in st2("action-alias", "delete", "default.say").out


def test_what_a_chat_is_told(st2: Client, tmp_path: Path) -> None:
    words = {
        "formats": ["utter {{message}}"],
        "result": {"format": "Said {{ execution.result.stdout }}.", "extra": {"a": 1}},
    }
    alias = {"name": "utter", "action_ref": "core.echo", **words}
    st2("action-alias", "create", write(tmp_path, alias))
    tested = st2("action-alias", "test", "utter hello").out
    assert "Said hello." in tested.splitlines()
    execution_id = st2.ran("chatops.match_and_execute", "text=utter it")["result"]["result"]
    told = st2.ran("chatops.format_execution_result", f"execution_id={execution_id}")["result"]["result"]
    assert told == {"enabled": True, "message": "Said it.", "extra": {"a": 1}}
    where = {"channel": "ops", "user": "ada"}
    options = [f"{name}={value}" for name, value in where.items()]
    posted = st2.ran("chatops.post_result", f"execution_id={execution_id}", *options)["result"]["result"]
    expected = {"message": "Said it.", "whisper": False, "extra": {"a": 1}, **where}
    assert expected.items() <= st2.execution(posted)["result"]["output"].items()
    refused = st2.ran("chatops.run", "text=no such command", *options)["result"]["result"]
    assert "matched no patterns" in st2.execution(refused)["result"]["message"]
    st2("action-alias", "delete", "default.utter")


def test_what_a_chat_is_told_of_what_has_no_alias(st2: Client) -> None:
    def message(*words: str, code: int = 0) -> str:
        execution_id = st2.ran(*words, code=code)["id"]
        told = st2.ran("chatops.format_execution_result", f"execution_id={execution_id}")["result"]["result"]
        return str(told["message"])

    sentence, _, shown = message("core.local", "cmd=echo yes").partition("{~}")
    assert sentence.startswith("*core.local* succeeded after ")
    assert shown == "\nyes"
    assert message("core.local", "cmd=echo out; echo err >&2; exit 3", code=1).endswith("\nstdout: out\nstderr: err")
    assert message("core.noop").endswith(").")


def test_a_policy(st2: Client, tmp_path: Path) -> None:
    assert len(st2("policy-type", "list", "-j").json()) == 3
    assert st2("policy-type", "get", "action.retry", "-j").json()["uid"] == "policy_type:action:retry"
    policy = {"name": "few", "resource_ref": "core.echo", "policy_type": "action.concurrency"}
    parameters = {"threshold": 5, "action": "delay"}
    created = st2("policy", "create", write(tmp_path, {**policy, "parameters": parameters}), "-j").json()
    assert (created["ref"], created["parameters"]) == ("default.few", parameters)
    [listed] = st2("policy", "list", "--resource-ref", "core.echo", "-j").json()
    assert listed["ref"] == "default.few"
    assert st2("policy", "list", "--policy-type", "action.retry").out == "No matching items found\n"
    assert st2("policy", "get", "default.few", "-j").json()["id"] == created["id"]
    assert "successfully deleted" in st2("policy", "delete", "default.few").out
    assert st2("policy", "get", "default.few", code=1)


def test_an_inquiry(st2: Client, status: Status) -> None:
    # An execution that waits for people ends the client's waiting as well.
    inquiry_id = st2("run", "core.ask", "-j").json()["id"]
    eventually(lambda: status(inquiry_id) == "pending")
    assert inquiry_id in [each["id"] for each in st2("inquiry", "list", "-j").json()]
    assert "continue" in st2("inquiry", "get", inquiry_id, "-j").json()["schema"]["properties"]
    refused = st2("inquiry", "respond", inquiry_id, "-r", '{"continue": "perhaps"}', code=1).out
    assert refused.startswith("ERROR: 400 Client Error: Bad Request\nMESSAGE: ")
    assert (
        f"Response accepted for inquiry {inquiry_id}."
        in st2("inquiry", "respond", inquiry_id, "-r", '{"continue": true}').out
    )
    eventually(lambda: status(inquiry_id) == "succeeded")
    assert st2.execution(inquiry_id)["result"]["response"] == {"continue": True}


def test_which_services_live(st2: Client, open_platform: Platform) -> None:
    eventually(lambda: "actionrunner" in st2("service-registry", "group", "list").out)
    shown = st2("service-registry", "member", "list", "-j").json()
    # Of the standalone mode: it has no authentication service, as it asks nobody who he is.
    assert {"actionrunner", "api", "garbagecollector", "rulesengine", "stream"} <= {each["group_id"] for each in shown}
    [api] = st2("service-registry", "member", "list", "--group-id", "api", "-j").json()
    assert api["capabilities"]["listen_port"] == urlsplit(open_platform.urls["ST2_API_URL"]).port
    ours = json.loads(open_platform.st2("service-registry", "member", "list", "--group-id", "api", "-j").stdout)
    assert ours == [api]
    assert "actionrunner" in open_platform.st2("service-registry", "group", "list").stdout


def test_a_trace(st2: Client) -> None:
    execution_id = st2.ran("--trace-tag", "a-tag", "core.local", "cmd=true")["id"]
    shown = st2("trace", "list", "--trace-tag", "a-tag").out
    assert execution_id in shown
    assert "core.local" in shown
    assert "a-tag" in st2("trace", "list").out
