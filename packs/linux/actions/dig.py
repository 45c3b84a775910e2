from __future__ import annotations

import random
import shutil
import subprocess

from st2common.runners.base_action import Action


class Dig(Action):
    def run(
        self, hostname: str, nameserver: str | None, queryopts: str, querytype: str, rand: bool, count: int
    ) -> tuple[bool, list[str] | str]:
        """The lines of the answer."""
        if shutil.which("dig") is None:
            return False, "There is no program dig on this host"
        # A name that begins with a dash or a plus would be an option.
        for name in (hostname, nameserver or "", querytype):
            if name.startswith(("-", "+", "@")):
                return False, f'"{name}" is no name'
        command = ["dig", *([f"@{nameserver}"] if nameserver else []), "-q", hostname, "-t", querytype]
        command += [f"+{option.strip()}" for option in queryopts.split(",") if option.strip()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        if rand:
            random.shuffle(lines)
        return done.returncode == 0, lines[:count] if count else lines
