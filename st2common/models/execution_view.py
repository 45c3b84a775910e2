"""The forms of an execution that clients see: the document of the API, its parts, and the "live action" of events."""

from __future__ import annotations

import functools
import json
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from st2common.clock import isoformat
from st2common.models import runner_types
from st2common.models.connection import Document
from st2common.models.secrets import masked, object_schema, secrets_in, without_texts

#: The top-level names that a client may ask for.
FIELDS = (
    "action",
    "runner",
    "liveaction",
    "status",
    "start_timestamp",
    "end_timestamp",
    "parameters",
    "result_size",
    "context",
    "log",
    "web_url",
    "id",
    "result",
    "elapsed_seconds",
    "parent",
    "children",
    "delay",
    "trigger",
    "trigger_type",
    "trigger_instance",
    "rule",
    "task_execution",
    "workflow_execution",
)
#: The top-level names that a client may leave out.
EXCLUDABLE = ("result", "trigger_instance", "status")

# These stay when they are empty; every other empty field is left out.
_KEPT_WHEN_EMPTY = frozenset({"action", "runner", "liveaction", "status", "context", "log", "id"})
_AS_STORED = FIELDS[FIELDS.index("parent") :]

# Characters. Shorter secrets are hidden where they stand, but not searched for in other values.
_SHORTEST_SECRET = 4

# Asked for a part of the action or runner, clients also get what they need to read (and we to mask) the parameters.
_ALWAYS_WITH_A_PART = {
    "action": ("ref", "pack", "uid", "parameters", "output_schema"),
    "runner": ("runner_parameters", "output_key"),
}
# The stored fields from which a field of the API is made.
_SOURCES = {
    "id": ("_id",),
    "web_url": ("_id",),
    "elapsed_seconds": ("start_timestamp", "end_timestamp"),
    "parameters": ("parameters", "action", "runner", "decrypted"),
    "liveaction": ("liveaction", "parameters", "action", "runner", "decrypted"),
    "result": ("result", "parameters", "action", "runner", "decrypted"),
}


def to_api(stored: Mapping[str, Any], mask_secrets: bool = True, web_base_url: str | None = None) -> Document:
    """The execution as the API shows it, also of a document that was read in part.

    ``web_base_url`` is where people find the web page; https on this host where it is not given.
    """
    shown: Document = {}
    for name in ("action", "runner"):
        if name in stored:
            shown[name] = stored[name]
    parameters = _parameters(stored, mask_secrets)
    if "liveaction" in stored:
        shown["liveaction"] = _liveaction(stored, parameters)
    shown["status"] = stored.get("status")
    for name in ("start_timestamp", "end_timestamp"):
        if stored.get(name):
            shown[name] = isoformat(stored[name])
    shown["parameters"] = parameters
    shown["result_size"] = stored.get("result_size")
    shown["context"] = stored.get("context")
    if "log" in stored:
        shown["log"] = [
            {"timestamp": isoformat(entry["timestamp"]), "status": entry["status"]} for entry in stored["log"]
        ]
    identity = str(stored["_id"])
    shown["web_url"] = f"{web_base_url or _default_web_base_url()}/#/history/{identity}/general"
    shown["id"] = identity
    shown["result"] = _result(stored, mask_secrets)
    if stored.get("start_timestamp") and stored.get("end_timestamp"):
        shown["elapsed_seconds"] = (stored["end_timestamp"] - stored["start_timestamp"]) / 1_000_000
    for name in _AS_STORED:
        shown[name] = stored.get(name)
    return {name: value for name, value in shown.items() if value or (name in _KEPT_WHEN_EMPTY and value is not None)}


def select(shown: Mapping[str, Any], include: Sequence[str] = (), exclude: Collection[str] = ()) -> Document:
    """The fields that a client asked for, of a document of :func:`to_api`.

    ``include`` holds paths such as ``context.user``: their first part selects, except that a part of the action or
    of the runner gives only that part and what clients need with it. ``id`` is always there.
    """
    if not include:
        return {name: value for name, value in shown.items() if name not in exclude}
    wanted = _paths_by_field(include)
    selected = {}
    for name, value in shown.items():
        if name == "id":
            selected[name] = value
        elif name in wanted:
            parts = wanted[name]
            whole = name not in _ALWAYS_WITH_A_PART or "" in parts
            selected[name] = value if whole else _parts(value, {*parts, *_ALWAYS_WITH_A_PART[name]})
    return selected


def projection(include: Sequence[str] = (), exclude: Collection[str] = ()) -> dict[str, int] | None:
    """What to read from the database for :func:`select`; None: everything."""
    if not include:
        left_out = {name: 0 for name in exclude if name in EXCLUDABLE}
        return left_out or None
    sources = {source for path in include for source in _SOURCES.get(_head(path), (_head(path),))}
    return dict.fromkeys(sorted({"_id", *sources}), 1)


def liveaction_form(shown: Mapping[str, Any]) -> Document:
    """The "live action" of an execution in its API form: what ``st2.liveaction__*`` events carry.

    Its ``result`` is JSON text.
    """
    run = shown["liveaction"]
    form = {
        "status": shown["status"],
        "start_timestamp": shown["start_timestamp"],
        "end_timestamp": shown.get("end_timestamp"),
        "action": run["action"],
        "action_is_workflow": run["action_is_workflow"],
        "parameters": run["parameters"],
        "context": shown["context"],
        "callback": run["callback"],
        "runner_info": run["runner_info"],
        "notify": run.get("notify"),
        "delay": shown.get("delay"),
        "id": run["id"],
        "result": json.dumps(shown.get("result", {}), default=str),
    }
    return {name: value for name, value in form.items() if value is not None}


def secret_values(stored: Mapping[str, Any]) -> list[str]:
    """What the schema of the action and its runner marks as secret among the parameters, defaults included, and the
    secrets of the datastore that a template put into any parameter."""
    schemas = parameter_schemas(stored)
    defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
    given = stored.get("parameters") or {}
    everything = {**defaults, **{name: value for name, value in given.items() if value is not None}}
    marked = secrets_in(everything, object_schema(schemas))
    return [text for text in dict.fromkeys([*marked, *(stored.get("decrypted") or ())]) if text]


def parameter_schemas(stored: Mapping[str, Any]) -> dict[str, Document]:
    """Schemas of all parameters of an execution's action and runner. A secret of either is one."""
    schemas: dict[str, Document] = dict((stored.get("runner") or {}).get("runner_parameters") or {})
    for name, schema in ((stored.get("action") or {}).get("parameters") or {}).items():
        inherited = schemas.get(name) or {}
        secret = bool(schema.get("secret") or inherited.get("secret"))
        schemas[name] = {**inherited, **schema, "secret": secret}
    return schemas


def result_size(result: Any) -> int:
    """Bytes of a result as compact JSON: what ``result_size`` of an execution says."""
    return len(json.dumps(result, separators=(",", ":"), default=str))


def _parameters(stored: Mapping[str, Any], mask_secrets: bool) -> Document:
    parameters: Document = stored.get("parameters") or {}
    if not (mask_secrets and parameters):
        return parameters
    shown: Document = masked(parameters, object_schema(parameter_schemas(stored)))
    # A template may have put a secret into another parameter.
    hidden: Document = without_texts(shown, _searched_for(secret_values(stored)))
    return hidden


def _searched_for(secrets: Collection[str]) -> list[str]:
    """The longest first: one may be a part of another."""
    return sorted((text for text in secrets if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)


def _liveaction(stored: Mapping[str, Any], parameters: Document) -> Document:
    run, action = stored["liveaction"], stored.get("action") or {}
    shown = {
        "action": action.get("ref", ""),
        "action_is_workflow": action.get("runner_type") in runner_types.WORKFLOWS,
        "parameters": parameters,
        "callback": run.get("callback") or {},
        "runner_info": run.get("runner_info") or {},
        "id": str(run["id"]),
    }
    return {**shown, "notify": run["notify"]} if run.get("notify") else shown


def _result(stored: Mapping[str, Any], mask_secrets: bool) -> Any:
    result = stored.get("result")
    if not (mask_secrets and isinstance(result, Mapping)):
        return result
    # A workflow reads it as it is stored: what an action has decrypted for its workflow is of use there.
    return without_texts(_masked_by_schema(stored, result), _searched_for(secret_values(stored)))


def _masked_by_schema(stored: Mapping[str, Any], result: Mapping[str, Any]) -> Mapping[str, Any]:
    runner = stored.get("runner") or {}
    if runner.get("name") == "inquirer" and "response" in result:
        return {**result, "response": masked(result["response"], result["schema"])}
    key = runner.get("output_key")
    schema = (stored.get("action") or {}).get("output_schema")
    if not (schema and key and key in result):
        return result
    # A schema without a type is of the old form: a map of properties.
    schema = schema if isinstance(schema.get("type"), str) else object_schema(schema)
    return {**result, key: masked(result[key], schema)}


def _paths_by_field(include: Sequence[str]) -> dict[str, set[str]]:
    """``action.ref,id`` -> ``{"action": {"ref"}, "id": {""}}``."""
    wanted: dict[str, set[str]] = {}
    for path in include:
        head, _, rest = path.partition(".")
        wanted.setdefault(head, set()).add(_head(rest))
    return wanted


def _parts(value: Mapping[str, Any], names: Collection[str]) -> Document:
    return {name: part for name, part in value.items() if name in names}


def _head(path: str) -> str:
    return path.partition(".")[0]


@functools.cache
def _default_web_base_url() -> str:
    return f"https://{socket.getfqdn()}"
