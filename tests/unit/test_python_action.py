"""The rules of python actions, seen from outside: what a file makes of a request."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ACTION = "from st2common.runners.base_action import Action\n"


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: str
    stderr: str
    #: What stands in the result file; None when there is none.
    written: dict[str, Any] | None


@pytest.fixture
def run(tmp_path):
    def run(source: str, name: str = "my_action.py", **request: Any) -> Ended:
        file = tmp_path / "actions" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)
        result = tmp_path / "result"
        complete = {"file_path": str(file), "pack": "examples", "parameters": {}, "result_path": str(result), **request}
        ended = subprocess.run(
            [sys.executable, "-P", "-u", "-m", "st2common.runners.python_action"],
            input=json.dumps(complete).encode(),
            capture_output=True,
            check=False,
            cwd=tmp_path,
        )
        written = json.loads(result.read_text()) if result.exists() else None
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode(), written)

    return run


def returning(expression: str) -> str:
    return ACTION + f"class Mine(Action):\n    def run(self, **parameters):\n        return {expression}\n"


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("parameters", {"result": {"a": 1, "b": [None, "ü"]}, "status": None}),
        ("None", {"result": None, "status": None}),
        ("(True, 'good')", {"result": "good", "status": True}),
        ("(False, {'x': 1})", {"result": {"x": 1}, "status": False}),
        ("(None, 'plain')", {"result": "plain", "status": None}),
        ("(1, 2, 3)", {"result": [1, 2, 3], "status": None}),
        ("[True, 'a list']", {"result": [True, "a list"], "status": None}),
        ("{1}", {"result": "{1}, 'status': None}", "status": None}),
        ("(None, {1})", {"result": "{1}, 'status': None}", "status": None}),
        ("[float('nan'), 1.5]", {"result": [None, 1.5], "status": None}),
        ("'bytes \\udc80'", {"result": "bytes ?", "status": None}),
        ("(True, {1})", {"result": "{1}", "status": True}),
    ],
)
def test_what_run_returns_is_status_and_result(run, expression, written):
    ended = run(returning(expression), parameters={"a": 1, "b": [None, "ü"]})
    assert (ended.code, ended.written) == (0, written)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_a_status_that_is_none_has_an_exit_code_of_its_own(run):
    ended = run(returning("('yes', 1)"))
    assert (ended.code, ended.written) == (220, None)
    assert ended.stderr == (
        "Status returned from the action run() method must either be True, False or None, got: 'yes'\n"
    )


def test_an_exception_is_exit_code_1_and_a_traceback_of_the_action(run):
    ended = run(
        ACTION + "class Mine(Action):\n    def run(self):\n        print('before')\n        raise KeyError('no')\n"
    )
    assert (ended.code, ended.stdout, ended.written) == (1, "before\n", None)
    assert ended.stderr.startswith("Traceback (most recent call last):\n")
    assert "my_action.py" in ended.stderr
    assert ended.stderr.endswith("KeyError: 'no'\n")
    assert "python_action.py" not in ended.stderr


def test_the_exit_code_of_the_action_stays(run):
    assert run(ACTION + "import sys\nclass Mine(Action):\n    def run(self):\n        sys.exit(7)\n").code == 7


@pytest.mark.parametrize("source", ["", "class Other:\n    pass\n", "from collections import UserDict\n"])
def test_a_file_without_an_action_says_so(run, source):
    ended = run(source)
    assert ended.code == 1
    assert "defines no class with a run() method" in ended.stderr


def test_wrong_syntax_and_wrong_parameters_are_told(run):
    assert "SyntaxError" in run("class :\n").stderr
    assert (
        "unexpected keyword argument 'x'"
        in run(ACTION + "class A(Action):\n  def run(self): pass\n", parameters={"x": 1}).stderr
    )


def test_the_first_class_of_the_file_in_alphabetical_order_that_can_run(run):
    source = """
from st2common.runners.base_action import Action
from unittest import TestCase  # has run(), but is not the file's own

class Abstract(Action):
    pass

class Zebra(Action):
    def run(self):
        return "zebra"

class Beta:
    def run(self):
        return [self.config["key"], type(self.action_service).__name__]

class Alpha:
    walk = None
"""
    assert run(source, config={"key": "value"}).written["result"] == ["value", "ActionService"]


@pytest.mark.parametrize(
    "signature",
    ["self, config=None, action_service=None", "self, config", "self, config=None", "self, **kwargs", "self"],
)
def test_constructors_get_what_they_take_and_the_rest_afterwards(run, signature):
    source = f"""
from st2common.runners.base_action import Action
class Mine(Action):
    def __init__({signature}):
        given = {{name: value for name, value in locals().items() if name in ("config", "action_service", "kwargs")}}
        given = given.pop("kwargs", given)
        super().__init__(**given)
    def run(self):
        return [self.config.get("key"), type(self.action_service).__name__, self.logger.name]
"""
    assert run(source, config={"key": 5}).written["result"] == [5, "ActionService", "actions.python.Mine"]


def test_a_missing_config_item_names_its_file(run):
    source = """
from st2common.runners.base_action import Action
class Mine(Action):
    def run(self):
        assert self.config.get("absent") is None and "absent" not in self.config
        try:
            self.config["absent"]
        except ValueError as error:
            return str(error)
"""
    assert run(source, config={"a": 1}, config_path="/opt/configs/examples.yaml").written["result"] == (
        'Config for the pack has no item "absent": it belongs into /opt/configs/examples.yaml'
    )


def test_the_logger_writes_to_stderr_from_its_level_on(run):
    source = ACTION + "class Mine(Action):\n    def run(self):\n"
    source += "        self.logger.debug('low')\n        self.logger.warning('high')\n"
    both = "actions.python.Mine: DEBUG    low\nactions.python.Mine: WARNING  high\n"
    assert run(source, log_level="DEBUG").stderr == both
    assert run(source, log_level="warning").stderr == "actions.python.Mine: WARNING  high\n"
    assert run(source, log_level="AUDIT").stderr == ""


def test_import_path_first_the_given_then_the_platform_last_the_directory_of_the_file(run, tmp_path):
    source = """
import json, sys, sibling
from st2common.runners.base_action import Action
class Mine(Action):
    def run(self):
        return [sibling.NAME, json.__file__.endswith("json/__init__.py"), sys.path[0], sys.path[-1]]
"""
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "sibling.py").write_text("NAME = 'sibling'\n")
    (tmp_path / "actions" / "json.py").write_text("raise RuntimeError('hides the standard library')\n")
    ended = run(source, site_paths=["/venv/site-packages"])
    assert ended.written["result"] == ["sibling", True, "/venv/site-packages", str(Path(tmp_path / "actions"))]


def test_a_file_named_like_a_module_hides_none(run):
    source = "import email.message\n" + returning("email.message.Message.__name__")
    assert run(source, name="email.py").written["result"] == "Message"


def test_nothing_of_the_request_is_left_to_read(run):
    source = """
import subprocess, sys
from st2common.runners.base_action import Action
class Mine(Action):
    def run(self, secret):
        return [sys.stdin.read(), subprocess.run(["cat"], capture_output=True).stdout.decode()]
"""
    assert run(source, parameters={"secret": "hunter2"}).written["result"] == ["", ""]
