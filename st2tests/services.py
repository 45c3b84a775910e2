"""The services that actions and sensors have, without a platform behind them."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any


class MemoryDatastore:
    """Keys and values in memory, by the names under which the platform would store them."""

    def __init__(self, pack: str, class_name: str) -> None:
        self._prefix = f"{pack}.{class_name}:"
        self._values: dict[str, str] = {}

    @property
    def datastore_service(self) -> MemoryDatastore:
        return self

    def get_user_info(self) -> dict[str, Any]:
        return {"username": "tester", "rbac": {}, "authentication": {}}

    def list_values(
        self, local: bool = True, prefix: str | None = None, limit: int | None = None, offset: int | None = None
    ) -> list[SimpleNamespace]:
        full = self._name(prefix or "", local)
        names = sorted(name for name in self._values if name.startswith(full))[offset or 0 :]
        return [SimpleNamespace(name=name, value=self._values[name]) for name in names[:limit]]

    def get_value(self, name: str, local: bool = True, scope: str = "system", decrypt: bool = False) -> str | None:
        return self._values.get(self._name(name, local))

    def set_value(
        self,
        name: str,
        value: Any,
        ttl: int | None = None,
        local: bool = True,
        scope: str = "system",
        encrypt: bool = False,
    ) -> bool:
        self._values[self._name(name, local)] = str(value)
        return True

    def delete_value(self, name: str, local: bool = True, scope: str = "system") -> bool:
        return self._values.pop(self._name(name, local), None) is not None

    def _name(self, name: str, local: bool) -> str:
        return self._prefix + name if local else name


class MemoryActionService(MemoryDatastore):
    """``action_service`` of an action under test."""

    def register_secret(self, secret: str) -> None:
        """There is no output to be masked."""


class MemorySensorService(MemoryDatastore):
    """``sensor_service`` of a sensor under test."""

    def __init__(self, pack: str, class_name: str) -> None:
        super().__init__(pack, class_name)
        self.dispatched: list[dict[str, Any]] = []

    def get_logger(self, name: str) -> logging.Logger:
        return logging.getLogger(name)

    def dispatch(self, trigger: str, payload: Any = None, trace_tag: str | None = None) -> None:
        self.dispatch_with_context(trigger, payload, {"trace_tag": trace_tag} if trace_tag else None)

    def dispatch_with_context(self, trigger: str, payload: Any = None, trace_context: Any = None) -> None:
        self.dispatched.append({"trigger": trigger, "payload": payload, "trace_context": trace_context})
