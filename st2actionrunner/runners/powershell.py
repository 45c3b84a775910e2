"""PowerShell text for values, for the arguments of a script, and for handing a script over."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

# It runs what it reads, so that neither the length of a command line nor who sees one matters. Progress bars would
# come as XML on the error stream.
_READER = (
    "$ProgressPreference='SilentlyContinue';"
    "[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false;"
    "& ([ScriptBlock]::Create([Text.Encoding]::UTF8.GetString("
    "[Convert]::FromBase64String([Console]::In.ReadToEnd().Trim()))))"
)


def reader_command() -> str:
    """The command that runs the script on its standard input, which is in the form of :func:`handed_over`."""
    encoded = base64.b64encode(_READER.encode("utf-16-le")).decode()
    return f"powershell -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand {encoded}"


def handed_over(script: str) -> bytes:
    """Plain ASCII, whatever code page the host has."""
    return base64.b64encode(script.encode())


def with_arguments(script: str, schemas: Mapping[str, Any], values: Mapping[str, Any], prefix: str) -> str:
    """A script with its arguments: those whose schema has a position behind the named ones, null ones left out."""
    given = {name: value for name, value in values.items() if value is not None}
    position = {name: schema["position"] for name, schema in schemas.items() if schema.get("position") is not None}
    named = [_named(prefix + name, value) for name, value in given.items() if name not in position]
    places = sorted(position, key=lambda name: position[name])
    while places and places[-1] not in given:
        places.pop()
    return " ".join(["& {\n" + script + "\n}", *named, *(literal(given.get(name)) for name in places)])


def _named(option: str, value: Any) -> str:
    # The colon: right for a switch and for a parameter of type bool.
    return f"{option}:{literal(value)}" if isinstance(value, bool) else f"{option} {literal(value)}"


def literal(value: Any) -> str:
    match value:
        case None:
            return "$null"
        case bool():
            return "$true" if value else "$false"
        case int() | float():
            # In brackets: a negative one would look like a name.
            return str(value) if value >= 0 else f"({value})"
        case list() | tuple():
            return "@(" + ",".join(literal(item) for item in value) + ")"
        case Mapping():
            return "@{" + ";".join(f"{literal(str(name))}={literal(item)}" for name, item in value.items()) + "}"
    text = str(value)
    # PowerShell takes typographic single quotes for quotes, too.
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"
