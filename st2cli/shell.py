"""The ``st2`` command: finds the command that is meant, and imports no more than that one needs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from st2cli.command import Command, Session
from st2cli.errors import CommandError

if TYPE_CHECKING:
    from st2cli.client import Client
    from st2cli.output import Printer
    from st2cli.settings import Settings

#: First words: what they are about.
GROUPS = {
    "action": "what can be run",
    "action-alias": "commands in people's words, and the actions that they stand for",
    "apikey": "keys by which programs say who they are",
    "completion": "scripts by which a shell completes what is typed",
    "execution": "what has been run: watch, look at, cancel, run again",
    "inquiry": "what waits for an answer of people",
    "key": "the datastore: keys and their values",
    "pack": "where the actions come from",
    "policy": "what limits or repeats executions",
    "policy-type": "the kinds of policies",
    "rule": "which action runs when which event comes in",
    "rule-enforcement": "which rules matched which events, and what came of it",
    "role": "what users may do: roles and their permissions",
    "role-assignment": "which user has which role",
    "runner": "the ways in which actions are run",
    "sensor": "what watches other systems and tells what happens there",
    "service-registry": "which processes of the platform live",
    "trigger": "the kinds of events that rules can wait for",
    "trigger-enforcement": "the same as rule-enforcement",
    "trigger-instance": "the events that have come in",
    "timer": "what fires at certain times",
    "trace": "what followed from one event or one request",
    "webhook": "requests that rules wait for",
    "workflow": "workflows: what is wrong with one before it runs",
}
#: First words that are commands by themselves: (group, verb).
SHORTCUTS = {
    "run": ("action", "execute"),
    "auth": ("account", "auth"),
    "login": ("account", "login"),
    "whoami": ("account", "whoami"),
}

_INTRODUCTION = """\
commands:
  run <action> ...   run an action and show its result
  login <user>       log in, and stay logged in; auth <user> shows a token, whoami who you are
{groups}

examples:
  st2 run core.local cmd='echo hello'       run, wait, show the result
  st2 run --tail core.local -- make test    show the output while it is printed
  st2 execution tail last                   watch what was started last
  st2 action list                           what can be run

`st2 <command> --help` tells more about each.
Environment: ST2_BASE_URL, ST2_API_URL, ST2_STREAM_URL, ST2_AUTH_URL, ST2_AUTH_TOKEN, ST2_API_KEY; file: ~/.st2/config
"""

_CONNECTION_FLAGS = (
    ("--url", "base_url", "base address of all services (default: http://127.0.0.1)"),
    ("--api-url", "api_url", "address of the API (default: <url>:9101/v1)"),
    ("--stream-url", "stream_url", "address of the stream service (default: <url>:9102/v1)"),
    ("--auth-url", "auth_url", "address of the authentication service (default: <url>:9100)"),
    ("--api-version", "api_version", argparse.SUPPRESS),
    ("--cacert", "cacert", "certificates to trust for https"),
    (
        "--basic-auth",
        "basic_auth",
        "<user>:<password> for a proxy in between; better in the file: [credentials] basic_auth",
    ),
    ("--config-file", "config_file", "instead of ~/.st2/config"),
    ("--token", "token", "authentication token; ST2_AUTH_TOKEN does not show in the process list"),
    ("--api-key", "api_key", "API key; ST2_API_KEY does not show in the process list"),
)
_SWITCHES = (
    ("--skip-config", "skip_config", "take nothing from ~/.st2/config"),
    ("--debug", "debug", "say each request, to standard error"),
)
_CONNECTION = [name for _, name, _ in (*_CONNECTION_FLAGS, *_SWITCHES)]
# What `--print-config` ends with: scripts know it.
_ONLY_PRINTED = 3
# 128 + SIGINT and 128 + SIGPIPE, as a shell reports them.
_INTERRUPTED, _READER_GONE = 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except CommandError as error:
        from st2cli.output import Printer

        Printer().note(f"{error.label}{error}")
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at its end; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE


def _run(words: list[str]) -> int:
    top = top_parser()
    given = top.parse_args(words)
    if given.print_config:
        return _print_config(given)
    if given.command is None:
        top.print_help()
        return 2
    if given.command not in GROUPS and given.command not in SHORTCUTS:
        top.error(f"unknown command {given.command!r} (`st2 --help` lists them)")
    prog, command, rest = _find(given.command, given.rest)
    args = _parse(prog, command, rest, vars(given))
    session = Session(lambda printer: _connect(args, printer), args.form, args.attr)
    try:
        return command.execute(args, session)
    finally:
        session.close()


def top_parser() -> argparse.ArgumentParser:
    """The parser of what stands before the command."""
    groups = "\n".join(f"  {name:<12} ...   {about}" for name, about in GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="st2",
        description="Event-driven automation with live output.",
        epilog=_INTRODUCTION.format(groups=groups),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="st2 [options] <command> ...",
        allow_abbrev=False,
    )
    _add_connection_flags(parser)
    parser.add_argument("--print-config", action="store_true", help="show where the services are, and who you are")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"st2 {version('st2')}")
        parser.exit()


def _find(word: str, rest: list[str]) -> tuple[str, Command, list[str]]:
    """The command that is meant, how it was called, and its arguments."""
    if word in SHORTCUTS:
        group, verb = SHORTCUTS[word]
        return f"st2 {word}", verbs_of(group)[verb], rest
    verbs = verbs_of(word)
    for count in (1, 2):
        if (verb := " ".join(rest[:count])) in verbs:
            return f"st2 {word} {verb}", verbs[verb], rest[count:]
    listing = "\n".join(f"  st2 {word} {name:<10} {command.summary}" for name, command in verbs.items())
    parser = argparse.ArgumentParser(
        prog=f"st2 {word}",
        usage=f"st2 {word} <verb> ...",
        description=f"{GROUPS[word][0].upper()}{GROUPS[word][1:]}.",
        epilog="verbs:\n" + listing,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if rest and rest[0] in ("-h", "--help"):
        parser.print_help()
        parser.exit()
    choice = f"one of: {', '.join(verbs)}"
    return parser.error(f"unknown verb {rest[0]!r}, say {choice}" if rest else f"say {choice}")


def verbs_of(group: str) -> dict[str, Command]:
    """The verbs of a group, whose module is imported for them."""
    verbs: dict[str, Command] = import_module(f"st2cli.commands.{group.replace('-', '_')}").VERBS
    return verbs


def parser_of(prog: str, command: Command) -> argparse.ArgumentParser:
    """The parser of one verb."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=command.description or f"{command.summary[0].upper()}{command.summary[1:]}.",
        epilog="examples:\n" + command.examples if command.examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=not command.own_help,
    )
    command.configure(parser)
    _add_form(parser)
    _add_connection_flags(parser.add_argument_group("connection"), default=argparse.SUPPRESS)
    return parser


def _add_form(parser: argparse.ArgumentParser) -> None:
    form = parser.add_argument_group("form")
    either = form.add_mutually_exclusive_group()
    either.set_defaults(form="text")
    either.add_argument("-j", "--json", dest="form", action="store_const", const="json", help="print JSON")
    either.add_argument("-y", "--yaml", dest="form", action="store_const", const="yaml", help="print YAML")
    taken = any("-a" in action.option_strings for action in parser._actions)
    form.add_argument(
        *(() if taken else ("-a",)),
        "--attr",
        action=_AddNames,
        # Several words would take those that the command itself needs.
        nargs=None if any(not action.option_strings for action in parser._actions) else "+",
        default=[],
        metavar="NAME[,NAME]",
        help="show only these attributes, for instance id,status; all: every one",
    )


class _AddNames(argparse.Action):
    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        args: argparse.Namespace,
        given: str | Sequence[str] | None,
        _option: str | None = None,
    ) -> None:
        words = [given] if isinstance(given, str) else given or []
        names = [name for word in words for name in word.split(",") if name]
        setattr(args, self.dest, [*getattr(args, self.dest), *names])


def _parse(prog: str, command: Command, words: list[str], connection: dict[str, object]) -> argparse.Namespace:
    parser = parser_of(prog, command)
    args = argparse.Namespace(parser=parser, **{name: connection[name] for name in _CONNECTION})
    if not command.takes_words:
        return parser.parse_args(words, args)
    # Options may stand between the words of an action's parameters; behind "--" nothing is an option.
    end = words.index("--") if "--" in words else len(words)
    parser.parse_intermixed_args(words[:end], args)
    args.parameters += words[end + 1 :]
    return args


def _add_connection_flags(parser: argparse._ActionsContainer, default: str | None = None) -> None:
    for flag, name, text in _CONNECTION_FLAGS:
        parser.add_argument(flag, dest=name, help=text, default=default, metavar=flag.rpartition("-")[2].upper())
    for flag, name, text in _SWITCHES:
        parser.add_argument(flag, dest=name, help=text, default=default, action="store_true")


def _settings(args: argparse.Namespace) -> Settings:
    from pathlib import Path

    from st2cli.settings import load

    return load({name: getattr(args, name) for name in _CONNECTION}, os.environ, Path.home())


def _connect(args: argparse.Namespace, printer: Printer) -> Client:
    from st2cli.client import Client

    settings = _settings(args)
    printer.zone = settings.zone
    for warning in settings.warnings:
        printer.note(f"Warning: {warning}")
    return Client(settings, printer.note if settings.debug else None)


def _print_config(args: argparse.Namespace) -> int:
    from st2cli.output import Printer

    settings = _settings(args)
    shown = {
        "API": settings.api_url,
        "stream service": settings.stream_url,
        "authentication service": settings.auth_url,
        "certificates": settings.cacert or "those of the system",
        "file": str(settings.config_path) + ("" if settings.config_path.is_file() else " (not there)"),
        "user": settings.username or "",
        "credentials": ", ".join(settings.headers) or ("user and password" if settings.login else "none"),
    }
    Printer().properties(shown)
    return _ONLY_PRINTED
