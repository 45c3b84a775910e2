"""What an action may ask of the platform: the datastore, and who runs it. Over the HTTP API, with its token."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

_SCOPE = "system"

# Seconds that one request to the API may take.
_TIMEOUT = 60.0


class ApiError(Exception):
    """The API refused a request of the action."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DatastoreService:
    """Keys and values. Local keys belong to the action class: ``<pack>.<Class>:<name>``."""

    def __init__(self, pack: str, class_name: str) -> None:
        self._prefix = f"{pack}.{class_name}:"

    def get_user_info(self) -> dict[str, Any]:
        """``{"username", "rbac", "authentication"}`` of the user whose token this is."""
        info: dict[str, Any] = request("GET", "/user")
        return info

    def list_values(
        self, local: bool = True, prefix: str | None = None, limit: int | None = None, offset: int | None = None
    ) -> list[SimpleNamespace]:
        """Objects with at least ``name`` and ``value``."""
        full = self._name(prefix or "", local)
        query = {"scope": _SCOPE, "prefix": full or None, "limit": limit, "offset": offset}
        return [SimpleNamespace(**item) for item in request("GET", "/keys", query)]

    def get_value(self, name: str, local: bool = True, scope: str = _SCOPE, decrypt: bool = False) -> str | None:
        """The value; None when there is none."""
        query = {"scope": _checked(scope), "decrypt": "true" if decrypt else "false"}
        try:
            item = request("GET", _path(self._name(name, local)), query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        value: str = item["value"]
        return value

    def set_value(
        self,
        name: str,
        value: Any,
        ttl: int | None = None,
        local: bool = True,
        scope: str = _SCOPE,
        encrypt: bool = False,
    ) -> bool:
        """Store ``str(value)``, for ``ttl`` seconds or for ever."""
        full = self._name(name, local)
        item: dict[str, Any] = {"name": full, "value": str(value), "scope": _checked(scope)}
        if ttl is not None:
            item["ttl"] = ttl
        if encrypt:
            item["secret"] = True
        request("PUT", _path(full), body=item)
        return True

    def delete_value(self, name: str, local: bool = True, scope: str = _SCOPE) -> bool:
        """False when there was nothing to delete."""
        try:
            request("DELETE", _path(self._name(name, local)), {"scope": _checked(scope)})
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _name(self, name: str, local: bool) -> str:
        return self._prefix + name if local else name


class ActionService(DatastoreService):
    """``self.action_service`` of an action."""

    def register_secret(self, secret: str) -> None:
        """Have this text masked in whatever the action prints from now on, and in answers that show its result.

        Raises:
            ApiError: it cannot be masked yet, or not at all. It must not be printed then.
            OSError: there was no answer.
        """
        path = f"/executions/{os.environ['ST2_ACTION_EXECUTION_ID']}/secrets"
        request("POST", path, body={"secrets": [secret]})

    def get_value(self, name: str, local: bool = True, scope: str = _SCOPE, decrypt: bool = False) -> str | None:
        """The value; None when there is none. What was decrypted is masked like a registered secret."""
        value = super().get_value(name, local, scope, decrypt)
        # Where there is a token, the API knows from it whose action asks, and has registered it already.
        if decrypt and value and "ST2_ACTION_AUTH_TOKEN" not in os.environ and "ST2_ACTION_EXECUTION_ID" in os.environ:
            self.register_secret(value)
        return value

    @property
    def datastore_service(self) -> DatastoreService:
        return self


def _checked(scope: str) -> str:
    if scope != _SCOPE:
        raise ValueError(f'Scope "{scope}" is not supported; an action may use "{_SCOPE}" only')
    return scope


def _path(name: str) -> str:
    from urllib.parse import quote  # an action that never asks should not pay for the import

    return "/keys/" + quote(name, safe="")


def request(method: str, path: str, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None) -> Any:
    """A request to the API with the token of the action: the decoded answer; None where it has no body.

    Raises:
        ApiError: the API answered with an error.
        OSError: there was no answer.
    """
    from urllib.error import HTTPError
    from urllib.parse import urlencode
    from urllib.request import Request, urlopen

    given = {name: value for name, value in (query or {}).items() if value is not None}
    url = os.environ["ST2_ACTION_API_URL"] + path + ("?" + urlencode(given) if given else "")
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("ST2_ACTION_AUTH_TOKEN"):
        headers["X-Auth-Token"] = token
    data = None if body is None else json.dumps(body).encode()
    sent = Request(url, data=data, headers=headers, method=method)  # noqa: S310 - the URL is the platform's own
    try:
        with urlopen(sent, timeout=_TIMEOUT) as answer:  # noqa: S310
            text = answer.read()
    except HTTPError as error:
        with error:
            raise ApiError(_fault(error.read(), str(error)), error.code) from None
    return json.loads(text) if text else None


def _fault(body: bytes, otherwise: str) -> str:
    try:
        return str(json.loads(body)["faultstring"])
    except (ValueError, KeyError, TypeError):
        return otherwise
