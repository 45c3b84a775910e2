"""What each route takes and answers: ``blueprint.function`` -> :class:`Operation`.

A route that is not here is described by its path alone; one that takes a body has to be here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from st2api import (
    action_aliases,
    action_changes,
    alias_executions,
    api_keys,
    execution_schemas,
    inquiries,
    keys,
    pack_install,
    packs,
    policies,
    rule_enforcements,
    rules,
    runner_types,
    sensors,
    triggers,
    webhooks,
    workflows,
)
from st2api.openapi import answers
from st2api.openapi.answers import FLAG, INTEGER, OBJECT, TEXT, Schema, list_of, named
from st2common.models import execution_list
from st2common.models.trigger_types import TIMERS

_JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    #: None: the answer has no body.
    answer: Schema | None = None
    status: int = 200
    #: What the body has to fulfil; None: there is none.
    body: Schema | None = None
    body_type: str = _JSON
    query: Mapping[str, Schema] = field(default_factory=dict)
    #: Of the answer.
    content_types: tuple[str, ...] = (_JSON,)
    #: Other statuses that an answer without an error can have.
    other_statuses: tuple[int, ...] = ()


_PAGE: dict[str, Schema] = {
    "limit": {"type": "integer", "description": "-1: everything"},
    "offset": {"type": "integer", "minimum": 0},
}
_ATTRIBUTES = {"include_attributes": TEXT, "exclude_attributes": TEXT}
_SECRETS = {"show_secrets": FLAG}


def _list(name: str, *filters: str) -> Operation:
    return Operation(list_of(name), query={**_PAGE, **_ATTRIBUTES, **dict.fromkeys(filters, TEXT)})


def _one(name: str, **query: Schema) -> Operation:
    return Operation(named(name), query=query)


def _made(name: str, body: Schema) -> Operation:
    return Operation(named(name), 201, body)


def _changed(name: str, body: Schema) -> Operation:
    return Operation(named(name), body=body)


def _rules(name: str) -> Operation:
    filters = dict.fromkeys(("pack", "name", "id", "action", "trigger"), TEXT)
    return Operation(list_of(name), query={**_PAGE, **_ATTRIBUTES, **_SECRETS, **filters, "enabled": FLAG})


_DELETED = Operation(status=204)
_ENFORCEMENTS = (*rule_enforcements.FILTERS, "enforced_at_gt", "enforced_at_lt")
_KEY_OWNER = {"scope": TEXT, "user": TEXT}

OPERATIONS: dict[str, Operation] = {
    "root.root": Operation(answers.ROOT, content_types=(_JSON, "text/html")),
    "root.user": Operation(answers.USER),
    "openapi.describe": Operation(OBJECT),
    "probes.healthz": Operation(OBJECT),
    "probes.readyz": Operation(OBJECT),
    "probes.metrics": Operation({}, content_types=("text/plain",)),
    "web.asset": Operation({}, content_types=("text/javascript", "text/css", "image/svg+xml")),
    "actions.list_actions": _list("Action", "pack", "name", "id"),
    "actions.get_action": _one("Action"),
    "actions.list_overviews": _list("Action", "pack", "name", "id"),
    "actions.get_overview": _one("Action"),
    "actions.get_parameters": Operation(answers.PARAMETERS),
    "actions.get_entry_point": Operation(
        {}, content_types=("text/plain", "application/x-yaml", "application/x-python")
    ),
    "action_changes.create_action": _made("Action", action_changes.CHANGE),
    "action_changes.update_action": _changed("Action", action_changes.CHANGE),
    "action_changes.delete_action": Operation(status=204, body=action_changes.DELETE),
    "action_changes.clone_action": _made("Action", action_changes.CLONE),
    "action_aliases.list_aliases": _list("ActionAlias", "pack", "name", "id"),
    "action_aliases.get_one_alias": _one("ActionAlias"),
    "action_aliases.add_alias": _made("ActionAlias", action_aliases.CHANGE),
    "action_aliases.change_alias": _changed("ActionAlias", action_aliases.CHANGE),
    "action_aliases.remove_alias": _DELETED,
    "action_aliases.match": Operation(answers.MATCH, body=action_aliases.MATCH),
    "action_aliases.show_help": Operation(answers.HELP, query={**_PAGE, "filter": TEXT, "pack": TEXT}),
    "alias_executions.execute": Operation(answers.ALIAS_RUN, 201, alias_executions.EXECUTE),
    "alias_executions.match_and_execute": Operation(answers.ALIAS_RUNS, 201, alias_executions.MATCH_AND_EXECUTE),
    "configs.list_configs": Operation(list_of("Config"), query={**_PAGE, **_SECRETS}),
    "configs.get_config": _one("Config", **_SECRETS),
    "configs.set_config": _changed("Config", OBJECT),
    "configs.list_schemas": Operation(list_of("ConfigSchema"), query=_PAGE),
    "configs.get_schema": _one("ConfigSchema"),
    "runner_types.list_runner_types": _list("RunnerType", "name", "id"),
    "runner_types.get_runner_type": _one("RunnerType"),
    "runner_types.switch_runner_type": _changed("RunnerType", runner_types.SWITCH),
    "timers.list_timers": Operation(list_of("Timer"), query={**_PAGE, "timer_type": {"enum": list(TIMERS)}}),
    "timers.get_timer": _one("Timer"),
    "webhooks.list_webhooks": Operation(list_of("Trigger"), query=_PAGE),
    "webhooks.get_webhook": _one("Trigger"),
    "webhooks.receive": Operation(webhooks.BODY, 202, webhooks.BODY),
    "sensors.list_sensors": _list("Sensor", "pack", "name", "trigger", "enabled", "id"),
    "sensors.get_one_sensor": _one("Sensor"),
    "sensors.change_sensor": _changed("Sensor", sensors.SWITCH),
    "packs.list_packs": _list("Pack", "name", "ref", "id"),
    "packs.get_pack": _one("Pack"),
    "packs.register_packs": Operation(answers.COUNTS, body=packs.REGISTER),
    "packs.unregister_packs": Operation(answers.COUNTS, body=packs.UNREGISTER),
    "pack_install.install": Operation(answers.STARTED, 202, pack_install.INSTALL),
    "pack_install.uninstall": Operation(answers.STARTED, 202, pack_install.UNINSTALL),
    "pack_install.get_index": Operation(answers.INDEX),
    "pack_install.get_index_health": Operation(answers.INDEX_HEALTH),
    "pack_install.search_index": Operation(answers.FOUND_PACKS, body=pack_install.SEARCH),
    "pack_views.list_files": Operation(answers.FILES),
    "pack_views.get_file": Operation({}, content_types=("*/*",), other_statuses=(304,)),
    "inquiries.list_inquiries": _list("Inquiry"),
    "inquiries.get_inquiry": _one("Inquiry", **_ATTRIBUTES),
    "inquiries.answer_inquiry": Operation(answers.ANSWERED, body=inquiries.ANSWER),
    "policies.list_policies": _list("Policy", "pack", "name", "ref", "resource_ref", "policy_type", "id"),
    "policies.get_one_policy": _one("Policy"),
    "policies.add_policy": _made("Policy", policies.CHANGE),
    "policies.change_policy": _changed("Policy", policies.CHANGE),
    "policies.remove_policy": _DELETED,
    "policies.list_types": _list("PolicyType", "resource_type"),
    "policies.get_type": _one("PolicyType"),
    "rules.list_rules": _rules("Rule"),
    "rules.list_views": _rules("Rule"),
    "rules.get_one_rule": _one("Rule", **_SECRETS),
    "rules.get_view": _one("Rule", **_SECRETS),
    "rules.add_rule": _made("Rule", rules.CHANGE),
    "rules.change_rule": _changed("Rule", rules.CHANGE),
    "rules.remove_rule": _DELETED,
    "rules.list_types": Operation(answers.OBJECTS),
    "rules.get_type": Operation(OBJECT),
    "rule_enforcements.list_enforcements": _list("RuleEnforcement", *_ENFORCEMENTS),
    "rule_enforcements.list_views": _list("RuleEnforcement", *_ENFORCEMENTS),
    "rule_enforcements.get_enforcement": _one("RuleEnforcement"),
    "rule_enforcements.get_view": _one("RuleEnforcement", **_SECRETS),
    "triggers.list_types": _list("TriggerType", "pack", "name", "ref", "id"),
    "triggers.get_type": _one("TriggerType"),
    "triggers.add_type": _made("TriggerType", triggers.TYPE_CHANGE),
    "triggers.change_type": _changed("TriggerType", triggers.TYPE_CHANGE),
    "triggers.remove_type": _DELETED,
    "triggers.list_triggers": Operation(list_of("Trigger"), query={"type": TEXT}),
    "triggers.get_one_trigger": _one("Trigger"),
    "triggers.add_trigger": _made("Trigger", triggers.TRIGGER),
    "triggers.change_trigger": _changed("Trigger", triggers.TRIGGER),
    "triggers.remove_trigger": _DELETED,
    "triggers.list_instances": _list("TriggerInstance", *triggers.INSTANCE_FILTERS, "timestamp_gt", "timestamp_lt"),
    "triggers.get_instance": _one("TriggerInstance"),
    "triggers.emit_again": Operation(answers.RE_EMITTED, body={"type": ["object", "null"]}),
    "rbac.list_roles": Operation(answers.OBJECTS, query={"system": FLAG}),
    "rbac.get_role": Operation(OBJECT),
    "rbac.list_assignments": Operation(
        answers.OBJECTS, query={"user": TEXT, "role": TEXT, "source": TEXT, "remote": FLAG}
    ),
    "rbac.get_assignment": Operation(OBJECT),
    "rbac.list_permission_types": Operation({"type": "object", "additionalProperties": answers.TEXTS}),
    "rbac.get_permission_types": Operation(answers.TEXTS),
    "service_registry.list_groups": Operation(answers.GROUPS),
    "service_registry.list_members": Operation(answers.MEMBERS),
    "traces.list_traces": _list("Trace", "trace_tag", "execution", "sort_asc"),
    "traces.get_one_trace": _one("Trace"),
    "keys.list_keys": Operation(
        list_of("Key"), query={**_PAGE, **_KEY_OWNER, "prefix": TEXT, "name": TEXT, "sort": TEXT, "decrypt": FLAG}
    ),
    "keys.get_key": _one("Key", **_KEY_OWNER, decrypt=FLAG),
    "keys.set_key": _changed("Key", keys.SET),
    "keys.delete_key": Operation(status=204, query=_KEY_OWNER),
    "apikeys.list_keys": Operation(list_of("ApiKey"), query={**_PAGE, **_SECRETS}),
    "apikeys.get_key": _one("ApiKey", **_SECRETS),
    "apikeys.create_key": _made("ApiKey", api_keys.OBJECT),
    "apikeys.change_key": _changed("ApiKey", api_keys.OBJECT),
    "apikeys.delete_key": _DELETED,
    "executions.list_executions": Operation(
        list_of("Execution"),
        query={**_PAGE, **_ATTRIBUTES, **_SECRETS, **dict.fromkeys(execution_list.PARAMETERS, TEXT)},
    ),
    "executions.get_execution": _one("Execution", **_ATTRIBUTES, **_SECRETS, max_result_size=INTEGER),
    "executions.get_attribute": Operation({}, query=_SECRETS),
    "executions.list_children": Operation(list_of("Execution"), query={"depth": INTEGER, "result_fmt": TEXT}),
    "executions.create_execution": _made("Execution", execution_schemas.CREATE),
    "executions.repeat_execution": _made("Execution", execution_schemas.REPEAT),
    "executions.register_secrets": Operation(status=204, body=execution_schemas.SECRETS),
    "executions.delete_execution": Operation(answers.CANCELED),
    "executions.change_execution": Operation(answers.CANCELED, body=execution_schemas.CHANGE),
    "execution_filters.list_values": Operation(answers.FILTER_VALUES, query={"types": TEXT}),
    "execution_output.get_output": Operation(
        {}, query={"output_type": {"enum": ["all", "stdout", "stderr"]}}, content_types=("text/plain",)
    ),
    "execution_output.get_result": Operation(
        {},
        query={"download": FLAG, "compress": FLAG, "pretty_format": FLAG},
        content_types=("text/json", "application/x-gzip"),
    ),
    "workflows.inspect": Operation(answers.OBJECTS, body=workflows.DEFINITION, body_type="text/plain"),
    "raw_output.raw_output": Operation(
        {},
        query={"follow": FLAG, "tail": {"type": "integer", "minimum": 0}},
        content_types=("text/plain",),
        other_statuses=(206,),
    ),
}
