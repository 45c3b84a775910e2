"""The verbs that change policies. What a change means for executions that wait is seen by the policy keeper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.content import policy_metadata
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import ConflictError, NotFound
from st2common.models import policies
from st2common.models.connection import Document
from st2common.models.policies import Policy


def get_policy(ref_or_id: str) -> Document:
    """
    Raises:
        NotFound: there is no such policy.
    """
    found = policies.get(ref_or_id)
    if found is None:
        raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
    return found


def create_policy(metadata: Mapping[str, Any]) -> Document:
    """Store a new policy; its API form.

    Raises:
        ConflictError: the pack has a policy of this name.
        ValidationError: the metadata is not valid.
    """
    complete = policy_metadata.complete({"pack": DEFAULT_PACK, **metadata})
    known = policies.get(f"{complete['pack']}.{complete['name']}")
    if known:
        raise _conflict(known)
    policies.save(Policy.from_metadata(complete))
    return get_policy(f"{complete['pack']}.{complete['name']}")


def update_policy(ref_or_id: str, metadata: Mapping[str, Any]) -> Document:
    """Store other metadata in the place of what the policy has had; its API form.

    Raises:
        NotFound: there is no such policy.
        ConflictError, ValidationError: as :func:`create_policy`.
    """
    earlier = get_policy(ref_or_id)
    complete = policy_metadata.complete({"pack": earlier["pack"], **metadata})
    known = policies.get(f"{complete['pack']}.{complete['name']}")
    if known and known["id"] != earlier["id"]:
        raise _conflict(known)
    policies.replace(earlier["id"], Policy.from_metadata(complete))
    return get_policy(earlier["id"])


def delete_policy(ref_or_id: str) -> None:
    """
    Raises:
        NotFound: there is no such policy.
    """
    policies.remove(get_policy(ref_or_id)["id"])


def _conflict(known: Document) -> ConflictError:
    return ConflictError(f'Policy "{known["ref"]}" already exists.', known["id"])
