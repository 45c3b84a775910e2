"""A platform is copied as the documentation says, lost, and restored."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform, lines_of

LINES = [f"line {number}" for number in range(1, 1001)]


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", [[], ["standalone"]], ids=["daemons", "standalone"])
def test_what_was_backed_up_is_there_after_a_restore(tmp_path: Path, mode: list[str]) -> None:
    platform = Platform(tmp_path / "var", mode)
    try:
        platform.start()
        ran = platform.st2("run", "-j", "core.local", f"cmd=seq -f 'line %g' {len(LINES)}")
        execution = json.loads(ran.stdout)["id"]
        assert platform.st2("key", "set", "kept", "value").returncode == 0
        platform.stop()
        subprocess.run(["tar", "-czf", "st2-var.tgz", "var"], cwd=tmp_path, check=True, timeout=60)

        platform.start()
        assert platform.st2("key", "set", "kept", "changed after the backup").returncode == 0
        platform.stop()
        shutil.rmtree(platform.var)

        subprocess.run(["tar", "-xzf", "st2-var.tgz"], cwd=tmp_path, check=True, timeout=60)
        platform.start()
        got = json.loads(platform.st2("execution", "get", execution, "-j").stdout)
        assert got["result"]["stdout"].splitlines() == LINES
        assert lines_of(platform.st2("execution", "tail", execution).stdout) == LINES
        assert json.loads(platform.st2("key", "get", "kept", "-j").stdout)["value"] == "value"
        assert platform.st2("run", "core.local", "cmd=true").returncode == 0
        assert Platform(platform.var).ctl("doctor").returncode == 0
        platform.stop()
    finally:
        platform.kill_everything()
