"""``st2 completion``: scripts by which a shell completes what is typed. Made of the parsers; they ask no server."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from st2cli.command import Command, Session

# What may follow what has been typed, the same for both shells. Options and their values do not count as words of it.
_FIND = """\
_st2_find() {{
    local word place=" " skip=""
    _st2_found=""
    for word in "$@"; do
        if [ -n "$skip" ]; then skip=""; continue; fi
        case "$word" in
            {valued}) skip=1 ;;
            -*) ;;
            *) place="$place$word " ;;
        esac
    done
    # The value of an option: a file, perhaps.
    if [ -n "$skip" ]; then return; fi
    case "$place" in
{cases}
    esac
}}
"""
# The line is split at blanks here: bash's own words end at ":" and "=", which addresses and parameters have.
_BASH = """\
_st2() {
    local line="${COMP_LINE:0:COMP_POINT}" current=""
    local -a typed
    read -ra typed <<< "$line"
    case "$line" in
        *[[:space:]]) ;;
        *) current="${typed[${#typed[@]}-1]}"; unset "typed[${#typed[@]}-1]" ;;
    esac
    _st2_find "${typed[@]:1}"
    COMPREPLY=($(compgen -W "$_st2_found" -- "$current"))
}
complete -o default -F _st2 st2
"""
_ZSH = """\
_st2() {
    _st2_find "${(@)words[2,CURRENT-1]}"
    if [ -n "$_st2_found" ]; then compadd -- ${(s: :)_st2_found}; else _files; fi
}
compdef _st2 st2
"""


def _table() -> str:
    from st2cli.shell import GROUPS, SHORTCUTS, parser_of, top_parser, verbs_of

    top = top_parser()
    valued = set(_options(top, valued=True))
    cases = [_case('" "', [*GROUPS, *SHORTCUTS, *_options(top)])]
    commands = {word: verbs_of(group)[verb] for word, (group, verb) in SHORTCUTS.items()}
    for group in GROUPS:
        verbs = verbs_of(group)
        commands |= {f"{group} {verb}": command for verb, command in verbs.items()}
        cases.append(_case(f'" {group} "', dict.fromkeys([*(verb.split()[0] for verb in verbs), "--help"])))
        for first in dict.fromkeys(verb.split()[0] for verb in verbs if " " in verb):
            rest = [verb.split()[1] for verb in verbs if verb.startswith(f"{first} ")]
            cases.append(_case(f'" {group} {first} "', rest))
    for words, command in commands.items():
        parser = parser_of(f"st2 {words}", command)
        valued.update(_options(parser, valued=True))
        cases.append(_case(f'" {words} "*', _options(parser)))
    # The same letter may be a flag of one command and have a value in another: then no word is left out behind it.
    flags = {option for command in commands.values() for option in _options(parser_of("st2", command), valued=False)}
    return _FIND.format(valued="|".join(sorted(valued - flags)), cases="\n".join(cases))


def _case(pattern: str, found: Iterable[str]) -> str:
    return f'        {pattern}) _st2_found="{" ".join(found)}" ;;'


def _options(parser: ArgumentParser, *, valued: bool | None = None) -> list[str]:
    """The options of ``parser``: all, or only those that take a value, or only those that take none."""
    return [
        option
        for action in parser._actions
        for option in action.option_strings
        if valued is None or valued is (action.nargs != 0)
    ]


def _configure(parser: ArgumentParser) -> None:
    """There is nothing to choose."""


def _bash(_: Namespace, session: Session) -> int:
    session.printer.text(_table() + _BASH)
    return 0


def _zsh(_: Namespace, session: Session) -> int:
    session.printer.text(_table() + _ZSH)
    return 0


VERBS = {
    "bash": Command(
        "the script for bash",
        _configure,
        _bash,
        examples="  source <(st2 completion bash)\n  st2 completion bash > /etc/bash_completion.d/st2",
    ),
    "zsh": Command(
        "the script for zsh",
        _configure,
        _zsh,
        examples="  source <(st2 completion zsh)    in ~/.zshrc, behind compinit",
    ),
}
