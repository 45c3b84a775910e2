"""Registration: what the packs' files say goes into the database. Repeating it changes nothing.

A file that is not valid is reported and left out; the others are registered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from oslo_config import cfg

from st2common.content import (
    pack_config,
    pack_kinds,
    pack_manifest,
    paths,
    sensor_metadata,
    trigger_type_metadata,
)
from st2common.content.loader import load, load_list
from st2common.content.metadata_files import Kind, register_files
from st2common.content.overrides import Overrides
from st2common.content.report import PackContent, Report
from st2common.models import (
    action_aliases,
    actions,
    config_schemas,
    configs,
    packs,
    policies,
    rules,
    runner_types,
    sensors,
    trigger_types,
)
from st2common.models.action_aliases import ActionAlias
from st2common.models.actions import Action
from st2common.models.config_schemas import ConfigSchema
from st2common.models.configs import Config
from st2common.models.packs import Pack
from st2common.models.policies import Policy
from st2common.models.rules import Rule
from st2common.models.runner_types import RunnerType
from st2common.models.sensors import Sensor
from st2common.models.trigger_types import TriggerType
from st2common.models.triggers import Trigger
from st2common.services.triggers import delete_trigger_type, save_trigger_type

RUNNER_TYPES = Path(__file__).parent.parent / "runners" / "runner_types.yaml"
# The trigger types that are a part of the platform, and the pack that they count to.
TRIGGER_TYPES = Path(__file__).parent / "trigger_types.yaml"
_CORE = "core"

_PACK_MODELS = (Action, ActionAlias, Policy, Pack, Rule, Sensor)

#: Every document of content: what packs consist of, and what belongs to no pack.
MODELS = (*_PACK_MODELS, RunnerType, Config, ConfigSchema, TriggerType, Trigger)


def register(
    config: cfg.ConfigOpts,
    kinds: Collection[str] | None = None,
    directories: Sequence[Path] | None = None,
    report: Report | None = None,
) -> Report:
    """Register the content of these kinds (all), of the packs in these directories (all). Packs themselves always are.

    The database must be connected. Never raises for content; the report tells.
    """
    report = report or Report()
    kinds = KINDS if kinds is None else kinds
    ensure_indexes()
    if RUNNERS in kinds:
        _register_runner_types(report)
    if TRIGGERS in kinds:
        _register_trigger_types(report)
    contents = []
    for directory in list(paths.packs(config).values()) if directories is None else directories:
        with report.collecting(directory / paths.MANIFEST):
            contents.append(_register_manifest(config, directory, report))
    # Kind by kind: a rule of one pack may name the trigger types of another.
    for kind, register_kind in _OF_PACKS.items():
        if kind in kinds:
            for content in contents:
                with report.collecting(content.directory):
                    register_kind(content, report)
    return report


def unregister(pack: str) -> dict[str, int]:
    """Forget a pack and all that was registered of it: {kind: how many}. Its configuration stays as it is."""
    return {
        "actions": actions.remove_pack(pack),
        "aliases": action_aliases.remove_pack(pack),
        "policies": policies.remove_pack(pack),
        "rules": pack_kinds.remove_rules(rules.of_pack(pack)),
        "sensors": sensors.remove_pack(pack),
        "triggers": _unregister_trigger_types(pack),
        "config_schemas": config_schemas.remove(pack),
        "packs": packs.remove(pack),
    }


def ensure_indexes() -> None:
    for model in MODELS:
        model.ensure_indexes()


def _register_runner_types(report: Report) -> None:
    with report.collecting(RUNNER_TYPES):
        for metadata in load_list(RUNNER_TYPES):
            runner_types.save(RunnerType.from_metadata(metadata))
            report.add("runners", 1)


def _register_trigger_types(report: Report) -> None:
    with report.collecting(TRIGGER_TYPES):
        for metadata in load_list(TRIGGER_TYPES):
            save_trigger_type(None, trigger_type_metadata.complete({"pack": _CORE, **metadata}))
            report.add(TRIGGERS, 1)


def _unregister_trigger_types(pack: str) -> int:
    found, total = trigger_types.find({"pack": pack})
    for trigger_type in found:
        delete_trigger_type(None, trigger_type["ref"])
    return total


def _register_manifest(config: cfg.ConfigOpts, directory: Path, report: Report) -> PackContent:
    reference = register_pack(directory)
    report.add("packs", 1)
    _register_config_schema(reference, directory, report)
    return PackContent(reference, directory, Overrides(config, reference), pack_config.config_file(config, reference))


def register_pack(directory: Path) -> str:
    """Store what the manifest in ``directory`` says, and which files there are; the pack's reference.

    Raises:
        ContentError: it is not valid.
    """
    manifest = pack_manifest.complete(load(directory / paths.MANIFEST), directory)
    packs.save(Pack.from_manifest(manifest))
    return str(manifest["ref"])


def _register_config_schema(pack: str, directory: Path, report: Report) -> None:
    path = directory / pack_config.SCHEMA_FILE
    if not path.exists():
        config_schemas.remove(pack)
        return
    with report.collecting(path):
        attributes = load(path)
        pack_config.check_schema(attributes)
        config_schemas.save(pack, attributes)


def _register_files(kind_of: Callable[[PackContent], Kind], content: PackContent, report: Report) -> None:
    register_files(kind_of(content), content, report)


def _register_config(content: PackContent, report: Report) -> None:
    path = content.config_file
    if not path.exists():
        return
    with report.collecting(path):
        values = load(path)
        if attributes := config_schemas.attributes_of(content.reference):
            pack_config.check_values(values, attributes)
        configs.save(content.reference, values)
        report.add("configs", 1)


RUNNERS, TRIGGERS = "runners", trigger_type_metadata.DIRECTORY
# In the order in which they are registered.
_OF_PACKS: dict[str, Callable[[PackContent, Report], None]] = {
    TRIGGERS: partial(_register_files, pack_kinds.trigger_type_kind),
    sensor_metadata.DIRECTORY: partial(_register_files, pack_kinds.sensor_kind),
    "actions": partial(_register_files, pack_kinds.action_kind),
    "aliases": partial(_register_files, pack_kinds.alias_kind),
    "policies": partial(_register_files, pack_kinds.policy_kind),
    "configs": _register_config,
    "rules": partial(_register_files, pack_kinds.rule_kind),
}
#: The kinds of content that the platform knows.
KINDS = (RUNNERS, *_OF_PACKS)
