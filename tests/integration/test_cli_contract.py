"""What scripts rely on: the words of commands, their options, and how they end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.shell import GROUPS, SHORTCUTS, main, parser_of, verbs_of
from tests.integration.scripted_platform import (
    EXECUTION_ID,
    LOCAL,
    RUNNER,
    ScriptedPlatform,
    end_events,
    execution,
    output_event,
)

Captured = pytest.CaptureFixture[str]

_CONTENT = "list get create update delete enable disable"
#: The commands of the family, and the verbs of each.
VERBS = {
    "action": f"{_CONTENT} clone execute",
    "action-alias": "list get match execute test create update delete",
    "apikey": "list get create delete enable disable load",
    "execution": "list get re-run cancel pause resume tail",
    "inquiry": "list get respond",
    "key": "list get set delete load delete_by_prefix",
    "pack": "list get show search install remove register config",
    "policy": _CONTENT,
    "policy-type": "list get",
    "role": "list get",
    "role-assignment": "list get",
    "rule": _CONTENT,
    "rule-enforcement": "list get",
    "runner": "list get enable disable",
    "sensor": "list get enable disable",
    "timer": "list get",
    "trace": "list get",
    "trigger": "list get create update delete getspecs",
    "trigger-instance": "list get re-emit",
    "webhook": "list get",
    "workflow": "inspect",
}
_COMMANDS = [f"{group} {verb}" for group, verbs in VERBS.items() for verb in verbs.split()]
_RUN = (
    "-a --async --tail -e --inherit-env -u --user --delay --trace-tag --trace-id -k --key -d --detail --show-tasks "
    "--depth --raw"
)


def test_the_words_are_there() -> None:
    assert set(SHORTCUTS) == {"run", "auth", "login", "whoami"}
    assert VERBS.keys() - GROUPS.keys() == set()
    for group, verbs in VERBS.items():
        assert set(verbs.split()) - verbs_of(group).keys() == set(), group


@pytest.mark.parametrize("command", [*_COMMANDS, "service-registry group list", "service-registry member list"])
def test_every_command_has_the_forms(command: str) -> None:
    group, _, verb = command.partition(" ")
    options = parser_of(f"st2 {command}", verbs_of(group)[verb])._option_string_actions
    assert {"-j", "--json", "-y", "--yaml", "--attr"} <= options.keys()
    if verb in ("list", "get") and group != "execution":
        assert options["-a"].dest == "attr"


def test_the_options_of_run() -> None:
    options = parser_of("st2 run", verbs_of("action")["execute"])._option_string_actions
    assert set(_RUN.split()) <= options.keys()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    """It knows nothing: every answer is 404."""
    with ScriptedPlatform().serving() as scripted:
        for name in ("ST2_API_URL", "ST2_STREAM_URL", "ST2_AUTH_URL"):
            monkeypatch.setenv(name, scripted.url)
        for name in ("ST2_AUTH_TOKEN", "ST2_API_KEY", "ST2_BASE_URL", "ST2_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "file.yaml").write_text("name: x\npack: default\nkey_hash: x\nid: x\n")
        monkeypatch.chdir(tmp_path)
        scripted.may_end.set()
        yield scripted


@pytest.mark.parametrize(
    ("code", "command"),
    [
        *((1, f"{group} get nosuch") for group, verbs in VERBS.items() if "get" in verbs.split()),
        *((1, f"{group} enable nosuch") for group, verbs in VERBS.items() if "enable" in verbs),
        *((1, f"{group} disable nosuch") for group, verbs in VERBS.items() if "disable" in verbs),
        *((1, f"{group} update nosuch file.yaml") for group, verbs in VERBS.items() if "update" in verbs),
        *(
            (2, f"{group} create file.yaml")
            for group, verbs in VERBS.items()
            if "create" in verbs and group != "apikey"
        ),
        *((2, f"{group} delete nosuch") for group, verbs in VERBS.items() if "delete" in verbs and group != "action"),
        (0, "action delete nosuch"),
        (0, f"execution cancel {EXECUTION_ID}"),
        (1, f"execution pause {EXECUTION_ID}"),
        (1, f"execution resume {EXECUTION_ID}"),
        (1, f"execution tail {EXECUTION_ID}"),
        (1, f"execution re-run {EXECUTION_ID}"),
        (1, "run core.nosuch"),
        (1, "login ada -p wrong"),
        (1, "auth ada -p wrong"),
        (2, "apikey create"),
        (2, ""),
        (2, "nosuch"),
        (2, "action"),
        (2, "action nosuch"),
        (2, "action get"),
        (2, "action list --nosuch"),
        (3, "--print-config"),
    ],
)
def test_how_commands_end_where_nothing_is_known(platform: ScriptedPlatform, code: int, command: str) -> None:
    try:
        ended = main(shlex.split(command))
    except SystemExit as error:  # of the parser
        ended = int(str(error.code))
    assert ended == code


def test_pause_and_resume(platform: ScriptedPlatform, capsys: Captured) -> None:
    path = f"/executions/{EXECUTION_ID}"
    platform.answers["PUT", path] = [(200, execution("pausing")), (200, execution("resuming"))]
    assert main(["execution", "pause", EXECUTION_ID]) == 0
    assert main(["execution", "resume", EXECUTION_ID, "--attr", "status", "-j"]) == 0
    assert [asked.body for asked in platform.asked("PUT", path)] == [{"status": "pausing"}, {"status": "resuming"}]
    out = capsys.readouterr().out
    assert "status: pausing" in out
    assert out.endswith('{\n    "status": "resuming"\n}\n')


def test_a_runner_is_switched(platform: ScriptedPlatform) -> None:
    path = "/runnertypes/local-shell-cmd"
    platform.answers = {("GET", path): [(200, RUNNER)], ("PUT", path): [(200, RUNNER)]}
    assert main(["runner", "disable", "local-shell-cmd"]) == 0
    assert main(["runner", "enable", "local-shell-cmd"]) == 0
    assert [asked.body["enabled"] for asked in platform.asked("PUT", path)] == [False, True]


def test_what_run_and_rerun_send(platform: ScriptedPlatform) -> None:
    platform.answers = {
        ("GET", "/actions/core.local"): [(200, LOCAL)],
        ("GET", "/runnertypes"): [(200, [RUNNER])],
        ("POST", "/executions"): [(201, execution())],
        ("POST", f"/executions/{EXECUTION_ID}/re_run"): [(201, execution())],
    }
    assert main(["run", "-a", "core.local", "cmd=x", "-u", "ada", "--delay", "500", "--trace-id", "0" * 24]) == 0
    assert platform.asked("POST", "/executions")[0].body == {
        "action": "core.local",
        "parameters": {"cmd": "x"},
        "user": "ada",
        "delay": 500,
        "context": {"trace_context": {"id_": "0" * 24}},
    }
    again = ["execution", "re-run", EXECUTION_ID, "-a"]
    assert main([*again, "--tasks", "build", "test", "--no-reset", "test", "--delay", "5"]) == 0
    assert platform.asked("POST", f"/executions/{EXECUTION_ID}/re_run")[0].body == {
        "parameters": {},
        "tasks": ["build", "test"],
        "reset": ["build"],
        "delay": 5,
    }
    assert main([*again, "--tasks", "build", "--no-reset", "test"]) == 2


def test_what_an_alias_says(platform: ScriptedPlatform, capsys: Captured) -> None:
    said = {"message": "It is done.", "extra": {}}
    told = execution(id="2" * 24, result={"result": said})
    platform.answers = {
        ("POST", "/actionalias/match"): [(200, {"actionalias": {"ref": "core.do"}, "representation": "do {{it}}"})],
        ("POST", "/aliasexecution"): [(201, {"execution": execution("requested")})],
        ("POST", "/executions"): [(201, told)],
        ("GET", f"/executions/{EXECUTION_ID}"): [(200, execution())],
        ("GET", f"/executions/{'2' * 24}"): [(200, told)],
    }
    assert main(["action-alias", "test", "do it"]) == 0
    assert capsys.readouterr().out == "It is done.\n"
    assert platform.asked("POST", "/executions")[0].body == {
        "action": "chatops.format_execution_result",
        "parameters": {"execution_id": EXECUTION_ID},
    }


def test_chosen_attributes(platform: ScriptedPlatform, capsys: Captured) -> None:
    actions = [{"ref": "core.local", "pack": "core", "runner_type": "local-shell-cmd", "enabled": True}]
    platform.answers = {("GET", "/actions"): [(200, actions)], ("GET", "/actions/core.local"): [(200, actions[0])]}
    assert main(["action", "list", "-a", "ref", "enabled"]) == 0
    assert capsys.readouterr().out == "ref         enabled\ncore.local  true\n"
    assert main(["action", "list", "--attr", "all"]) == 0
    assert capsys.readouterr().out.split()[:4] == ["ref", "pack", "runner_type", "enabled"]
    queries = [asked.query.get("include_attributes") for asked in platform.asked("GET", "/actions")]
    assert queries == ["ref,enabled", None]
    assert main(["action", "get", "--attr", "runner_type", "core.local", "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == {"runner_type": "local-shell-cmd"}
    assert main(["action", "get", "-a", "ref,enabled", "core.local"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["Property", "ref", "enabled"]


def test_last_is_never_a_step(platform: ScriptedPlatform) -> None:
    path = f"/executions/{EXECUTION_ID}"
    platform.answers = {("GET", "/executions/"): [(200, [execution()])], ("GET", path): [(200, execution())]}
    platform.streams[f"{path}/output"] = [output_event("1", "hello\n"), *end_events("2")]
    for command in (["get", "last"], ["tail", "last"], ["tail"]):
        assert main(["execution", *command]) == 0
    queries = [asked.query for asked in platform.asked("GET", "/executions/")]
    assert queries == [{"limit": "1", "parent": "null", "include_attributes": "id,status"}] * 3


def test_the_steps_of_a_workflow(platform: ScriptedPlatform, capsys: Captured) -> None:
    path = f"/executions/{EXECUTION_ID}"
    step = execution("failed", id="1" * 24, context={"orquesta": {"task_name": "build", "item_id": 2}})
    platform.answers = {
        ("GET", path): [(200, execution(children=["1" * 24]))],
        ("GET", f"{path}/children"): [(200, [step])],
    }
    assert main(["execution", "get", EXECUTION_ID]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[-2:]] == [
        ["id", "status"],
        ["1" * 24, "failed"],
    ]
    assert main(["execution", "get", EXECUTION_ID, "--depth", "1"]) == 0
    assert "  build[2]  " in capsys.readouterr().out
    depths = [asked.query["depth"] for asked in platform.asked("GET", f"{path}/children")]
    assert depths == ["-1", "1"]
    for option in (["--raw"], ["--attr", "id"], ["-j"], ["-d"], ["-k", "stdout"]):
        assert main(["execution", "get", EXECUTION_ID, *option]) == 0
    assert len(platform.asked("GET", f"{path}/children")) == 2
