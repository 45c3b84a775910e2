from __future__ import annotations

from pathlib import Path

from st2actionrunner.runners.environment import platform_variables, user_variables
from st2common.runners.python_environment import public_part
from tests.unit.runners.requests import request


def test_the_platform_keeps_its_configuration_to_itself() -> None:
    inherited = {
        "PATH": "/bin",
        "ST2_MESSAGING__URL": "amqp://user:secret@broker",
        "ST2_DATABASE__PASSWORD": "secret",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "ST2_AUTH_TOKEN": "of the administrator's own shell",
    }
    assert set(public_part(inherited)) == {"PATH", "ST2_AUTH_TOKEN"}


def test_values_become_text(tmp_path: Path) -> None:
    env = {"TEXT": "a", "NUMBER": 1, "TRUE": True, "NOTHING": None, "LIST": [1, "b"]}
    expected = {"TEXT": "a", "NUMBER": "1", "TRUE": "True", "NOTHING": "", "LIST": '[1, "b"]'}
    assert user_variables(request(tmp_path, runner_parameters={"env": env})) == expected
    assert user_variables(request(tmp_path, runner_parameters={"env": None})) == {}


def test_what_an_action_is_told(tmp_path: Path) -> None:
    assert platform_variables(request(tmp_path, runner_parameters={"debug": True})) == {
        "ST2_ACTION_PACK_NAME": "demo",
        "ST2_ACTION_EXECUTION_ID": "5f0c0ffee0c0ffee0c0ffee0",
        "ST2_ACTION_API_URL": "http://127.0.0.1:9101/v1",
        "ST2_ACTION_AUTH_TOKEN": "token-of-the-test",
        "ST2_ACTION_DEBUG": "True",
    }
    without_token = platform_variables(request(tmp_path, auth_token=None))
    assert "ST2_ACTION_AUTH_TOKEN" not in without_token
    assert without_token["ST2_ACTION_DEBUG"] == "False"
