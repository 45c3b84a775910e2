"""Overrides: what an administrator says about the content of packs without touching their files.

``<base>/overrides/<pack>.yaml``, and ``_global.yaml`` for all packs::

    actions:
      defaults: {enabled: false}
      exceptions:
        restart: {enabled: true}

The file of the pack wins over the global one, an exception over the defaults. ``enabled`` is all that can be said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match
from oslo_config import cfg

from st2common.content.errors import ContentError
from st2common.content.loader import load
from st2common.models.connection import Document

_GLOBAL = "_global"
#: The kinds of content that can be overridden.
KINDS = ("sensors", "actions", "rules", "aliases")

_ENABLED = {"type": "object", "additionalProperties": False, "properties": {"enabled": {"type": "boolean"}}}
_EXCEPTIONS = {"type": "object", "additionalProperties": _ENABLED}


def _schema(**parts: Any) -> Draft4Validator:
    one = {"type": "object", "additionalProperties": False, "properties": parts}
    return Draft4Validator(
        {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(KINDS, one)},
    )


_OF_PACK = _schema(defaults=_ENABLED, exceptions=_EXCEPTIONS)
_OF_ALL = _schema(defaults=_ENABLED)


class Overrides:
    """What the files say about one pack."""

    def __init__(self, config: cfg.ConfigOpts, pack: str) -> None:
        """
        Raises:
            ContentError: a file is not valid.
        """
        directory = Path(config.system.base_path) / "overrides"
        self._of_all = _read(directory / f"{_GLOBAL}.yaml", _OF_ALL)
        self._of_pack = _read(directory / f"{pack}.yaml", _OF_PACK)

    def apply(self, kind: str, metadata: Document) -> bool:
        """Change ``metadata`` of this kind of content (one of :data:`KINDS`); whether there was anything to change."""
        enabled = self._enabled(kind, metadata["name"])
        if enabled is None or enabled == metadata.get("enabled", True):
            return False
        metadata["enabled"] = enabled
        return True

    def _enabled(self, kind: str, name: str) -> bool | None:
        own, common = self._of_pack.get(kind) or {}, self._of_all.get(kind) or {}
        said = [(own.get("exceptions") or {}).get(name), own.get("defaults"), common.get("defaults")]
        return next((part["enabled"] for part in said if part and "enabled" in part), None)


def _read(path: Path, schema: Draft4Validator) -> Document:
    if not path.exists():
        return {}
    content = load(path)
    error = best_match(schema.iter_errors(content))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{path}: {place}: {error.message}" if place else f"{path}: {error.message}")
    return content
