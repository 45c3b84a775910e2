"""The package as others install it: into a fresh virtual environment, away from the sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform, lines_of

_REPOSITORY = Path(__file__).resolve().parents[2]

_COMMANDS = (
    "st2",
    "st2ctl",
    "st2api",
    "st2stream",
    "st2actionrunner",
    "st2rulesengine",
    "st2garbagecollector",
    "st2sensorcontainer",
    "st2-register-content",
)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_an_installed_package_runs_the_platform(tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(_REPOSITORY), str(source)], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    programs = tmp_path / "venv" / "bin"
    subprocess.run([programs / "pip", "install", "--quiet", f"{source}[embedded]"], check=True)
    source.rename(tmp_path / "gone")

    for command in _COMMANDS:
        told = subprocess.run([programs / command, "--help"], cwd="/", capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        assert "usage" in told.stdout.lower()

    platform = Platform(tmp_path / "var", ["standalone"], programs)
    with platform.running():
        demo = platform.ctl("demo")
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert len(lines_of(demo.stdout)) >= 5


def test_the_environment_of_tests_has_every_command() -> None:
    assert [name for name in _COMMANDS if not os.access(Path(sys.executable).with_name(name), os.X_OK)] == []
