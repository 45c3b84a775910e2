"""The official command line client, driven as a user drives it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Seconds for one command on a loaded machine. A client that hangs fails here.
TIMEOUT = 60

_COLOR = re.compile(r"\x1b\[\d*m")


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it printed, without colors."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}{self.err}"

    def json(self) -> Any:
        """What was printed with ``-j``: it begins a line, but waiting and tailing print before it."""
        begin = re.search(r"^\.*[{\[]$", self.out, flags=re.MULTILINE)
        assert begin, self
        return json.loads(self.out[begin.end() - 1 :])


@dataclass(frozen=True)
class Client:
    program: Path
    #: Nothing else of the test's environment reaches the client.
    environment: dict[str, str]

    def __call__(self, *words: str, answer: str = "", code: int | None = 0) -> Done:
        """Run a command. ``answer``: its standard input; ``code``: the exit code that it must have."""
        ran = subprocess.run(
            [self.program, *words],
            input=answer,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env=self.environment,
        )
        done = Done(ran.returncode, _COLOR.sub("", ran.stdout), ran.stderr)
        assert code is None or done.code == code, f"st2 {' '.join(words)}: {done}"
        return done

    def background(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment
        )

    def started(self, *words: str) -> str:
        """``st2 run -a``; the execution's id."""
        [execution_id] = re.findall("st2 execution get ([0-9a-f]{24})", self("run", "-a", *words).out)
        return str(execution_id)

    def ran(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The execution of ``st2 run`` when it has ended; without ``--tail`` it would look every two seconds only."""
        ended: dict[str, Any] = self("run", "--tail", "-j", *words, code=code).json()
        return ended

    def execution(self, execution_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self("execution", "get", "-j", execution_id).json()
        return found

    def having(self, **variables: str) -> Client:
        return replace(self, environment={**self.environment, **variables})


def client(program: Path, home: Path, **variables: str) -> Client:
    """``home``: where the client has its configuration and its tokens."""
    home.mkdir(parents=True, exist_ok=True)
    paths = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    # Lines reach a pipe at once, and tables do not wrap.
    return Client(program, {**paths, "PYTHONUNBUFFERED": "1", "COLUMNS": "200", **variables})
