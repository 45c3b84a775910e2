"""Files of keys for ``st2 key load``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from st2cli.errors import CommandError

# What is sent; everything else in an item (ids, when it was written) says nothing about the new key.
_SENT = ("name", "value", "scope", "user", "secret", "encrypted", "description", "ttl")


def read(path: str, *, convert: bool) -> list[dict[str, Any]]:
    """The items of the file as the API takes them; expired ones are left out. Raises `CommandError`.

    ``convert``: values that are no strings become JSON.
    """
    content = parsed(path)
    items = content if isinstance(content, list) else [content]
    now = datetime.now(UTC)
    read_items = [_item(item, position, convert, now) for position, item in enumerate(items, 1)]
    return [item for item in read_items if item is not None]


def parsed(path: str) -> Any:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    try:
        return json.loads(text)
    except ValueError:
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise CommandError(f"{path} is neither JSON nor YAML: {error}") from error


def _item(item: Any, position: int, convert: bool, now: datetime) -> dict[str, Any] | None:
    where = f"Item {position} of the file"
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or item.get("value") is None:
        raise CommandError(f"{where} is no object with a name and a value.")
    value = item["value"]
    if not isinstance(value, str):
        if not convert:
            raise CommandError(f'{where} ("{item["name"]}"): the value is no string; -c stores it as JSON.')
        value = _as_json(value, where)
    sent = {name: item[name] for name in _SENT if item.get(name) is not None} | {"value": value}
    if "expire_timestamp" in item and "ttl" not in sent:
        seconds = _seconds_left(item["expire_timestamp"], now, where)
        if seconds <= 0:
            return None
        sent["ttl"] = seconds
    return sent


def _as_json(value: Any, where: str) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise CommandError(f"{where}: the value has no form in JSON ({error}).") from error


def _seconds_left(expires: Any, now: datetime, where: str) -> int:
    # YAML has times of its own.
    try:
        moment = expires if isinstance(expires, datetime) else datetime.fromisoformat(str(expires))
    except ValueError as error:
        raise CommandError(f"{where}: expire_timestamp is no time ({error}).") from error
    return int(((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())
