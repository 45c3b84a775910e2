"""Request bodies: which content types are taken, and what each is parsed to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import request
from jsonschema import Draft7Validator
from werkzeug.exceptions import RequestEntityTooLarge

from st2common.errors import ValidationError

# What a database document can hold as an integer.
_MAX_INTEGER = 2**63 - 1
# Characters: an objection quotes what it objects to, which may be as long as the body.
_MAX_MESSAGE = 1000


def parsed() -> Any:
    """The body as JSON data; ``{}`` when there is none.

    Without a content type it counts as JSON. A form becomes a dict of lists, plain text a string.

    Raises:
        ValidationError: it cannot be parsed, or has another content type.
    """
    kind = request.mimetype or "application/json"
    if kind == "application/json":
        return _json(_raw())
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return request.form.to_dict(flat=False)
    if kind == "text/plain":
        return _text(_raw())
    raise ValidationError(f"Failed to parse request body: Unsupported Content-Type: {kind}")


def _raw() -> bytes:
    raw = request.get_data()
    if request.max_content_length is not None and len(raw) >= request.max_content_length:
        # A chunked body has no length to refuse beforehand: it was cut at the limit.
        raise RequestEntityTooLarge
    return raw


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValidationError(f"Failed to parse request body: {error}") from None


def _json(raw: bytes) -> Any:
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, parse_constant=_refuse_constant, parse_int=_integer)
        if b"\\u" in raw:
            # A lone surrogate is legal JSON and no text: neither a database nor a child process can take it.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"Failed to parse request body: {error}") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    number = int(digits)
    if abs(number) > _MAX_INTEGER:
        raise ValueError(f"{digits[:20]}... does not fit into 64 bits")
    return number


def checked(schema: Mapping[str, Any], *, nulls_are_absent: bool = False) -> Any:
    """The body, if it fulfils the JSON schema.

    ``nulls_are_absent``: for clients that send all attributes that they know.

    Raises:
        ValidationError: it does not; the message is the schema's first objection.
    """
    value = parsed()
    if nulls_are_absent and isinstance(value, dict):
        value = {name: item for name, item in value.items() if item is not None}
    error = next(Draft7Validator(schema).iter_errors(value), None)
    if error is not None:
        raise ValidationError(error.message[:_MAX_MESSAGE])
    return value
