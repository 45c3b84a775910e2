"""The metadata of runner types fits the runners."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from st2actionrunner.launch import ChildlessRunner
from st2actionrunner.runners.registry import Runners
from st2common.models.runner_types import WORKFLOWS
from st2common.transport.memory import MemoryTransport
from tests.unit.runners.requests import settings


def test_every_runner_type_can_run(tmp_path: Path, memory_transport: MemoryTransport) -> None:
    types = yaml.safe_load((files("st2common.runners") / "runner_types.yaml").read_text())
    runners = Runners(settings(tmp_path), memory_transport)
    names = [runner_type["name"] for runner_type in types]
    assert len(names) == len(set(names)) == 15
    for runner_type in types:
        if runner_type["name"] in WORKFLOWS:
            continue  # the rules engine runs them
        runner = runners.get(runner_type["name"])
        assert callable(runner.settle if isinstance(runner, ChildlessRunner) else runner.prepare)
        assert all("type" in schema for schema in runner_type["runner_parameters"].values())


def test_secrets_are_marked() -> None:
    types = yaml.safe_load((files("st2common.runners") / "runner_types.yaml").read_text())
    for runner_type in types:
        for name, schema in runner_type["runner_parameters"].items():
            secret = name in ("password", "sudo_password", "passphrase", "private_key")
            assert schema.get("secret", False) is secret, (runner_type["name"], name)
