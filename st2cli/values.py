"""The parameters of ``st2 run``: words of the command line to values of the types that the action declares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from st2cli.errors import CommandError

Schema = Mapping[str, Any]

_NAMED = re.compile(r"(@?[\w.\-]+)=(.*)", re.DOTALL)
_TRUE = frozenset({"true", "1", "yes", "y", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "off"})


def parse(words: Sequence[str], schemas: Mapping[str, Schema], *, runner: str = "") -> dict[str, Any]:
    """Parameters by name.

    ``name=value`` is cast by the schema of ``name``; ``@name=path`` takes the content of a file; an array's name may
    be repeated; the first word that names nothing starts ``cmd``, which takes all words from there on. ``runner`` is
    the name of the runner type: for an HTTP request a file is what is uploaded. Raises `CommandError`.
    """
    parameters: dict[str, Any] = {}
    for position, word in enumerate(words):
        named = _NAMED.fullmatch(word)
        if named is None:
            parameters["cmd"] = " ".join(words[position:])
            break
        name, value = named.groups()
        if name.startswith("@"):
            parameters |= _from_file(name[1:], value, schemas, runner)
            continue
        value = cast(name, value, schemas.get(name, {}))
        already = parameters.get(name)
        parameters[name] = already + value if isinstance(already, list) and isinstance(value, list) else value
    return parameters


def cast(name: str, text: str, schema: Schema) -> Any:
    """``text`` as the first of the schema's types that takes it; text when there is none to go by."""
    declared = schema.get("type", "string")
    types = [declared] if isinstance(declared, str) else list(declared)
    if "null" in types and text in ("null", "None"):
        return None
    # Everything is a string, so that is the last choice of several.
    candidates = sorted((kind for kind in types if kind != "null"), key=lambda kind: kind == "string")
    failure: ValueError | None = None
    for kind in candidates:
        try:
            return _CASTS.get(kind, _string)(text, schema)
        except ValueError as error:
            failure = failure or error
    if failure is None:
        return text
    raise CommandError(f'Parameter "{name}": {failure}') from failure


def _from_file(name: str, path: str, schemas: Mapping[str, Schema], runner: str) -> dict[str, Any]:
    from pathlib import Path

    file = Path(path).expanduser()
    try:
        content = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f'Parameter "{name}": cannot read {path}: {error.strerror}') from error
    except UnicodeDecodeError as error:
        raise CommandError(f'Parameter "{name}": {path} is not a text file in UTF-8') from error
    if runner == "http-request":
        return {"file_content": content, "file_name": file.name, "method": "POST"}
    return {name: cast(name, content, schemas.get(name, {}))}


def _string(text: str, schema: Schema) -> str:
    return text


def _integer(text: str, schema: Schema) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'"{text}" is not an integer') from None


def _number(text: str, schema: Schema) -> float | int:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a number') from None


def _boolean(text: str, schema: Schema) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f'"{text}" is not a boolean (say true or false)')


def _array(text: str, schema: Schema) -> list[Any]:
    if text.lstrip().startswith("["):
        return list(_json(text, list, "array"))
    items = schema.get("items") or {}
    return [cast("items", part.strip(), items) for part in text.split(",") if part.strip()]


def _object(text: str, schema: Schema) -> dict[str, Any]:
    if text.lstrip().startswith("{"):
        return dict(_json(text, dict, "object"))
    properties = schema.get("properties") or {}
    result = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f'"{text}" is not an object (say {{"key": "value"}} or key=value,key=value)')
        result[key.strip()] = cast(key.strip(), value.strip(), properties.get(key.strip(), {}))
    return result


def _json(text: str, kind: type, called: str) -> Any:
    import json

    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is no {called} in JSON: {error}") from None
    if not isinstance(value, kind):
        raise ValueError(f"is no {called}")
    return value


_CASTS: dict[str, Callable[[str, Schema], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
}
