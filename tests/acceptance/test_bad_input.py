"""Whatever is asked wrongly gets a clear answer: nothing hangs, and what is refused leaves nothing behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from st2ctl.installation import Installation
from tests.acceptance.platforms import Platform
from tests.conditions import eventually

_UNKNOWN = "0" * 24
_DATE = {"action": "core.local", "parameters": {"cmd": "date"}}


class BadPlatform(Platform):
    """With a pack ``bad``, and HTTP without a client of ours in between."""

    @property
    def pack(self) -> Path:
        return self.var / "packs" / "bad"

    def call(self, method: str, path: str, body: Any = None, stream: bool = False) -> tuple[int, Any]:
        """Status and parsed body; ``body``: bytes as they are, all else as JSON."""
        installation = Installation.in_directory(self.var)
        address = urlsplit(installation.stream_url if stream else installation.api_url).netloc
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with contextlib.closing(http.client.HTTPConnection(address, timeout=20)) as connection:
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.load(answer)

    def executions(self) -> list[str]:
        return [each["id"] for each in self.call("GET", "/v1/executions?limit=-1&include_attributes=id")[1]]

    def ended(self, action: str, **parameters: Any) -> dict[str, Any]:
        """The execution of ``action`` once it has ended, and its log has."""
        status, accepted = self.call("POST", "/v1/executions", {"action": action, "parameters": parameters})
        assert status == 201, accepted
        path = f"/v1/executions/{accepted['id']}"
        eventually(lambda: "end_timestamp" in self.call("GET", path)[1], 20)
        tail = self.st2("execution", "tail", accepted["id"])
        assert "has completed" in tail.stdout, tail.stderr
        found: dict[str, Any] = self.call("GET", path)[1]
        return found

    def register(self) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("st2-register-content")
        words = [program, "--config-file", self.var / "st2.conf", "--register-pack", self.pack]
        return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BadPlatform]:
    platform = BadPlatform(tmp_path_factory.mktemp("bad_input") / "var", ["standalone"])
    with platform.running():
        _make_pack(platform.pack)
        yield platform


def _make_pack(pack: Path) -> None:
    actions = pack / "actions"
    actions.mkdir(parents=True)
    (pack / "pack.yaml").write_text(
        "name: bad\ndescription: Broken.\nversion: 1.0.0\nauthor: Nobody\nemail: nobody@example.com\n"
    )
    for name, runner in (("missing", "local-shell-script"), ("interpreter", "local-shell-script")):
        (actions / f"{name}.yaml").write_text(f"name: {name}\nrunner_type: {runner}\nentry_point: {name}.sh\n")
    (actions / "missing_python.yaml").write_text(
        "name: missing_python\nrunner_type: python-script\nentry_point: missing.py\n"
    )
    (actions / "interpreter.sh").write_text("#!/no/such/interpreter\n")
    (actions / "interpreter.sh").chmod(0o755)
    (actions / "no_runner.yaml").write_text("name: no_runner\nrunner_type: no-such-runner\nentry_point: x.sh\n")
    (actions / "no_yaml.yaml").write_text("name: [\n")


def test_a_broken_action_is_refused_at_registration_and_the_others_are_not(platform: BadPlatform) -> None:
    registered = platform.register()
    assert registered.returncode == 1
    assert "actions: 3" in registered.stdout
    [runner, syntax] = sorted(line for line in registered.stderr.splitlines() if "/actions/" in line)
    assert str(platform.pack / "actions" / "no_runner.yaml") in runner
    assert 'there is no runner type "no-such-runner"' in runner
    assert str(platform.pack / "actions" / "no_yaml.yaml") in syntax
    assert "Traceback" not in registered.stderr
    status, fault = platform.call("GET", "/v1/actions/bad.no_runner")
    assert (status, set(fault)) == (404, {"faultstring"})


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"action": ', 400, "Failed to parse request body: "),
        (b"[]", 400, "[] is not of type 'object'"),
        (b"", 400, "'action' is a required property"),
        ({"action": 7}, 400, "7 is not of type 'string'"),
        ({"action": "core.nosuch"}, 400, 'Action "core.nosuch" cannot be found.'),
        ({"action": "no dots"}, 400, 'Action "no dots" cannot be found.'),
        ({"action": "bad.no_runner"}, 400, 'Action "bad.no_runner" cannot be found.'),
        ({"action": "core.local"}, 400, "'cmd' is a required property"),
        ({**_DATE, "parameters": []}, 400, "[] is not of type 'object'"),
        ({**_DATE, "parameters": {"cmd": "date", "zzz": 1}}, 400, "Additional properties are not allowed ('zzz' was"),
        ({**_DATE, "parameters": {"cmd": "date", "timeout": "abc"}}, 400, "base 10: 'abc'"),
        ({**_DATE, "parameters": {"cmd": "date", "env": "PATH"}}, 400, 'Value "PATH" is neither JSON'),
        ({**_DATE, "parameters": {"cmd": "date", "sudo": True}}, 400, "Override of immutable parameter(s) ['sudo']"),
        ({**_DATE, "delay": "soon"}, 400, "'soon' is not"),
        ({**_DATE, "nosuch": 1}, 400, "Additional properties are not allowed ('nosuch' was"),
        (b" " * (16 * 1024 * 1024 + 1), 413, "The request body is larger than"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else None,
)
def test_what_is_refused_leaves_no_execution(platform: BadPlatform, body: Any, status: int, says: str) -> None:
    before = platform.executions()
    answered, fault = platform.call("POST", "/v1/executions", body)
    assert answered == status
    assert set(fault) == {"faultstring"}
    assert says in fault["faultstring"]
    assert platform.executions() == before


@pytest.mark.parametrize("identity", [_UNKNOWN, "zzz", "..%2f..%2fetc", "%24ne", "%00", "x" * 4000])
def test_unknown_ids_and_what_is_none(platform: BadPlatform, identity: str) -> None:
    for method, path, stream in (
        ("GET", f"/v1/executions/{identity}", False),
        ("DELETE", f"/v1/executions/{identity}", False),
        ("GET", f"/v1/executions/{identity}/stdout", False),
        ("GET", f"/v1/executions/{identity}/output", False),
        ("GET", f"/v1/executions/{identity}/output", True),
        ("GET", f"/v1/actions/{identity}", False),
    ):
        status, fault = platform.call(method, path, stream=stream)
        assert (status, set(fault)) == (404, {"faultstring"}), (method, path)
    assert platform.call("POST", f"/v1/executions/{identity}/re_run", {})[0] == 404
    assert platform.call("PUT", f"/v1/executions/{identity}", {"status": "canceled"})[0] == 404


@pytest.mark.parametrize("query", ["since_seq=-1", "since_seq=abc", "follow=maybe", "since_seq=99999999999999999999"])
def test_bad_cursors(platform: BadPlatform, query: str) -> None:
    execution = platform.ended("core.noop")
    status, fault = platform.call("GET", f"/v1/executions/{execution['id']}/output?{query}", stream=True)
    assert (status, set(fault)) == (400, {"faultstring"})


@pytest.mark.parametrize(
    ("action", "parameters", "says"),
    [
        ("bad.missing", {}, "missing.sh"),
        ("bad.missing_python", {}, "virtual environment"),
        ("bad.interpreter", {}, "interpreter"),
        ("core.local", {"cmd": "date", "cwd": "/no/such/directory"}, "/no/such/directory"),
    ],
)
def test_what_cannot_be_started_fails_and_says_why(
    platform: BadPlatform, action: str, parameters: dict[str, Any], says: str
) -> None:
    failed = platform.ended(action, **parameters)
    assert failed["status"] == "failed"
    told = failed["result"].get("error") or failed["result"]["stderr"]
    assert says in told
    assert "Traceback" not in told


def test_an_ssh_host_that_nobody_answers_at(platform: BadPlatform) -> None:
    failed = platform.ended("core.remote", cmd="date", hosts="127.0.0.1:1", username="nobody", password="-", timeout=10)
    assert failed["status"] == "failed"
    host = failed["result"]["127.0.0.1:1"]
    assert (host["failed"], host["succeeded"], host["return_code"]) == (True, False, 255)
    assert "127.0.0.1" in host["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nosuch",), 2, "unknown command 'nosuch'"),
        (("execution", "list", "--nosuch"), 2, "unrecognized arguments: --nosuch"),
        (("execution", "list", "-n", "abc"), 2, "abc"),
        (("run", "core.nosuch"), 1, 'Action "core.nosuch" is not found'),
        (("run", "core.local"), 1, "'cmd' is a required property"),
        (("run", "core.local", "cmd=date", "timeout=abc"), 1, '"abc" is not an integer'),
        (("run", "core.local", "cmd=date", "zzz=1"), 1, "'zzz' was unexpected"),
        (("execution", "get", _UNKNOWN), 1, "is not found"),
        (("execution", "tail", "zzz"), 1, 'Execution "zzz" is not found'),
    ],
)
def test_the_command_line_says_what_is_wrong(
    platform: BadPlatform, arguments: tuple[str, ...], code: int, says: str
) -> None:
    before = platform.executions()
    told = platform.st2(*arguments)
    assert told.returncode == code, told.stdout + told.stderr
    assert says in told.stdout + told.stderr
    assert "Traceback" not in told.stdout + told.stderr
    assert platform.executions() == before
