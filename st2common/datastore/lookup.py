"""What templates see of the datastore: ``st2kv.system.<key>``, ``st2kv.user.<key>``, each read when it is rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from oslo_config import cfg
from pymongo.database import Database

from st2common.datastore.crypto import KeyFile
from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.models.keys import SYSTEM_SCOPE, USER_SCOPE, Keys
from st2common.models.roles import Roles
from st2common.rbac.resolution import Rights
from st2common.services.keys import user_key

_VIEW = "key_value_pair_view"


@dataclass(frozen=True)
class KeyAccess:
    """What the configuration says about templates and the datastore."""

    key_file: KeyFile = field(default_factory=KeyFile)
    #: Whether a template sees only those of the system's keys that its user may view.
    checks_rights: bool = False
    #: Off where nobody could hide what was decrypted.
    decrypts: bool = True

    @classmethod
    def of_config(cls, config: cfg.ConfigOpts) -> KeyAccess:
        return cls(KeyFile.of_config(config), bool(config.rbac.enable))

    def of_platform(self) -> KeyAccess:
        """For what the platform itself renders: no user has written it."""
        return replace(self, checks_rights=False)

    def without_secrets(self) -> KeyAccess:
        return replace(self, decrypts=False)


class KeyScope:
    """The keys of one scope. A missing one is the empty text; secrets are ciphertext."""

    def __init__(
        self, keys: Keys, scope: str, user: str | None = None, check: Callable[[str], None] = lambda name: None
    ) -> None:
        """``check`` raises for the name of a key that is not to be read."""
        self._keys = keys
        self._scope = scope
        self._user = user
        self._check = check

    def __getitem__(self, name: str) -> str:
        return self.find(name) or ""

    def find(self, name: str) -> str | None:
        self._check(name)
        stored_name = name if self._user is None else user_key(self._user, name)
        found = self._keys.get(self._scope, stored_name)
        return str(found["value"]) if found else None


class KeyLookup:
    """``st2kv`` of one rendering."""

    def __init__(self, database: Database[Document], access: KeyAccess, context: Mapping[str, Any]) -> None:
        """``context`` is that of the execution: it says for whom it is rendered, and whose keys ``st2kv.user`` has."""
        keys = Keys(database)
        self._database = database
        self._access = access
        self._user_name = str(context.get("api_user") or context.get("user") or "")
        self.system = KeyScope(keys, SYSTEM_SCOPE, check=self._may_view)
        self.user = KeyScope(keys, USER_SCOPE, self._user_name)
        #: The texts that were decrypted so far: whoever stores or shows what was rendered has to hide them.
        self.decrypted: list[str] = []

    def find(self, name: str, decrypt: bool = False) -> str | None:
        """The value of ``system.<key>``, or of the user's own key of any other name; None when there is none.

        Raises:
            DecryptionError, NoKeyFile, ValidationError: as :meth:`decrypt`.
        """
        scope, found, key = name.partition(".")
        value = self.system.find(key) if found and scope == "system" else self.user.find(name)
        return self.decrypt(value) if value and decrypt else value

    def decrypt(self, ciphertext: str) -> str:
        """
        Raises:
            DecryptionError: it is no secret of this datastore.
            NoKeyFile: there is no key file.
            ValidationError: it is not to be decrypted here.
        """
        if not self._access.decrypts:
            raise ValidationError("Secrets are decrypted when an execution is requested, and not later")
        text = self._access.key_file.key().decrypt(ciphertext)
        if text and text not in self.decrypted:
            self.decrypted.append(text)
        return text

    @cached_property
    def _rights(self) -> Rights:
        return Roles(self._database).rights(self._user_name, isolation=False)

    def _may_view(self, name: str) -> None:
        """
        Raises:
            ValidationError: the user has not the permission to view this key of the system.
        """
        uid = f"key_value_pair:{SYSTEM_SCOPE}:{name}"
        if self._access.checks_rights and not self._rights.allows(_VIEW, uid):
            raise ValidationError(
                f'User "{self._user_name}" doesn\'t have required permission "{_VIEW}" on resource "{uid}".'
            )
