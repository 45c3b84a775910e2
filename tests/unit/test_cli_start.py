"""What a command imports before it asks a server: its start-up time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Each of these takes as long as many of our modules together, or brings such modules along.
_HEAVY = frozenset({
    "dataclasses", "datetime", "email", "getpass", "http", "inspect", "json", "pathlib", "socket", "ssl", "tempfile",
    "unicodedata", "urllib", "yaml",
})  # fmt: skip

# Prints, for each command whose help brings in modules that nothing before it did, that command and those modules.
# Without `site`, because what a development installation imports there is there in every process.
_PROGRAM = """
import io, sys
from contextlib import redirect_stdout, suppress
known = set(sys.modules)
from st2cli.shell import GROUPS, SHORTCUTS, main, verbs_of
commands = [[], *([word] for word in SHORTCUTS)]
commands += [[group, *verb.split()] for group in GROUPS for verb in verbs_of(group)]
for words in commands:
    with redirect_stdout(io.StringIO()) as help, suppress(SystemExit):
        main([*words, "--help"])
    assert help.getvalue().startswith("usage: st2"), words
    print(" ".join(["st2", *words]), *sorted(set(sys.modules) - known), sep="\\t")
    known |= set(sys.modules)
"""


def test_help_imports_nothing_that_is_heavy() -> None:
    ran = subprocess.run(
        [sys.executable, "-S", "-c", _PROGRAM],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = ran.stdout.splitlines()
    assert len(lines) > 80
    assert [line for line in lines if _HEAVY & set(line.split("\t")[1:])] == []
