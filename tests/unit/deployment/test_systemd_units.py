"""The systemd units: systemd itself finds nothing wrong with them, and their hardening holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from st2ctl.daemons import COMPONENTS

UNITS = Path(__file__).parents[3] / "conf" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
DAEMONS = [unit for unit in SERVICES if "Type=notify" in unit.read_text()]

# Where the units expect the programs.
_PROGRAMS = "/opt/stackstorm/st2/bin/"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")


def analyze(*arguments: str, units: Path) -> subprocess.CompletedProcess[str]:
    # The empty entry at the end stands for the system's own units.
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_COLORS": "0"}
    return subprocess.run(["systemd-analyze", *arguments], env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with programs that are there."""
    programs, units = tmp_path / "bin", tmp_path / "units"
    programs.mkdir()
    units.mkdir()
    for unit in [*SERVICES, UNITS / "st2.target"]:
        text = unit.read_text()
        for name in re.findall(f"{_PROGRAMS}(\\w+)", text):
            (programs / name).touch(mode=0o755)
        (units / unit.name).write_text(text.replace(_PROGRAMS, f"{programs}/"))
    return units


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    # One call: a start of the tool costs more than the units.
    verified = analyze("verify", "--man=no", *map(str, installed.iterdir()), units=installed)
    # An unknown key or a bad value is a warning only.
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd
def test_a_wrong_unit_would_be_found(installed: Path) -> None:
    unit = installed / "st2api.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=120", "WatchdogSec=often"))
    assert "Failed to parse sec value" in analyze("verify", "--man=no", str(unit), units=installed).stderr


@needs_systemd
@pytest.mark.parametrize("unit", [unit for unit in SERVICES if "@" not in unit.name], ids=lambda unit: unit.stem)
def test_the_hardening_is_ok_or_better(unit: Path) -> None:
    told = analyze("security", "--offline=true", "--threshold=40", str(unit), units=UNITS)
    # The threshold is in tenths: above 4.0 the exposure is no longer "OK".
    assert told.returncode == 0, told.stdout


def test_every_component_has_a_unit_that_the_target_starts() -> None:
    target = (UNITS / "st2.target").read_text()
    for component in COMPONENTS:
        unit = (UNITS / f"{component}.service").read_text()
        assert f"{component}.service" in target
        assert "WantedBy=st2.target" in unit
        assert "PartOf=st2.target" in unit


@pytest.mark.parametrize("unit", DAEMONS, ids=lambda unit: unit.stem)
def test_every_daemon_is_watched_and_restarted(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    for line in ("WatchdogSec=120", "Restart=always", "StartLimitIntervalSec=0", "TimeoutStartSec=infinity"):
        assert line in lines
    # st2common.daemon.EXIT_CONFIG
    assert "RestartPreventExitStatus=2" in lines


def test_children_outlive_the_runner_and_only_the_runner_is_root() -> None:
    root = [unit.name for unit in DAEMONS if "User=st2" not in unit.read_text().splitlines()]
    assert root == ["st2actionrunner@.service"]
    assert "KillMode=process" in (UNITS / "st2actionrunner@.service").read_text().splitlines()
