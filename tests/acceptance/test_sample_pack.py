"""A pack with one of everything, as packs of the family are written: installed, used and removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.repositories import bare_repository

pytestmark = pytest.mark.full

PACK = Path(__file__).parents[1] / "sample_pack"
# Seconds for what a sensor and a rule start by themselves.
PATIENCE = 60


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path / "var", ["standalone"])
    with platform.running():
        yield platform


@pytest.fixture
def repository(tmp_path: Path) -> str:
    work = tmp_path / "work"
    shutil.copytree(PACK, work, ignore=shutil.ignore_patterns("__pycache__"))
    return f"file://{bare_repository(work, 'beacon.git', 'v1.2.0')}"


def test_it_is_installed_used_and_removed(platform: Platform, repository: str, tmp_path: Path) -> None:
    def asked(*words: str) -> Any:
        done = platform.st2(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    installed = platform.st2("pack", "install", f"{repository}=1.2.0")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    pack = asked("pack", "get", "beacon", "-j")
    assert (pack["version"], pack["contributors"]) == ("1.2.0", ["Ada <ada@example.com>"])
    for kind, ref in (
        ("action", "beacon.round"),
        ("sensor", "beacon.BeaconWatch"),
        ("trigger", "beacon.lit"),
        ("trigger", "beacon.out"),
        ("rule", "beacon.report_lit"),
        ("action-alias", "beacon.ask"),
        ("policy", "beacon.one_round"),
    ):
        assert asked(kind, "get", ref, "-j")["ref"] == ref

    (tmp_path / "values.yaml").write_text("token: s3cr3t-t0ken\nlimits: {password: other-s3cr3t}\n")
    assert "s3cr3t" not in platform.st2("pack", "config", "beacon", "--file", str(tmp_path / "values.yaml")).stdout

    said = asked("run", "-j", "beacon.ask", "place=north")
    assert said["result"]["result"] == {"beacon": "beacon of north", "asked": 1, "text": "tries: 3\n"}
    assert said["result"]["stdout"] == "asking with ********\n"
    assert asked("run", "-j", "beacon.greet")["result"]["stdout"] == "hello http://beacon.invalid"
    reported = asked("run", "-j", "beacon.report", "words=all is well", "level=high")
    assert reported["result"]["stdout"] == "report of beacon: --level=high all is well"
    assert asked("run", "-j", "beacon.round", "place=south")["result"]["output"] == {"beacon": "beacon of south"}
    executed = platform.st2("action-alias", "execute", "is west lit")
    assert executed.returncode == 0, executed.stdout + executed.stderr

    def by_the_rule() -> list[str]:
        found = asked("execution", "list", "-j", "-n", "50", "--action", "beacon.report", "-a", "id,result")
        return [str(each.get("result", {}).get("stdout")) for each in found]

    eventually(lambda: "report of beacon: --level=high north is lit" in by_the_rule(), PATIENCE)

    removed = platform.st2("pack", "remove", "beacon")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert platform.st2("action", "get", "beacon.ask").returncode != 0
    assert platform.st2("rule", "get", "beacon.report_lit").returncode != 0
    assert not (platform.var / "packs" / "beacon").exists()
