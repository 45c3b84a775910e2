"""The examples that ``--help`` ends with."""

from __future__ import annotations

import re
import shlex

import pytest

from st2cli.shell import GROUPS, SHORTCUTS, _find, _parse, top_parser, verbs_of

_COMMANDS = {
    f"{group} {verb}": command
    for group in dict.fromkeys([*GROUPS, *(group for group, _ in SHORTCUTS.values())])
    for verb, command in verbs_of(group).items()
}
# An explanation stands behind two blanks, or more, and a shell's own signs end the command.
_COMMAND_LINE = re.compile(r"\bst2 (?:'[^']*'|(?! {2})[^')<>|])*")


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_command_has_examples_that_its_parser_takes(name: str) -> None:
    lines = _COMMANDS[name].examples.splitlines()
    assert lines
    for line in lines:
        _takes(line)


def test_the_examples_of_the_whole_are_taken() -> None:
    assert top_parser().epilog is not None
    lines = (top_parser().epilog or "").partition("examples:\n")[2].partition("\n\n")[0].splitlines()
    assert lines
    for line in lines:
        _takes(line)


def _takes(line: str) -> None:
    found = _COMMAND_LINE.search(line)
    assert found, line
    given = top_parser().parse_args(shlex.split(found[0])[1:])
    _parse(*_find(given.command, given.rest), vars(given))
