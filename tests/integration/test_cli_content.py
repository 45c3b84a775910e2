"""``st2 action`` and ``st2 pack`` where they change something: what is asked, and how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from st2cli.commands.pack_config import parse
from st2cli.shell import main
from tests.integration.scripted_platform import EXECUTION_ID, LOCAL, ScriptedPlatform, execution

Captured = pytest.CaptureFixture[str]

_BY_ID = f"/actions/{LOCAL['id']}"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform().serving() as scripted:
        scripted.answers = {
            ("GET", "/actions/core.local"): [(200, LOCAL)],
            ("PUT", _BY_ID): [(200, LOCAL)],
            ("DELETE", _BY_ID): [(204, b"")],
            ("POST", "/actions"): [(201, LOCAL)],
            ("POST", "/actions/core.local/clone"): [(201, LOCAL)],
            ("GET", "/packs"): [(200, [{"ref": "demo", "name": "Demo", "version": "1.0.0"}])],
            ("GET", "/packs/demo"): [(200, {"ref": "demo"})],
            ("POST", "/packs/install"): [(202, {"execution_id": EXECUTION_ID})],
            ("POST", "/packs/uninstall"): [(202, {"execution_id": EXECUTION_ID})],
            ("POST", "/packs/index/search"): [(200, [])],
            ("POST", "/packs/register"): [(200, {"actions": 3})],
            ("PUT", "/configs/demo"): [(200, {"pack": "demo", "values": {"a": "********"}})],
        }
        for name in ("ST2_API_URL", "ST2_STREAM_URL"):
            monkeypatch.setenv(name, scripted.url)
        monkeypatch.setenv("ST2_CLI_SKIP_CONFIG", "1")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        yield scripted


def test_switching_sends_the_whole_action_but_its_reference(platform: ScriptedPlatform) -> None:
    assert main(["action", "disable", "core.local"]) == 0
    sent = platform.asked("PUT", _BY_ID)[0].body
    assert sent == {**{name: value for name, value in LOCAL.items() if name != "ref"}, "enabled": False}
    assert main(["action", "enable", "core.nosuch"]) == 1


def test_deleting(platform: ScriptedPlatform) -> None:
    assert main(["action", "delete", "core.local", "--remove-files"]) == 0
    assert platform.asked("DELETE", _BY_ID)[0].body == {"remove_files": True}
    # As with the existing client, nothing to delete is no failure here.
    assert main(["action", "delete", "core.nosuch"]) == 0


def test_creating_updating_and_cloning(platform: ScriptedPlatform, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a.yaml").write_text("name: local\nrunner_type: noop\n")
    assert main(["action", "create", "a.yaml"]) == 0
    assert platform.asked("POST", "/actions")[0].body == {"name": "local", "runner_type": "noop"}
    assert main(["action", "update", "core.local", "a.yaml"]) == 0
    assert platform.asked("PUT", _BY_ID)[0].body == {"pack": "core", "name": "local", "runner_type": "noop"}
    assert main(["action", "clone", "core.local", "default", "mine", "--force"]) == 0
    wanted = {"dest_pack": "default", "dest_action": "mine", "overwrite": True}
    assert platform.asked("POST", "/actions/core.local/clone")[0].body == wanted
    platform.answers["POST", "/actions"] = [(409, {"faultstring": "exists"})]
    assert main(["action", "create", "a.yaml"]) == 2
    assert "exists" in capsys.readouterr().err


def test_installing(platform: ScriptedPlatform, tmp_path: Path, capsys: Captured) -> None:
    output = {"packs_list": ["demo"], "warning_list": ["old"], "message": "no"}
    path = f"/executions/{EXECUTION_ID}"
    platform.answers["GET", path] = [(200, execution(result={"output": output}))]
    assert main(["pack", "install", "-j", "demo=1.0.0", "./here", "--force"]) == 0
    body = platform.asked("POST", "/packs/install")[0].body
    assert body == {"packs": ["demo=1.0.0", str(tmp_path / "here")], "force": True, "skip_dependencies": False}
    printed = capsys.readouterr()
    assert [pack["ref"] for pack in json.loads(printed.out)] == ["demo"]
    assert "Warning: old" in printed.err
    platform.answers["GET", path] = [(200, execution("failed", result={"output": output}))]
    assert main(["pack", "install", "-j", "demo"]) == 1
    assert main(["pack", "install", "--async", "demo"]) == 0


def test_removing(platform: ScriptedPlatform) -> None:
    platform.answers["GET", f"/executions/{EXECUTION_ID}"] = [(200, execution(result={"output": {}}))]
    assert main(["pack", "remove", "-j", "demo"]) == 2, "it is still there"
    del platform.answers["GET", "/packs/demo"]
    assert main(["pack", "remove", "-j", "demo"]) == 0
    assert main(["pack", "remove", "nosuch"]) == 2


def test_the_rest_of_the_verbs(platform: ScriptedPlatform, tmp_path: Path, capsys: Captured) -> None:
    assert main(["pack", "register", "demo", "--types", "actions,rules"]) == 0
    assert platform.asked("POST", "/packs/register")[0].body == {"packs": ["demo"], "types": ["actions", "rules"]}
    assert main(["pack", "show", "nosuch"]) == 1
    assert main(["pack", "search", "word"]) == 0
    (tmp_path / "values.yaml").write_text("a: secret\n")
    assert main(["pack", "config", "demo", "--file", "values.yaml"]) == 0
    assert platform.asked("PUT", "/configs/demo")[0].body == {"a": "secret"}
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "schema", "value"),
    [
        ("5", {"type": "integer"}, 5),
        ("5", {}, "5"),
        ("True", {"type": "boolean"}, True),
        ('["a"]', {"type": "array"}, ["a"]),
        ("{{st2kv.system.port}}", {"type": "integer"}, "{{st2kv.system.port}}"),
    ],
)
def test_answers(answer: str, schema: dict[str, object], value: object) -> None:
    assert parse(answer, schema) == value
    for wrong in ("x y", ""):
        with pytest.raises(ValueError, match=r"integer|required"):
            parse(wrong, {"type": "integer"})
    with pytest.raises(ValueError, match="one of a, b"):
        parse("c", {"enum": ["a", "b"]})
