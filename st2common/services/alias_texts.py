"""What people are told about an alias execution: Jinja templates of the alias, rendered in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.expressions import templates
from st2common.expressions.templates import TemplateError
from st2common.models.connection import Document


def acknowledgement(alias: Mapping[str, Any], execution: Mapping[str, Any]) -> Document:
    """``message`` and ``extra``, as far as the alias has them, for an execution that was just requested.

    Both are in their API form, so that no secret is told. A template that fails is told in its place: the execution
    runs all the same.
    """
    ack = alias.get("ack") or {}
    if not ack.get("enabled", True):
        return {}
    scope = {"execution": execution, "actionalias": alias}
    told: Document = {}
    if "format" in ack:
        url = f" Details available at {execution['web_url']}" if ack.get("append_url", True) else ""
        told["message"] = _rendered("format", "ack", ack["format"], scope) + url
    if "extra" in ack:
        told["extra"] = _rendered("extra", "ack", ack["extra"], scope)
    return told


def result(alias: Mapping[str, Any], execution: Mapping[str, Any]) -> Document:
    """``message`` and ``extra`` for an execution that has ended; empty when the alias wants nothing told."""
    wanted = alias.get("result") or {}
    if not wanted.get("enabled", True):
        return {}
    scope = {"execution": execution}
    return {
        name: _rendered(key, "result", wanted[key], scope)
        for key, name in (("format", "message"), ("extra", "extra"))
        if key in wanted
    }


def _rendered(key: str, part: str, template: Any, scope: Mapping[str, Any]) -> Any:
    try:
        return templates.render(template, scope)
    except TemplateError as error:
        return f'Cannot render "{key}" in field "{part}" for alias. {error}'
