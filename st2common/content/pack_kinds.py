"""The kinds of content that packs have files of: how each is checked, stored and forgotten."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from st2common.content import (
    action_metadata,
    alias_metadata,
    policy_metadata,
    rule_metadata,
    sensor_metadata,
    trigger_type_metadata,
)
from st2common.content.errors import ContentError
from st2common.content.metadata_files import Kind
from st2common.content.report import PackContent
from st2common.models import action_aliases, actions, policies, rules, runner_types, trigger_types
from st2common.models.action_aliases import ActionAlias
from st2common.models.actions import Action
from st2common.models.connection import Document
from st2common.models.policies import Policy
from st2common.services.rules import remove_rule, save_rule
from st2common.services.sensors import remove_sensors_except, save_sensor
from st2common.services.triggers import delete_trigger_type, save_trigger_type


def action_kind(content: PackContent) -> Kind:
    runners = {runner["name"]: runner["runner_parameters"] for runner in runner_types.find({})[0]}
    return Kind(
        name="actions",
        singular="action",
        check=lambda metadata: _action(metadata, content.directory, runners),
        save=lambda metadata: actions.save(Action.from_metadata(metadata)),
        remove_except=actions.remove_except,
    )


def alias_kind(content: PackContent) -> Kind:
    return Kind(
        name="aliases",
        singular="alias",
        check=alias_metadata.complete,
        save=lambda metadata: action_aliases.save(ActionAlias.from_metadata(metadata)),
        remove_except=action_aliases.remove_except,
    )


def policy_kind(content: PackContent) -> Kind:
    return Kind(
        name="policies",
        singular="policy",
        check=policy_metadata.complete,
        save=lambda metadata: policies.save(Policy.from_metadata(metadata)),
        remove_except=policies.remove_except,
    )


def trigger_type_kind(content: PackContent) -> Kind:
    return Kind(
        name=trigger_type_metadata.DIRECTORY,
        singular="trigger type",
        check=trigger_type_metadata.complete,
        save=lambda metadata: save_trigger_type(None, metadata),
        remove_except=_remove_trigger_types_except,
    )


def rule_kind(content: PackContent) -> Kind:
    return Kind(
        name="rules",
        singular="rule",
        check=rule_metadata.complete,
        save=lambda metadata: save_rule(None, metadata),
        remove_except=_remove_rules_except,
    )


def _remove_rules_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    known = [rule for rule in rules.of_pack(pack) if rule["metadata_file"]]
    return remove_rules(
        [rule for rule in known if rule["name"] not in names and rule["metadata_file"] not in metadata_files]
    )


def remove_rules(gone: Collection[Document]) -> int:
    for rule in gone:
        remove_rule(None, rule)
    return len(gone)


def _remove_trigger_types_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    gone = trigger_types.gone(pack, trigger_type_metadata.DIRECTORY, names, metadata_files)
    for trigger_type in gone:
        delete_trigger_type(None, trigger_type["ref"])
    return len(gone)


def sensor_kind(content: PackContent) -> Kind:
    return Kind(
        name=sensor_metadata.DIRECTORY,
        singular="sensor",
        check=lambda metadata: sensor_metadata.complete(metadata, content.directory),
        save=save_sensor,
        remove_except=remove_sensors_except,
    )


def _action(metadata: Document, directory: Path, runners: dict[str, Document]) -> Document:
    runner = metadata.get("runner_type")
    if isinstance(runner, str) and runner not in runners:
        raise ContentError(f'runner_type: there is no runner type "{runner}"')
    action_metadata.check(metadata, runners.get(str(runner), {}), directory)
    return metadata
