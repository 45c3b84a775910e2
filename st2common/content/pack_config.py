"""The files about a pack's configuration: ``config.schema.yaml`` in the pack, ``configs/<pack>.yaml`` beside packs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match
from oslo_config import cfg

from st2common.content import value_schema
from st2common.content.errors import ContentError
from st2common.expressions import templates
from st2common.models.connection import Document
from st2common.models.secrets import MASK
from st2common.services.draft4 import Validator, to_draft4

SCHEMA_FILE = "config.schema.yaml"

_ATTRIBUTES = Draft4Validator(
    {
        "definitions": {"schema": value_schema.SCHEMA},
        "type": "object",
        "additionalProperties": value_schema.REFERENCE,
    }
)


def config_file(config: cfg.ConfigOpts, pack: str) -> Path:
    """Where the administrator keeps the configuration of a pack."""
    return Path(config.system.base_path) / "configs" / f"{pack}.yaml"


def check_schema(attributes: Mapping[str, Any]) -> None:
    """Whether this is {item: schema}.

    Raises:
        ContentError: what is wrong first.
    """
    error = best_match(_ATTRIBUTES.iter_errors(attributes))
    if error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise ContentError(f"{place}: {error.message}" if place else error.message)
    for name, schema in attributes.items():
        value_schema.check_patterns(name, schema)


def check_values(values: Mapping[str, Any], attributes: Mapping[str, Document]) -> None:
    """Whether these values fit the schema of their pack. A template may become anything, and is not checked.

    Raises:
        ContentError: what is wrong first; a secret is not quoted.
    """
    schema = to_draft4({"type": "object", "properties": dict(attributes), "additionalProperties": False})
    for error in Validator(schema).iter_errors(dict(values)):
        if isinstance(error.instance, str) and templates.is_template(error.instance):
            continue
        name = str(error.absolute_path[0]) if error.absolute_path else ""
        place = ".".join(str(part) for part in error.absolute_path)
        secret = "secret" in str(attributes.get(name))
        message = f"{MASK} is not a valid value ({error.validator})" if secret else error.message
        raise ContentError(f"{place}: {message}" if place else message)


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Replace the file as a whole: nobody reads half of it. Its owner and group may read it, and nobody else.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(dict(values), file, sort_keys=False, allow_unicode=True, default_flow_style=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
