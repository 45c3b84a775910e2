"""The verbs that change action aliases, each told as an event of the exchange ``st2.actionalias``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.content import alias_metadata
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import ConflictError, NotFound
from st2common.models import action_aliases
from st2common.models.action_aliases import ActionAlias
from st2common.models.connection import Document
from st2common.transport.port import SCHEMA_VERSION, Transport
from st2common.transport.topology import ACTIONALIAS


def get_alias(ref_or_id: str) -> Document:
    """
    Raises:
        NotFound: there is no such alias.
    """
    found = action_aliases.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def create_alias(transport: Transport, metadata: Mapping[str, Any]) -> Document:
    """Store a new alias; its API form.

    Raises:
        ConflictError: the pack has an alias of this name.
        ValidationError: the metadata is not valid.
    """
    complete = alias_metadata.complete({"pack": DEFAULT_PACK, **metadata})
    known = action_aliases.get(f"{complete['pack']}.{complete['name']}")
    if known:
        raise _conflict(known)
    action_aliases.save(ActionAlias.from_metadata(complete))
    return _told(transport, "create", get_alias(f"{complete['pack']}.{complete['name']}"))


def update_alias(transport: Transport, ref_or_id: str, metadata: Mapping[str, Any]) -> Document:
    """Store other metadata in the place of what the alias has had; its API form.

    Raises:
        NotFound: there is no such alias.
        ConflictError, ValidationError: as :func:`create_alias`.
    """
    earlier = get_alias(ref_or_id)
    complete = alias_metadata.complete({"pack": earlier["pack"], **metadata})
    known = action_aliases.get(f"{complete['pack']}.{complete['name']}")
    if known and known["id"] != earlier["id"]:
        raise _conflict(known)
    action_aliases.replace(earlier["id"], ActionAlias.from_metadata(complete))
    return _told(transport, "update", get_alias(earlier["id"]))


def delete_alias(transport: Transport, ref_or_id: str) -> None:
    """
    Raises:
        NotFound: there is no such alias.
    """
    known = get_alias(ref_or_id)
    action_aliases.remove(known["id"])
    _told(transport, "delete", known)


def _told(transport: Transport, key: str, alias: Document) -> Document:
    transport.notify(ACTIONALIAS, key, {"v": SCHEMA_VERSION, "alias": alias})
    return alias


def _conflict(known: Document) -> ConflictError:
    return ConflictError(f'Action alias "{known["ref"]}" already exists.', known["id"])
