"""Secrets that an action gets to know while it runs, from the datastore or by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from st2api import application, service
from st2common.datastore.crypto import CryptoKey, KeyFile
from st2common.models import actions
from st2common.models.actions import Action
from st2common.models.execution_view import to_api
from st2common.output.chunk import Stream
from st2common.services.keys import Caller, Datastore, NewItem
from tests.conditions import eventually
from tests.integration.actionrunner.bench import PATIENCE, Bench, configured

SECRET = "open sesame 42"
OTHER = "swordfish no 7"

PYTHON = f"""
import os, time
from st2common.runners.base_action import Action

class Mine(Action):
    def run(self, go=None):
        secret = self.action_service.get_value("password", local=False, decrypt=True)
        print("the password is", secret, flush=True)
        while go and not os.path.exists(go):
            time.sleep(0.02)
        print("it still is", secret)
        self.action_service.register_secret({OTHER!r})
        self.logger.info("logged: {OTHER}")
        return {{"password": secret, "other": ["<{OTHER}>"]}}
"""
SHELL = f"""#!/bin/bash
ask() {{ curl -sS -f -H "X-Auth-Token: $ST2_ACTION_AUTH_TOKEN" "$@"; }}
echo 'before: {OTHER}'
value=$(ask "$ST2_ACTION_API_URL/keys/password?decrypt=true")
echo "$value" | grep -o '"value": *"[^"]*"'
printf '{{"secrets": ["%s"]}}' '{OTHER}' |
    ask -H 'Content-Type: application/json' -d @- "$ST2_ACTION_API_URL/executions/$ST2_ACTION_EXECUTION_ID/secrets"
echo 'after: {OTHER}' >&2
"""


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - its name in werkzeug
        """Tests are quiet."""


class Platform:
    """A bench with an API, a datastore, and actions that ask it."""

    def __init__(self, bench: Bench, directory: Path, auth: bool) -> None:
        (directory / "key.json").write_text(CryptoKey.generate().dump())
        (directory / "key.json").chmod(0o600)
        config = configured(directory, auth=auth)
        service.prepare(bench.database, bench.transport)
        self._app = application.make_app(config, bench.database, bench.transport)
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True, request_handler=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self._options = {"auth": auth, "api_url": f"http://127.0.0.1:{self._server.server_port}"}
        self.bench = bench
        datastore = Datastore(bench.database, KeyFile.of_config(config))
        datastore.set_key(Caller("tester", True), "password", NewItem(SECRET, secret=True))
        scripts = directory / "packs" / "default" / "actions"
        scripts.mkdir(parents=True)
        (scripts.parent / "pack.yaml").touch()
        for name, text, runner_type in (("ask.py", PYTHON, "python-script"), ("ask.sh", SHELL, "local-shell-script")):
            (scripts / name).write_text(text)
            known = {"pack": "default", "name": name, "runner_type": runner_type, "entry_point": name}
            parameters = {"go": {"type": "string"}} if name == "ask.py" else {}
            actions.save(Action.from_metadata({**known, "parameters": parameters}))

    def runner(self) -> Any:
        return self.bench.runner(**self._options)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        application.close(self._app)


@pytest.fixture(params=[True, False], ids=["with authentication", "without"])
def platform(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(bench, tmp_path, request.param)
    yield platform
    platform.close()


def hides(bench: Bench, execution_id: str) -> dict[str, Any]:
    """Neither secret is told anywhere; the execution as clients see it."""
    told = bench.told() + str(bench.output(execution_id, None))
    stored = bench.ended(execution_id)
    eventually(lambda: stored["status"] in bench.statuses(execution_id), PATIENCE)
    shown = to_api(stored)
    for secret in (SECRET, OTHER):
        assert secret not in told + bench.told() + json.dumps(shown)
    return shown


def test_a_python_action(platform: Platform) -> None:
    bench = platform.bench
    platform.runner()
    execution_id = bench.request("", "default.ask.py")
    assert bench.ended(execution_id)["status"] == "succeeded", bench.stored(execution_id)["result"]
    assert bench.output(execution_id) == b"the password is ********\nit still is ********\n"
    assert b"logged: ********\n" in bench.output(execution_id, Stream.STDERR)
    assert bench.end_of_log(execution_id).masked == 3
    shown = hides(bench, execution_id)
    assert shown["result"]["result"] == {"password": "********", "other": ["<********>"]}
    # What a workflow gets to read.
    assert bench.stored(execution_id)["result"]["result"]["password"] == SECRET


def test_a_runner_that_restarts_knows_them(platform: Platform, tmp_path: Path) -> None:
    bench = platform.bench
    first = platform.runner()
    execution_id = bench.request("", "default.ask.py", go=str(tmp_path / "go"))
    bench.wait_for_output(execution_id, b"the password is ********\n")
    bench.stop(first)
    (tmp_path / "go").touch()
    platform.runner()
    assert bench.ended(execution_id)["status"] == "succeeded"
    assert bench.output(execution_id) == b"the password is ********\nit still is ********\n"
    hides(bench, execution_id)


def test_a_shell_action(bench: Bench, tmp_path: Path) -> None:
    platform = Platform(bench, tmp_path, auth=True)
    try:
        platform.runner()
        ended = bench.run("", "default.ask.sh")
        output = bench.output(str(ended["_id"]), None)
        assert ended["status"] == "succeeded", output
        # What was printed before stays.
        assert bench.output(str(ended["_id"])).splitlines()[0] == f"before: {OTHER}".encode()
        assert SECRET.encode() not in output
        assert bench.output(str(ended["_id"]), Stream.STDERR) == b"after: ********\n"
    finally:
        platform.close()


def test_what_cannot_be_registered(platform: Platform) -> None:
    client = platform._app.test_client()
    path = "/v1/executions/{}/secrets"
    waiting = platform.bench.request("true")
    if platform._options["auth"]:
        assert client.post(path.format(waiting), json={"secrets": ["x"]}).status_code == 401
        return
    for execution_id, body, status, text in (
        ("f" * 24, {"secrets": ["x"]}, 404, "Unable to identify"),
        (waiting, {"secrets": ["x"]}, 400, "Only an action that runs"),
        (waiting, {"secrets": ["x" * (1 << 20 | 1)]}, 400, "1048576 characters"),
        (waiting, {"secrets": [str(number) for number in range(1001)]}, 400, "1000 secrets"),
        (waiting, {"secrets": "x"}, 400, "not of type 'array'"),
        (waiting, {}, 400, "'secrets' is a required property"),
    ):
        response = client.post(path.format(execution_id), json=body)
        assert response.status_code == status
        assert text in response.json["faultstring"]
