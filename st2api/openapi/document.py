"""The OpenAPI document, made from the application's routes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.routing import Rule

from st2api.context import api
from st2api.openapi.answers import NAMED, TEXT, Schema, named
from st2api.openapi.operations import OPERATIONS, Operation
from st2common import __version__
from st2common.http.authentication import is_public, public
from st2common.http.responses import answer

# A variable of a route: its converter, what stands in that one's brackets, and its name.
_VARIABLE = re.compile(r"<(?:(\w+)(?:\(([^)]*)\))?:)?(\w+)>")
# Blueprints under an old path are named so.
_OLD = "old_"
_UNDESCRIBED = Operation({})
_FAULT = {"description": "Why not.", "content": {"application/json": {"schema": named("Fault")}}}
_SCHEMES = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "St2-Api-Key"},
}

routes = Blueprint("openapi", __name__)


@routes.get("/openapi.json")
@public
def describe() -> Response:
    """This document."""
    # Where it was asked for is where the API is, whatever prefix the client or a proxy has.
    base = request.script_root + request.environ["st2.path"].rstrip("/").removesuffix("/openapi.json")
    document = {**_document(current_app._get_current_object()), "servers": [{"url": base or "/"}]}  # type: ignore[attr-defined]
    if api().config.auth.enable:
        document["security"] = [{name: []} for name in _SCHEMES]
    return answer(document)


@lru_cache(maxsize=1)
def _document(app: Flask) -> Schema:
    paths: Schema = {}
    for rule in app.url_map.iter_rules():
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        path = paths.setdefault(_template(rule), {})
        for method in methods:
            path[method.lower()] = _operation(rule, app.view_functions[rule.endpoint])
    return {
        "openapi": "3.1.0",
        "info": {"title": "The API of the platform", "version": __version__},
        "paths": paths,
        "components": {"schemas": NAMED, "securitySchemes": _SCHEMES},
    }


def _template(rule: Rule) -> str:
    """``/keys/<path:name>`` -> ``/keys/{name}``."""
    return _VARIABLE.sub(r"{\3}", rule.rule)


def _operation(rule: Rule, view: Callable[..., Any]) -> Schema:
    name = rule.endpoint.removeprefix(_OLD)
    operation = OPERATIONS.get(name, _UNDESCRIBED)
    described: Schema = {
        "operationId": rule.endpoint,
        "tags": [name.partition(".")[0]],
        "description": inspect.getdoc(view) or "",
        "parameters": _path_parameters(rule) + _query_parameters(operation),
        "responses": _responses(operation),
    }
    if rule.endpoint.startswith(_OLD):
        described["deprecated"] = True
    if operation.body is not None:
        described["requestBody"] = {"content": {operation.body_type: {"schema": operation.body}}}
    if is_public(view):
        described["security"] = []
    return described


def _path_parameters(rule: Rule) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _variable_schema(converter, values)}
        for converter, values, name in _VARIABLE.findall(rule.rule)
    ]


def _variable_schema(converter: str, values: str) -> Schema:
    if converter == "any":
        return {"enum": [value.strip(" '") for value in values.split(",")]}
    return {**TEXT, "minLength": 1}


def _query_parameters(operation: Operation) -> list[Schema]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()]


def _responses(operation: Operation) -> Schema:
    success: Schema = {"description": "Done."}
    if operation.answer is not None:
        schemas = {kind: operation.answer if kind == "application/json" else {} for kind in operation.content_types}
        success["content"] = {kind: {"schema": schema} for kind, schema in schemas.items()}
    statuses = {str(status): success for status in (operation.status, *operation.other_statuses)}
    return {**statuses, "4XX": _FAULT, "503": _FAULT}
