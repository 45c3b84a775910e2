"""The verbs that change content which people make over the API as well as packs bring it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from st2common.content import alias_metadata, policy_metadata
from st2common.content.pack_files import DEFAULT_PACK
from st2common.errors import ConflictError, NotFound
from st2common.models import action_aliases, policies
from st2common.models.connection import Document
from st2common.models.pack_content import PackContent


class ContentChanges:
    """Of one kind of content. Objects are given in their API form."""

    def __init__(
        self,
        word: str,
        content: PackContent,
        complete: Callable[[Mapping[str, Any]], Document],
        made_of: Callable[[Mapping[str, Any]], Any],
    ) -> None:
        """``complete`` validates metadata (ValidationError) and fills in defaults, ``made_of`` makes a model of it."""
        self._word = word
        self._content = content
        self._complete = complete
        self._made_of = made_of

    def get(self, ref_or_id: str) -> Document:
        """
        Raises:
            NotFound: there is no such object.
        """
        found = self._content.get(ref_or_id)
        if found is None:
            raise NotFound(f'Resource with a reference or id "{ref_or_id}" not found')
        return found

    def create(self, metadata: Mapping[str, Any]) -> Document:
        """
        Raises:
            ConflictError: the pack has one of this name.
            ValidationError: the metadata is not valid.
        """
        complete = self._complete({"pack": DEFAULT_PACK, **metadata})
        self._require_free(complete)
        self._content.save(self._made_of(complete))
        return self.get(f"{complete['pack']}.{complete['name']}")

    def update(self, ref_or_id: str, metadata: Mapping[str, Any]) -> Document:
        """Other metadata in the place of what it has had, another name included.

        Raises:
            NotFound: there is no such object.
            ConflictError, ValidationError: as :meth:`create`.
        """
        earlier = self.get(ref_or_id)
        complete = self._complete({"pack": earlier["pack"], **metadata})
        self._require_free(complete, but_for=earlier["id"])
        self._content.replace(earlier["id"], self._made_of(complete))
        return self.get(earlier["id"])

    def delete(self, ref_or_id: str) -> Document:
        """What it was.

        Raises:
            NotFound: there is no such object.
        """
        known = self.get(ref_or_id)
        self._content.remove(known["id"])
        return known

    def _require_free(self, metadata: Mapping[str, Any], but_for: str = "") -> None:
        known = self._content.get(f"{metadata['pack']}.{metadata['name']}")
        if known and known["id"] != but_for:
            raise ConflictError(f'{self._word} "{known["ref"]}" already exists.', known["id"])


ACTION_ALIASES = ContentChanges(
    "Action alias", action_aliases.CONTENT, alias_metadata.complete, action_aliases.ActionAlias.from_metadata
)
#: What a change means for executions that wait is seen by the policy keeper.
POLICIES = ContentChanges("Policy", policies.CONTENT, policy_metadata.complete, policies.Policy.from_metadata)
