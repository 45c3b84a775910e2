"""``~/.st2/config``, an INI file: reading it, and remembering a user in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from st2cli.errors import CommandError

Sections = Mapping[str, Mapping[str, str]]
#: Options of the command line by name: texts, and True for those without a value.
Flags = Mapping[str, Any]

TRUE, FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
_SECTION = re.compile(r"\s*\[([^\]]*)\]")


def path_of(flags: Flags, environ: Mapping[str, str], home: Path) -> Path:
    named = _named(flags, environ)
    return Path(named) if named else home / ".st2" / "config"


def read(flags: Flags, environ: Mapping[str, str], home: Path) -> Sections:
    """What the file says; nothing if it is to be skipped, or is not there and was not asked for by name."""
    path = path_of(flags, environ, home)
    if flags.get("skip_config") or environ.get("ST2_CLI_SKIP_CONFIG", "").lower() in TRUE:
        return {}
    if not path.is_file():
        if _named(flags, environ):
            raise CommandError(f"The configuration file {path} does not exist.")
        return {}
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise CommandError(f"The configuration file {path} cannot be read: {error}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def boolean(sections: Sections, section: str, option: str, default: bool) -> bool:
    """Raises `CommandError` for what is neither true nor false."""
    text = sections.get(section, {}).get(option, "").lower()
    if text and text not in TRUE | FALSE:
        raise CommandError(f"[{section}] {option} of the configuration file is neither true nor false: {text}")
    return text in TRUE if text else default


def is_open(path: Path) -> bool:
    """Whether others than its owner may read or change it."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _named(flags: Flags, environ: Mapping[str, str]) -> str | None:
    return flags.get("config_file") or environ.get("ST2_CONFIG_FILE")


def remember(path: Path, section: str, values: Mapping[str, str | None]) -> None:
    """Set options of a section, or remove them (None). Everything else of the file stays, comments included."""
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        write_private(path, _changed(text, section, values))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The configuration file {path} cannot be written: {error}") from error


def _changed(text: str, section: str, values: Mapping[str, str | None]) -> str:
    before, inside, behind = _split(text.splitlines(), section)
    options = re.compile(rf"\s*({'|'.join(map(re.escape, values))})\s*[=:]")
    kept = [line for line in inside if not options.match(line)]
    new = [f"{name} = {value}" for name, value in values.items() if value is not None]
    return "\n".join([*before, f"[{section}]", *new, *kept, *behind]) + "\n"


def _split(lines: list[str], section: str) -> tuple[list[str], list[str], list[str]]:
    """The lines before a section's heading, those in the section, and those behind it."""
    headings = [(index, found[1]) for index, line in enumerate(lines) if (found := _SECTION.match(line))]
    start = next((index for index, name in headings if name == section), None)
    if start is None:
        return lines, [], []
    end = next((index for index, _ in headings if index > start), len(lines))
    return lines[:start], lines[start + 1 : end], lines[end:]


def write_private(path: Path, text: str) -> None:
    """Nobody but its owner may read the file, not even while it is written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
