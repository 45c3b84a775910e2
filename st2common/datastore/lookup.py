"""What templates see of the datastore: ``st2kv.system.<key>``, ``st2kv.user.<key>``, each read when it is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.database import Database

from st2common.datastore.crypto import KeyFile
from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.models.keys import SYSTEM_SCOPE, USER_SCOPE, Keys
from st2common.services.keys import user_key


class KeyScope:
    """The keys of one scope. A missing one is the empty text; secrets are ciphertext."""

    def __init__(self, keys: Keys, scope: str, user: str | None = None) -> None:
        self._keys = keys
        self._scope = scope
        self._user = user

    def __getitem__(self, name: str) -> str:
        return self.find(name) or ""

    def find(self, name: str) -> str | None:
        stored_name = name if self._user is None else user_key(self._user, name)
        found = self._keys.get(self._scope, stored_name)
        return str(found["value"]) if found else None


class KeyLookup:
    """``st2kv`` of one rendering."""

    def __init__(self, database: Database[Document], key_file: KeyFile | None, context: Mapping[str, Any]) -> None:
        """``context`` is that of the execution: it says whose keys ``st2kv.user`` has. Without ``key_file`` nothing is
        decrypted: where nobody could hide it afterwards."""
        keys = Keys(database)
        self._key_file = key_file
        self.system = KeyScope(keys, SYSTEM_SCOPE)
        self.user = KeyScope(keys, USER_SCOPE, context.get("api_user") or context.get("user") or "")
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
        if self._key_file is None:
            raise ValidationError("Secrets are decrypted when an execution is requested, and not later")
        text = self._key_file.key().decrypt(ciphertext)
        if text and text not in self.decrypted:
            self.decrypted.append(text)
        return text
