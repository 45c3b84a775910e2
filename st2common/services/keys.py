"""The verbs of the datastore: who may read, write and decrypt which keys, in which scope.

There are two scopes: what belongs to the system, and what belongs to one user. Secrets are encrypted at rest, and
shown as ciphertext unless somebody who may asks for their decryption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from st2common.datastore.crypto import DecryptionError, KeyFile
from st2common.errors import AccessDenied, NotFound, ValidationError
from st2common.models.connection import Document
from st2common.models.keys import SYSTEM_SCOPE, USER_SCOPE, Keys, to_api
from st2common.models.trigger_types import KEY_CREATE, KEY_DELETE, KEY_UPDATE, KEY_VALUE_CHANGE

#: What clients call the scopes.
SCOPES = {
    "system": SYSTEM_SCOPE,
    SYSTEM_SCOPE: SYSTEM_SCOPE,
    "user": USER_SCOPE,
    USER_SCOPE: USER_SCOPE,
}
#: Of a list: the system's keys and those of one user.
ALL_SCOPES = "all"

# Characters. The hex of a ciphertext is twice as long, and a document of the database holds 16 MiB.
MAX_VALUE = 4 * 1024 * 1024
MAX_NAME = 1024


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    user: str
    is_admin: bool


@dataclass(frozen=True)
class NewItem:
    """What is to be stored under a key."""

    value: str
    #: The value is to be encrypted.
    secret: bool = False
    #: The value is a ciphertext already.
    encrypted: bool = False
    #: Seconds; 0 or None: for ever.
    ttl: int | None = None
    description: str | None = None


@dataclass(frozen=True)
class Changes:
    """An item before and after a change, in the form of the API, secrets as ciphertext; None: it is not there."""

    before: Document | None
    after: Document | None

    def events(self) -> dict[str, Document]:
        """{reference of the trigger: payload} of what the change means."""
        if self.after is None:
            return {KEY_DELETE: {"object": self.before}}
        if self.before is None:
            return {KEY_CREATE: {"object": self.after}}
        events = {KEY_UPDATE: {"object": self.after}}
        if self.before["value"] != self.after["value"]:
            events[KEY_VALUE_CHANGE] = {"old_object": self.before, "new_object": self.after}
        return events


class Datastore:
    """Every verb gives items in the form of the API, and names as people know them: without scope and user.

    ``user`` names another user than the caller, for administrators.
    """

    def __init__(
        self, database: Database[Document], key_file: KeyFile, on_change: Callable[[Changes], None] | None = None
    ) -> None:
        """``on_change`` is called after each change, with what was before and what is now."""
        self._keys = Keys(database)
        self._key_file = key_file
        self._on_change = on_change

    def get_key(
        self, caller: Caller, name: str, *, scope: str | None = None, user: str | None = None, decrypt: bool = False
    ) -> Document:
        """
        Raises:
            NotFound: there is no such key, or it has expired.
            AccessDenied: another user's key, and the caller is no administrator.
            ValidationError: there is no such scope, or the value cannot be decrypted.
        """
        full = USER_SCOPE if user else SYSTEM_SCOPE if scope == ALL_SCOPES else full_scope(scope)
        owner = _owner(caller, user)
        found = self._keys.get(full, _stored_name(full, owner, name))
        if found is None:
            raise _unknown(name)
        return self._shown(found, decrypt)

    def list_keys(
        self,
        caller: Caller,
        *,
        scope: str | None = None,
        user: str | None = None,
        prefix: str = "",
        names: Sequence[str] = (),
        decrypt: bool = False,
        **page: Any,
    ) -> list[Document]:
        """Items of one scope, or of both: the system's and the user's. ``page`` (``sort``, ``limit``, ``offset`` of
        :meth:`Keys.find`) holds for each of the two.

        Raises:
            AccessDenied: as :meth:`get_key`; or decryption of the system's keys, and the caller is no administrator.
            ValidationError: as :meth:`get_key`.
        """
        owner = _owner(caller, user)
        both = scope == ALL_SCOPES and not user
        scopes = [SYSTEM_SCOPE, USER_SCOPE] if both else [USER_SCOPE if user else full_scope(scope)]
        found: list[Document] = []
        for full in scopes:
            _check_decrypt(caller, full, decrypt)
            stored_names = [_stored_name(full, owner, name) for name in names]
            found += self._keys.find(full, prefix=_stored_name(full, owner, prefix), names=stored_names, **page)
        return [self._shown(item, decrypt) for item in found]

    def set_key(
        self, caller: Caller, name: str, item: NewItem, *, scope: str | None = None, user: str | None = None
    ) -> Document:
        """Store an item; nothing of what the key has had before is kept.

        Raises:
            AccessDenied: another user's key, or a value that is encrypted already, and the caller is no administrator.
            ValidationError: there is no such scope, name or value are too long, or the value cannot be encrypted.
        """
        full, owner = full_scope(scope), _owner(caller, user)
        if not 0 < len(name) <= MAX_NAME:
            raise ValidationError(f"The name of a key has 1 to {MAX_NAME} characters.")
        if len(item.value) > MAX_VALUE:
            raise ValidationError(f"A value has at most {MAX_VALUE} characters.")
        stored: Document = {
            "scope": full,
            "name": _stored_name(full, owner, name),
            "value": self._at_rest(caller, name, item),
            "secret": item.secret or item.encrypted,
        }
        if item.description is not None:
            stored["description"] = item.description
        if item.ttl:
            stored["expire_timestamp"] = datetime.now(UTC) + timedelta(seconds=item.ttl)
        earlier = self._keys.get(full, stored["name"]) if self._on_change else None
        item_now = to_api(self._keys.put(stored))
        if self._on_change:
            self._on_change(Changes(to_api(earlier) if earlier else None, item_now))
        return item_now

    def delete_key(self, caller: Caller, name: str, *, scope: str | None = None, user: str | None = None) -> None:
        """
        Raises:
            NotFound, AccessDenied, ValidationError: as :meth:`get_key`.
        """
        full = full_scope(scope)
        stored_name = _stored_name(full, _owner(caller, user), name)
        earlier = self._keys.get(full, stored_name) if self._on_change else None
        if not self._keys.delete(full, stored_name):
            raise _unknown(name)
        if self._on_change and earlier:
            self._on_change(Changes(to_api(earlier), None))

    def _at_rest(self, caller: Caller, name: str, item: NewItem) -> str:
        if item.encrypted:
            if not caller.is_admin:
                raise AccessDenied("Only administrators may store values that are encrypted already.")
            self._decrypted(name, item.value)
            return item.value
        return self._key_file.key().encrypt(item.value) if item.secret else item.value

    def _shown(self, stored: Document, decrypt: bool) -> Document:
        if not (decrypt and stored.get("secret")):
            return to_api(stored)
        return to_api(stored, plain=self._decrypted(to_api(stored)["name"], stored["value"]))

    def _decrypted(self, name: str, ciphertext: str) -> str:
        try:
            return self._key_file.key().decrypt(ciphertext)
        except DecryptionError:
            raise ValidationError(f'The value of key "{name}" was not encrypted with the key file in use.') from None


def full_scope(scope: str | None) -> str:
    """``user`` -> ``st2kv.user``; the system's where none is given.

    Raises:
        ValidationError: there is no such scope.
    """
    try:
        return SCOPES[scope or SYSTEM_SCOPE]
    except KeyError:
        raise ValidationError(f'Scope "{scope}" is not valid: it is one of {", ".join(SCOPES)}.') from None


def user_key(user: str, name: str) -> str:
    """The stored name of a user's key.

    Raises:
        ValidationError: the user's name has the separator in it, and keys could be taken for another user's.
    """
    if ":" in user:
        raise ValidationError("A user whose name has a colon in it has no keys.")
    return f"{user}:{name}"


def _stored_name(full: str, owner: str, name: str) -> str:
    return user_key(owner, name) if full == USER_SCOPE else name


def _owner(caller: Caller, user: str | None) -> str:
    if user and user != caller.user and not caller.is_admin:
        raise AccessDenied("Only administrators may name another user.")
    return user or caller.user


def _check_decrypt(caller: Caller, full: str, decrypt: bool) -> None:
    if decrypt and full == SYSTEM_SCOPE and not caller.is_admin:
        raise AccessDenied("Only administrators may have secrets of the system decrypted.")


def _unknown(name: str) -> NotFound:
    return NotFound(f'The key "{name}" does not exist in the StackStorm datastore.')
