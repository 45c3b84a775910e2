"""JSON schemas of what the API answers. ``NAMED`` are those that other schemas refer to."""

from __future__ import annotations

from typing import Any

from st2common.models.sensor_runs import Status as RunStatus
from st2common.models.statuses import Status

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
INTEGER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
TIME: Schema = {"type": "string", "description": "In UTC, like 2017-08-31T11:51:06.961844Z."}
ANYTHING: Schema = {}


def named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> Schema:
    return {"type": "array", "items": named(name)}


def _object(required: str = "", /, **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


# What every object of a pack has. Only what stays when a client chooses attributes is required.
_CONTENT = {"id": TEXT, "uid": TEXT, "ref": TEXT, "pack": TEXT, "name": TEXT, "description": TEXT, "enabled": FLAG}

_EXECUTION = _object(
    "id",
    id=TEXT,
    status={"enum": [str(status) for status in Status]},
    action=OBJECT,
    runner=OBJECT,
    liveaction=OBJECT,
    parameters=OBJECT,
    context=OBJECT,
    log={"type": "array", "items": _object("status timestamp", status=TEXT, timestamp=TIME)},
    start_timestamp=TIME,
    end_timestamp=TIME,
    elapsed_seconds={"type": "number"},
    result=ANYTHING,
    result_size=INTEGER,
    web_url=TEXT,
    parent=TEXT,
    children=TEXTS,
    delay={"type": "integer", "description": "Milliseconds."},
    waiting={"type": "string", "description": "Why it has not started or does not go on."},
)

_SENSOR_RUN = _object(
    "id status",
    id=TEXT,
    sensor=TEXT,
    node=TEXT,
    host=TEXT,
    pid={"type": ["integer", "null"]},
    status={"enum": [str(status) for status in RunStatus]},
    started_at=TIME,
    ended_at={"type": ["string", "null"]},
    exit_code={"type": ["integer", "null"]},
    error={**TEXT_OR_NULL, "description": "Why it does not run."},
    failures={"type": "integer", "description": "Crashes in a row."},
)

NAMED: dict[str, Schema] = {
    "Fault": {
        "type": "object",
        "required": ["faultstring"],
        "properties": {"faultstring": TEXT, "conflict-id": TEXT},
    },
    "Execution": _EXECUTION,
    "Action": _object(
        "id ref",
        **_CONTENT,
        runner_type=TEXT,
        entry_point=TEXT,
        parameters=OBJECT,
        output_schema=OBJECT,
        notify=OBJECT,
        tags={"type": "array"},
        metadata_file=TEXT,
    ),
    "RunnerType": _object(
        "id",
        id=TEXT,
        uid=TEXT,
        name=TEXT,
        description=TEXT,
        enabled=FLAG,
        runner_package=TEXT,
        runner_module=TEXT,
        runner_parameters=OBJECT,
        output_key=TEXT,
        output_schema=OBJECT,
    ),
    "Sensor": _object(
        "id ref",
        **_CONTENT,
        artifact_uri=TEXT,
        entry_point=TEXT,
        trigger_types=TEXTS,
        poll_interval={"type": "integer", "description": "Seconds."},
        metadata_file=TEXT,
        run=_SENSOR_RUN,
    ),
    "Pack": _object(
        "id ref",
        id=TEXT,
        uid=TEXT,
        ref=TEXT,
        name=TEXT,
        description=TEXT,
        keywords={"type": "array"},
        version=TEXT,
        author=TEXT,
        email=TEXT,
        files=TEXTS,
        path=TEXT,
        dependencies={"type": "array"},
        system=OBJECT,
    ),
    "Config": _object("id pack values", id=TEXT, pack=TEXT, values=OBJECT),
    "ConfigSchema": _object("id pack attributes", id=TEXT, pack=TEXT, attributes=OBJECT),
    "Policy": _object("id ref", **_CONTENT, resource_ref=TEXT, policy_type=TEXT, parameters=OBJECT, metadata_file=TEXT),
    "PolicyType": _object("id ref", id=TEXT, ref=TEXT, name=TEXT, resource_type=TEXT, enabled=FLAG),
    "ActionAlias": _object(
        "id ref",
        **_CONTENT,
        action_ref=TEXT,
        formats={"type": "array", "items": {"type": ["string", "object"]}},
        ack=OBJECT,
        result=OBJECT,
        extra=OBJECT,
        immutable_parameters=OBJECT,
    ),
    "Rule": _object(
        "id ref",
        **_CONTENT,
        type=OBJECT,
        trigger=OBJECT,
        criteria=OBJECT,
        action=OBJECT,
        tags=OBJECTS,
        context=OBJECT,
        metadata_file=TEXT,
    ),
    "RuleEnforcement": _object(
        "id",
        id=TEXT,
        rule=OBJECT,
        trigger_instance_id=TEXT,
        execution_id=TEXT,
        failure_reason=TEXT,
        enforced_at=TIME,
        status={"enum": ["succeeded", "failed"]},
        trigger_instance=OBJECT,
        execution=OBJECT,
    ),
    "TriggerType": _object(
        "id ref",
        id=TEXT,
        uid=TEXT,
        ref=TEXT,
        pack=TEXT,
        name=TEXT,
        description=TEXT,
        payload_schema=OBJECT,
        parameters_schema=OBJECT,
        tags=OBJECTS,
        metadata_file=TEXT,
    ),
    "Trigger": _object(
        "id ref", id=TEXT, uid=TEXT, ref=TEXT, pack=TEXT, name=TEXT, type=TEXT, parameters=OBJECT, description=TEXT
    ),
    "Timer": _object(
        "id ref",
        id=TEXT,
        uid=TEXT,
        ref=TEXT,
        pack=TEXT,
        name=TEXT,
        type=TEXT,
        parameters=OBJECT,
        timer=_object("", next_at=TEXT_OR_NULL, last_fired_at=TEXT_OR_NULL, error=TEXT_OR_NULL),
    ),
    "TriggerInstance": _object(
        "id",
        id=TEXT,
        trigger=TEXT,
        payload=OBJECT,
        occurrence_time=TIME,
        status={"enum": ["pending", "processing", "processed", "processing_failed"]},
    ),
    "Inquiry": _object(
        "id", id=TEXT, route=TEXT, ttl={"type": "integer", "description": "Minutes."}, users=TEXTS, roles=TEXTS
    ),
    "Key": _object(
        "id name scope value",
        id=TEXT,
        uid=TEXT,
        name=TEXT,
        scope=TEXT,
        user=TEXT,
        value=TEXT,
        secret=FLAG,
        encrypted=FLAG,
        description=TEXT,
        expire_timestamp=TIME,
    ),
    "ApiKey": _object(
        "id user",
        id=TEXT,
        uid=TEXT,
        user=TEXT,
        key={**TEXT_OR_NULL, "description": "Only in the answer to the request that makes it."},
        key_hash=TEXT,
        metadata=OBJECT,
        created_at=TIME,
        enabled=FLAG,
    ),
    "Trace": _object(
        "id",
        id=TEXT,
        uid=TEXT,
        trace_tag=TEXT,
        start_timestamp=TIME,
        action_executions=OBJECTS,
        rules=OBJECTS,
        trigger_instances=OBJECTS,
    ),
}

ROOT = _object("version docs_url", version=TEXT, docs_url=TEXT)
USER = _object("username authentication rbac", username=TEXT, authentication=OBJECT, rbac=OBJECT)
PARAMETERS = _object("parameters", parameters=OBJECT)
COUNTS: Schema = {"type": "object", "additionalProperties": INTEGER}
STARTED = _object("execution_id", execution_id=TEXT)
INDEX = _object("status index", status=OBJECTS, index=OBJECT)
INDEX_HEALTH = _object("indexes packs", indexes=OBJECT, packs=OBJECT)
# A list for a search, the one pack for a name.
FOUND_PACKS: Schema = {"type": ["array", "object"]}
RE_EMITTED = _object("message payload id", message=TEXT, payload=OBJECT, id=TEXT)
FILES: Schema = {"type": "array", "items": _object("file_path content", file_path=TEXT, content=TEXT)}
FILTER_VALUES: Schema = {"type": "object", "additionalProperties": TEXTS}
ANSWERED = _object("id response", id=TEXT, response=OBJECT)
MATCH = _object("actionalias display representation", actionalias=named("ActionAlias"), display=TEXT)
HELP = _object("available helpstrings", available=INTEGER, helpstrings=OBJECTS)
ALIAS_RUN = _object("execution actionalias", execution=named("Execution"), actionalias=named("ActionAlias"))
ALIAS_RUNS = _object("results", results={"type": "array", "items": ALIAS_RUN})
GROUPS = _object("groups", groups=TEXTS)
MEMBERS = _object(
    "members",
    members={
        "type": "array",
        "items": _object("group_id member_id capabilities", group_id=TEXT, member_id=TEXT, capabilities=OBJECT),
    },
)
# Clients take "cannot be canceled" for an answer of success.
CANCELED: Schema = {"anyOf": [named("Execution"), named("Fault")]}
