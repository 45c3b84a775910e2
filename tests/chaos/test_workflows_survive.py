"""Whatever dies while workflows run: each step runs once, and every workflow ends as if nothing had happened.

The engine (in ``st2rulesengine``), the runner and the API are processes of their own over RabbitMQ; each is killed at
times that are drawn by chance. The steps append to a file what they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from st2common.models.statuses import COMPLETED
from tests.acceptance.platforms import Platform
from tests.chaos.chaos import Chaos
from tests.conditions import eventually
from tests.flows import write_pack

# Seconds within which everything has ended after the last disturbance: lost messages are noticed after 15.
PATIENCE = 90.0

DAEMONS = ("st2rulesengine", "st2actionrunner", "st2api")

#: What the steps of ``flows.busy`` append, each once; only "flaky" succeeds at its third try.
NOTES = sorted(["begin", "left", "right", "flaky", "flaky", "flaky", "meet", "item 0", "item 1", "item 2", "item 3"])


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("chaos") / "var")
    write_pack(platform.var / "packs")
    with platform.running():
        yield platform


@pytest.fixture
def chaos(platform: Platform) -> Chaos:
    return Chaos(platform)


def start(platform: Platform, notes: Path) -> bool:
    """Whether the API has said that it takes the workflow; otherwise it may or may not."""
    body = {"action": "flows.busy", "parameters": {"notes": str(notes)}}
    try:
        return requests.post(f"{platform.urls['ST2_API_URL']}/executions", json=body, timeout=30).ok
    except requests.RequestException:
        return False


def found(platform: Platform, directory: Path) -> dict[str, dict[str, Any]]:
    """The workflows whose notes lie in a directory, by the names of these."""
    wanted = {"action": "flows.busy", "limit": "100", "include_attributes": "status,parameters,result"}
    listed = requests.get(f"{platform.urls['ST2_API_URL']}/executions", params=wanted, timeout=30).json()
    by_notes = {Path(each["parameters"]["notes"]): each for each in listed}
    assert len(by_notes) == len(listed)
    return {notes.name: each for notes, each in by_notes.items() if notes.parent == directory}


def see_through(chaos: Chaos, directory: Path, kills: Sequence[int]) -> None:
    """Start workflows and kill so many daemons, again and again; then check what has become of them."""
    directory.mkdir()
    accepted = set()
    for number, count in enumerate(kills):
        for part in ("a", "b"):
            if start(chaos.platform, directory / f"{number}{part}"):
                accepted.add(f"{number}{part}")
        for daemon in chaos.chance.sample(DAEMONS, count):
            chaos.pause(0, 1.5 / count)
            chaos.kill(daemon)
        if chaos.chance.random() < 0.5:
            # Nobody answers, perhaps, and what is accepted may not be queued.
            start(chaos.platform, directory / f"{number}c")
        chaos.restore()
    workflows = eventually(lambda: ended(chaos.platform, directory), PATIENCE)
    assert accepted <= workflows.keys()
    for name, workflow in workflows.items():
        assert (name, workflow["status"]) == (name, "succeeded"), workflow["result"]
        assert workflow["result"] == {"output": {"items": [0, 1, 2, 3], "sides": "left and right"}}
        assert (name, sorted((directory / name).read_text().splitlines())) == (name, NOTES)
    assert {each.name for each in directory.iterdir()} == workflows.keys()


def ended(platform: Platform, directory: Path) -> dict[str, dict[str, Any]]:
    """The workflows, once all have ended; until then, none."""
    workflows = found(platform, directory)
    return workflows if all(each["status"] in COMPLETED for each in workflows.values()) else {}


def test_daemons_die_while_workflows_run(chaos: Chaos, tmp_path: Path) -> None:
    see_through(chaos, tmp_path / "notes", kills=[3])


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("turn", range(8))
def test_daemons_die_again_and_again(chaos: Chaos, tmp_path: Path, turn: int) -> None:
    see_through(chaos, tmp_path / "notes", kills=[chaos.chance.choice((1, 1, 2, 3)) for _ in range(5)])
