"""A machine with systemd, to install the platform on: a container or a virtual machine that may be changed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A command before whose arguments others are put, which root then runs on the machine with our standard input:
# "ssh root@box", "docker exec -i box", "machinectl shell ...".
VARIABLE = "ST2_TEST_MACHINE"

# Seconds; installing takes longest.
_TIMEOUT = 600


class Machine:
    def __init__(self, reach: str) -> None:
        self._reach = shlex.split(reach)

    @classmethod
    def of_environment(cls) -> Machine:
        """Skips the test where there is none."""
        reach = os.environ.get(VARIABLE)
        if not reach:
            pytest.skip(f"there is no machine with systemd: {VARIABLE} says how root runs a command on one")
        machine = cls(reach)
        assert machine.run("test -d /run/systemd/system").returncode == 0, f"{VARIABLE}={reach}: no systemd there"
        return machine

    def run(self, script: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """A script of bash; the first command that fails ends it. ``answers``: what its programs read."""
        # The script is read whole before it runs, so that nothing in it reads the rest of it.
        whole = f"run() {{ set -e\n{script}\n}}\nrun <<< {shlex.quote(answers)}\n"
        return subprocess.run(
            [*self._reach, "bash", "-s"],
            input=whole,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            # Without a terminal, so that passwords are asked for on the standard input.
            start_new_session=True,
        )

    def say(self, script: str, answers: str = "") -> str:
        """What the script prints; it must succeed."""
        done = self.run(script, answers)
        assert done.returncode == 0, f"{script}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def upload(self, target: str) -> None:
        """The tree that git knows, as it is here, to the directory ``target``, which is made anew."""
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True,
        ).stdout  # fmt: skip
        packed = subprocess.run(
            ["tar", "--null", "-T", "-", "-c"], cwd=ROOT, input=files, capture_output=True, check=True
        )
        self.say(f"rm -rf {target} && mkdir -p {target}")
        subprocess.run([*self._reach, "tar", "-x", "-C", target], input=packed.stdout, check=True, timeout=_TIMEOUT)


def documented_installation() -> str:
    """The commands that docs/deployment.md gives for hosts with systemd."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    block = re.search(r"^## systemd$.*?^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block, "docs/deployment.md has no commands under the heading systemd"
    return block[1]
