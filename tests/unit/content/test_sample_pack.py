"""The tests that a pack brings along, as its authors run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACK = Path(__file__).parents[2] / "sample_pack"
PLATFORM = Path(__file__).parents[3]


def test_the_tests_of_a_pack_run_without_a_platform() -> None:
    path = [*(str(PACK / place) for place in ("actions", "actions/lib", "sensors")), str(PLATFORM)]
    ran = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-m", "unittest", "discover", "-s", "tests"],
        cwd=PACK,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Ran 4 tests" in ran.stderr
