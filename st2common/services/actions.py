"""The verbs that change actions: create, update, delete and clone one, with the files that belong to it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from oslo_config import cfg

from st2common.content import action_metadata, pack_files, registrar
from st2common.errors import ConflictError, NotFound, ValidationError
from st2common.models import actions, runner_types
from st2common.models.actions import Action
from st2common.models.connection import Document

LOG = logging.getLogger(__name__)

# Its content is the platform's alone.
_CORE = "core"

#: {"file_path": ..., "content": ...}
DataFile = Mapping[str, str]


def create_action(config: cfg.ConfigOpts, metadata: Mapping[str, Any], data_files: Sequence[DataFile] = ()) -> Document:
    """Store a new action, and write the files that come with it below ``<pack>/actions/``. Its API form.

    Raises:
        ConflictError: the pack has an action of this name.
        AccessDenied: a file cannot be written.
        ValidationError: the metadata is not valid, the pack is not there or the platform's own.
    """
    complete = _checked(config, metadata)
    known = actions.get(f"{complete['pack']}.{complete['name']}")
    if known:
        raise _conflict(known)
    _write_files(config, complete["pack"], data_files)
    actions.save(Action.from_metadata(complete))
    return _stored(complete)


def update_action(
    config: cfg.ConfigOpts, ref_or_id: str, metadata: Mapping[str, Any], data_files: Sequence[DataFile] = ()
) -> Document:
    """Store other metadata in the place of what the action has had; nothing of that is kept. Its API form.

    Raises:
        NotFound: there is no such action.
        ConflictError, AccessDenied, ValidationError: as :func:`create_action`.
    """
    earlier = _existing(ref_or_id)
    complete = _checked(config, metadata)
    known = actions.get(f"{complete['pack']}.{complete['name']}")
    if known and known["id"] != earlier["id"]:
        raise _conflict(known)
    _write_files(config, complete["pack"], data_files)
    actions.replace(earlier["id"], Action.from_metadata(complete))
    return _stored(complete)


def delete_action(config: cfg.ConfigOpts, ref_or_id: str, *, remove_files: bool = False) -> None:
    """Forget an action; with ``remove_files`` its metadata file and its entry point go too.

    Raises:
        NotFound: there is no such action.
        AccessDenied: a file cannot be removed. The action is forgotten nevertheless.
        ValidationError: the pack is the platform's own.
    """
    action = _existing(ref_or_id)
    if not remove_files:
        actions.remove(action["id"])
        return
    directory = pack_files.writable_actions_directory(config, action["pack"])
    files = _own_files(action, directory)
    actions.remove(action["id"])
    pack_files.remove(files)
    registrar.register_pack(directory.parent)


def clone_action(config: cfg.ConfigOpts, ref_or_id: str, pack: str, name: str, *, overwrite: bool = False) -> Document:
    """Make ``<pack>.<name>`` a copy of an action, its files included. The copy's API form.

    Raises:
        NotFound: there is no such action.
        AccessDenied: a file cannot be written.
        ValidationError: the copy exists and is not to be overwritten, or the pack is not there or the platform's own.
    """
    source = actions.get(ref_or_id)
    if source is None:
        raise _unknown(ref_or_id)
    known = actions.get(f"{pack}.{name}")
    if known and not overwrite:
        raise ValidationError(f'The requested destination action "{pack}.{name}" already exists.')
    _check_name(name)
    entry_point = _cloned_entry_point(source["entry_point"], name)
    metadata = {
        **{key: value for key, value in source.items() if key not in ("id", "ref", "uid")},
        "pack": pack,
        "name": name,
        "entry_point": entry_point,
        "metadata_file": f"actions/{name}.yaml",
    }
    complete = _checked(config, metadata)
    target = pack_files.writable_actions_directory(config, pack)
    if entry_point:
        origin = pack_files.actions_directory(config, source["pack"])
        pack_files.copy(pack_files.inside(origin, source["entry_point"]), pack_files.inside(target, entry_point))
    pack_files.write([(pack_files.inside(target, f"{name}.yaml"), _as_file(complete))])
    actions.save(Action.from_metadata(complete))
    registrar.register_pack(target.parent)
    return _stored(complete)


def _checked(config: cfg.ConfigOpts, metadata: Mapping[str, Any]) -> Document:
    """The metadata with what may be left out."""
    complete = {"pack": pack_files.DEFAULT_PACK, **metadata}
    if isinstance(complete["pack"], str):
        _refuse_core(complete["pack"])
    runner = runner_types.get(str(complete.get("runner_type")))
    if "runner_type" in complete and runner is None:
        raise ValidationError(f'RunnerType "{complete["runner_type"]}" is not found.')
    if not isinstance(complete["pack"], str):
        raise ValidationError(f"{complete['pack']!r} is not of type 'string'")
    directory = pack_files.actions_directory(config, complete["pack"])
    action_metadata.check(complete, runner["runner_parameters"] if runner else {}, directory.parent)
    _check_name(complete["name"])
    return complete


def _check_name(name: str) -> None:
    # It becomes the name of a file.
    if "/" in name or "\0" in name:
        raise ValidationError(f"name: {name!r} may have no slash in it")


def _write_files(config: cfg.ConfigOpts, pack: str, data_files: Sequence[DataFile]) -> None:
    if not data_files:
        return
    directory = pack_files.writable_actions_directory(config, pack)
    # All names are looked at before anything is written.
    pack_files.write([(pack_files.inside(directory, file["file_path"]), file["content"]) for file in data_files])
    registrar.register_pack(directory.parent)


def _existing(ref_or_id: str) -> Document:
    """An action that may be changed."""
    found = actions.get(ref_or_id)
    if found is None:
        raise _unknown(ref_or_id)
    _refuse_core(found["pack"])
    return found


def _refuse_core(pack: str) -> None:
    if pack == _CORE:
        raise ValidationError("Resources belonging to system level packs can't be manipulated")


def _cloned_entry_point(entry_point: str, name: str) -> str:
    """The same directory and kind of file, under the name of the copy."""
    path = Path(entry_point)
    return str(path.with_name(f"{name}{path.suffix}")) if entry_point else ""


def _own_files(action: Document, directory: Path) -> list[Path]:
    """What lies in ``directory`` for this action alone."""
    files = []
    if action["metadata_file"]:
        files.append(pack_files.inside(directory, str(directory.resolve().parent / action["metadata_file"])))
    if action["entry_point"] and not _used_by_others(action):
        files.append(pack_files.inside(directory, action["entry_point"]))
    return files


def _used_by_others(action: Document) -> bool:
    others, _ = actions.find({"pack": action["pack"]})
    return any(other["entry_point"] == action["entry_point"] and other["id"] != action["id"] for other in others)


def _as_file(metadata: Document) -> str:
    written = {key: value for key, value in metadata.items() if key != "metadata_file" and value not in ({}, [])}
    return yaml.safe_dump(written, sort_keys=False, allow_unicode=True, default_flow_style=False)


def _stored(metadata: Document) -> Document:
    stored = actions.get(f"{metadata['pack']}.{metadata['name']}")
    if stored is None:
        raise NotFound(f'Action "{metadata["pack"]}.{metadata["name"]}" was deleted meanwhile')
    return stored


def _conflict(known: Document) -> ConflictError:
    return ConflictError(f'Action "{known["ref"]}" already exists.', known["id"])


def _unknown(ref_or_id: str) -> NotFound:
    return NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
