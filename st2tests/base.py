"""Base classes of the tests that packs bring along in their directory ``tests``.

Actions and sensors get services that keep the datastore in memory and remember what was dispatched. Nothing here needs
a platform, a database or the network.
"""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from st2common.services.alias_matching import parameters_in
from st2tests.services import MemoryActionService, MemorySensorService


class BasePackResourceTestCase(unittest.TestCase):
    """A test of anything in a pack."""

    def get_fixture_content(self, fixture_path: str) -> str:
        """The text of a file below ``tests/fixtures`` of the pack."""
        return (Path(inspect.getfile(type(self))).parent / "fixtures" / fixture_path).read_text()


class BaseActionTestCase(BasePackResourceTestCase):
    """A test of the python action ``action_cls``."""

    action_cls: Any = None

    def setUp(self) -> None:
        super().setUp()
        self.action_service = MemoryActionService(_pack_of(self), self.action_cls.__name__)

    def get_action_instance(self, config: Mapping[str, Any] | None = None) -> Any:
        """A new action with this configuration of its pack."""
        try:
            return self.action_cls(config=dict(config or {}), action_service=self.action_service)
        except TypeError:
            # Its constructor takes the configuration alone; the platform gives it the service as well.
            action = self.action_cls(config=dict(config or {}))
            action.action_service = self.action_service
            return action


class BaseSensorTestCase(BasePackResourceTestCase):
    """A test of the sensor ``sensor_cls``."""

    sensor_cls: Any = None

    def setUp(self) -> None:
        super().setUp()
        self.sensor_service = MemorySensorService(_pack_of(self), self.sensor_cls.__name__)

    def get_sensor_instance(self, config: Mapping[str, Any] | None = None, poll_interval: int | None = None) -> Any:
        """A new sensor with this configuration of its pack; ``poll_interval`` in seconds, of one that polls."""
        more = {} if poll_interval is None else {"poll_interval": poll_interval}
        return self.sensor_cls(sensor_service=self.sensor_service, config=dict(config or {}), **more)

    def get_dispatched_triggers(self) -> list[dict[str, Any]]:
        """``{"trigger", "payload", "trace_context"}`` of each event so far."""
        return self.sensor_service.dispatched

    def get_last_dispatched_trigger(self) -> dict[str, Any]:
        return self.sensor_service.dispatched[-1]

    def assertTriggerDispatched(  # noqa: N802 - packs call it so
        self, trigger: str, payload: Any = None, trace_context: Any = None
    ) -> bool:
        """Some event was this one; what is None may be anything."""
        for event in self.sensor_service.dispatched:
            asked = {"trigger": trigger, "payload": payload, "trace_context": trace_context}
            if all(value is None or event[name] == value for name, value in asked.items()):
                return True
        raise AssertionError(f'Trigger "{trigger}" with this payload was not dispatched: {payload!r}')


class BaseActionAliasTestCase(BasePackResourceTestCase):
    """A test of the alias called ``action_alias_name``, whose file lies in ``aliases`` of the pack."""

    action_alias_name: str = ""

    def setUp(self) -> None:
        super().setUp()
        found = [yaml.safe_load(path.read_text()) for path in sorted((_root_of(self) / "aliases").glob("*.y*ml"))]
        self.action_alias_db = next((alias for alias in found if alias["name"] == self.action_alias_name), None)
        if self.action_alias_db is None:
            raise ValueError(f'The pack has no alias "{self.action_alias_name}".')

    def assertCommandMatchesExactlyOneFormatString(  # noqa: N802
        self, format_strings: Sequence[str], command: str
    ) -> None:
        matched = [text for text in format_strings if parameters_in(command, text) is not None]
        if len(matched) != 1:
            raise AssertionError(f'Command "{command}" matches {len(matched)} format strings: {matched}')

    def assertExtractedParametersMatch(  # noqa: N802
        self, format_string: str, command: str, parameters: Mapping[str, Any]
    ) -> None:
        found = parameters_in(command, format_string)
        if found is None:
            raise AssertionError(f'Command "{command}" does not match format string "{format_string}"')
        self.assertEqual(found, dict(parameters))


def _root_of(test: unittest.TestCase) -> Path:
    return Path(inspect.getfile(type(test))).parent.parent


def _pack_of(test: unittest.TestCase) -> str:
    root = _root_of(test)
    manifest = yaml.safe_load((root / "pack.yaml").read_text())
    return str(manifest.get("ref") or root.name)
