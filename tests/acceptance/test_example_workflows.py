"""The workflows of the pack examples, as people run them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platforms import Platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("workflows") / "var", ["standalone"])
    with platform.running():
        yield platform


def run(platform: Platform, *words: str) -> dict[str, Any]:
    ran = platform.st2("run", "-j", *words)
    assert ran.stdout, ran.stderr
    execution: dict[str, Any] = json.loads(ran.stdout)
    return execution


def test_what_is_broken_is_repaired_once(platform: Platform, tmp_path: Path) -> None:
    service = tmp_path / "service"
    ended = run(platform, "examples.remediate", f"service={service}", "seconds=0")
    assert ended["result"] == {"output": {"outcome": "repaired"}}
    assert service.exists()
    again = run(platform, "examples.remediate", f"service={service}")
    assert again["result"] == {"output": {"outcome": "healthy"}}


def test_what_may_not_be_repaired_fails(platform: Platform, tmp_path: Path) -> None:
    ended = run(platform, "examples.remediate", f"service={tmp_path}/service", "repair=false")
    assert ended["status"] == "failed"
    assert ended["result"]["output"] == {"outcome": "broken, and not to be repaired"}
    assert [error["task_id"] for error in ended["result"]["errors"]] == ["decide"]


def test_the_same_as_a_chain(platform: Platform, tmp_path: Path) -> None:
    service = tmp_path / "service"
    ended = run(platform, "examples.remediate_chain", f"service={service}", "seconds=0")
    assert ended["status"] == "succeeded"
    assert ended["result"]["published"] == {"outcome": "repaired"}
    assert [task["name"] for task in ended["result"]["tasks"]] == ["check", "fix", "verify", "notify"]
    assert ended["result"]["tasks"][-1]["result"]["stdout"] == f"{service} is repaired."


def test_branches_items_and_a_workflow_within(platform: Platform) -> None:
    ended = run(platform, "examples.streams", "count=2", "delay=0")
    assert ended["result"] == {"output": {"ends": ["left (1 of 2): line 2", "right (2 of 2): line 2"]}}


def test_a_chain_that_streams(platform: Platform) -> None:
    ended = run(platform, "examples.streams_chain", "count=1")
    assert ended["result"]["published"] == {"last": "{'lines': 1}"}


def test_what_is_wrong_is_shown_before_it_runs(platform: Platform) -> None:
    for action in ("remediate", "remediate_chain", "fan_out", "streams", "streams_chain"):
        shown = platform.st2("workflow", "inspect", "--action", f"examples.{action}")
        assert (shown.returncode, shown.stdout) == (0, "No errors found in workflow definition.\n"), shown.stdout
