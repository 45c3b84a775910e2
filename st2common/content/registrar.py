"""Registration: what the packs' files say goes into the database. Repeating it changes nothing.

A file that is not valid is reported and left out; the others are registered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oslo_config import cfg

from st2common.content import (
    action_metadata,
    alias_metadata,
    overrides,
    pack_config,
    pack_manifest,
    paths,
    policy_metadata,
    rule_metadata,
    sensor_metadata,
    trigger_type_metadata,
)
from st2common.content.errors import ContentError
from st2common.content.loader import load, load_list
from st2common.content.overrides import Overrides
from st2common.errors import ValidationError
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
from st2common.models.connection import Document
from st2common.models.packs import Pack
from st2common.models.policies import Policy
from st2common.models.rules import Rule
from st2common.models.runner_types import RunnerType
from st2common.models.sensors import Sensor
from st2common.models.trigger_types import TriggerType
from st2common.models.triggers import Trigger
from st2common.services.rules import remove_rule, save_rule
from st2common.services.sensors import remove_sensors_except, save_sensor
from st2common.services.triggers import delete_trigger_type, save_trigger_type

LOG = logging.getLogger(__name__)

RUNNER_TYPES = Path(__file__).parent.parent / "runners" / "runner_types.yaml"
# The trigger types that are a part of the platform, and the pack that they count to.
TRIGGER_TYPES = Path(__file__).parent / "trigger_types.yaml"
_CORE = "core"

# A directory of actions may hold this file, which is none.
_NO_ACTION = "config.yaml"


_PACK_MODELS = (Action, ActionAlias, Policy, Pack, Rule, Sensor)

#: Every document of content: what packs consist of, and what belongs to no pack.
MODELS = (*_PACK_MODELS, RunnerType, Config, ConfigSchema, TriggerType, Trigger)


@dataclass
class Report:
    """How many of each kind are registered, and a line for each file that is not."""

    counts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, kind: str, count: int) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + count

    @contextmanager
    def collecting(self, path: Path) -> Iterator[None]:
        """Turns an error of the file ``path`` into a line of the report."""
        try:
            yield
        except ValidationError as error:
            text = str(error)
            line = text if text.startswith(str(path)) else f"{path}: {text}"
            LOG.error("%s", line)
            self.errors.append(line)


@dataclass(frozen=True)
class PackContent:
    """A pack whose files are being registered."""

    reference: str
    directory: Path
    overrides: Overrides
    #: The administrator's configuration of the pack; it need not be there.
    config_file: Path


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
        "rules": _remove_rules(rules.of_pack(pack)),
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


def _register_actions(content: PackContent, report: Report) -> None:
    runners = {runner["name"]: runner["runner_parameters"] for runner in runner_types.find({})[0]}
    kind = _Kind(
        name="actions",
        singular="action",
        check=lambda metadata: _action(metadata, content.directory, runners),
        save=lambda metadata: actions.save(Action.from_metadata(metadata)),
        remove_except=actions.remove_except,
    )
    _register_files(kind, content, report)


def _register_aliases(content: PackContent, report: Report) -> None:
    kind = _Kind(
        name="aliases",
        singular="alias",
        check=alias_metadata.complete,
        save=lambda metadata: action_aliases.save(ActionAlias.from_metadata(metadata)),
        remove_except=action_aliases.remove_except,
    )
    _register_files(kind, content, report)


def _register_policies(content: PackContent, report: Report) -> None:
    kind = _Kind(
        name="policies",
        singular="policy",
        check=policy_metadata.complete,
        save=lambda metadata: policies.save(Policy.from_metadata(metadata)),
        remove_except=policies.remove_except,
    )
    _register_files(kind, content, report)


def _register_triggers(content: PackContent, report: Report) -> None:
    kind = _Kind(
        name=TRIGGERS,
        singular="trigger type",
        check=trigger_type_metadata.complete,
        save=lambda metadata: save_trigger_type(None, metadata),
        remove_except=_remove_trigger_types_except,
    )
    _register_files(kind, content, report)


def _register_rules(content: PackContent, report: Report) -> None:
    kind = _Kind(
        name="rules",
        singular="rule",
        check=rule_metadata.complete,
        save=lambda metadata: save_rule(None, metadata),
        remove_except=_remove_rules_except,
    )
    _register_files(kind, content, report)


def _remove_rules_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    known = [rule for rule in rules.of_pack(pack) if rule["metadata_file"]]
    return _remove_rules(
        [rule for rule in known if rule["name"] not in names and rule["metadata_file"] not in metadata_files]
    )


def _remove_rules(gone: Collection[Document]) -> int:
    for rule in gone:
        remove_rule(None, rule)
    return len(gone)


def _remove_trigger_types_except(pack: str, names: Collection[str], metadata_files: Collection[str]) -> int:
    gone = trigger_types.gone(pack, TRIGGERS, names, metadata_files)
    for trigger_type in gone:
        delete_trigger_type(None, trigger_type["ref"])
    return len(gone)


def _register_sensors(content: PackContent, report: Report) -> None:
    kind = _Kind(
        name=sensor_metadata.DIRECTORY,
        singular="sensor",
        check=lambda metadata: sensor_metadata.complete(metadata, content.directory),
        save=save_sensor,
        remove_except=remove_sensors_except,
    )
    _register_files(kind, content, report)


@dataclass(frozen=True)
class _Kind:
    """Content of one object a file."""

    #: Also of the directory.
    name: str
    singular: str
    #: The metadata with what may be left out; raises ContentError.
    check: Callable[[Document], Document]
    save: Callable[[Document], object]
    remove_except: Callable[[str, Collection[str], Collection[str]], int]


def _register_files(kind: _Kind, content: PackContent, report: Report) -> None:
    """Register each metadata file of a kind, and forget what was registered and is gone."""
    pack, directory = content.reference, content.directory
    names: set[str] = set()
    broken: list[str] = []
    for path in _metadata_files(directory / kind.name):
        relative = str(path.relative_to(directory))
        broken.append(relative)
        with report.collecting(path):
            metadata = load(path)
            if metadata.setdefault("pack", pack) != pack:
                raise ContentError(f'pack: "{metadata["pack"]}" is not the pack that the file is in, "{pack}"')
            metadata = kind.check(metadata)
            if metadata["name"] in names:
                raise ContentError(f'name: the pack has another {kind.singular} "{metadata["name"]}"')
            if kind.name in overrides.KINDS and content.overrides.apply(kind.name, metadata):
                report.add(f"{kind.name}(overridden)", 1)
            kind.save({**metadata, "metadata_file": relative})
            names.add(metadata["name"])
            broken.pop()
    # What was registered from a file that is broken now stays until somebody mends it or takes it away.
    removed = kind.remove_except(pack, names, broken)
    report.add(kind.name, len(names))
    LOG.info("Pack %s: %d %s registered, %d removed, %d not valid", pack, len(names), kind.name, removed, len(broken))


def _action(metadata: Document, directory: Path, runners: dict[str, Document]) -> Document:
    runner = metadata.get("runner_type")
    if isinstance(runner, str) and runner not in runners:
        raise ContentError(f'runner_type: there is no runner type "{runner}"')
    action_metadata.check(metadata, runners.get(str(runner), {}), directory)
    return metadata


def _metadata_files(directory: Path) -> list[Path]:
    found = (path for path in directory.glob("*") if path.suffix in (".yaml", ".yml") and path.name != _NO_ACTION)
    return sorted(path for path in found if path.is_file())


RUNNERS, TRIGGERS = "runners", "triggers"
# In the order in which they are registered.
_OF_PACKS: dict[str, Callable[[PackContent, Report], None]] = {
    TRIGGERS: _register_triggers,
    sensor_metadata.DIRECTORY: _register_sensors,
    "actions": _register_actions,
    "aliases": _register_aliases,
    "policies": _register_policies,
    "configs": _register_config,
    "rules": _register_rules,
}
#: The kinds of content that the platform knows.
KINDS = (RUNNERS, *_OF_PACKS)
