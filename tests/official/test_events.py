"""Sensors, timers and webhooks, through the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.official.client import TIMEOUT, Client


@pytest.fixture
def rule(st2: Client, tmp_path: Path) -> Iterator[Any]:
    """Makes a rule that runs an action whenever its trigger fires."""

    refs: set[str] = set()

    def make(name: str, trigger: str, **parameters: Any) -> dict[str, Any]:
        wanted = {
            "name": name,
            "pack": "default",
            "enabled": True,
            "trigger": {"type": trigger, "parameters": parameters},
            "action": {"ref": "core.local", "parameters": {"cmd": f"echo {name}"}},
        }
        (tmp_path / "rule.json").write_text(json.dumps(wanted))
        made: dict[str, Any] = st2("rule", "create", str(tmp_path / "rule.json"), "-j").json()
        refs.add(made["ref"])
        return made

    yield make
    # What goes on firing would be in the way of other tests.
    left = {each["ref"] for each in st2("rule", "list", "-j").json()}
    for ref in left & refs:
        st2("rule", "delete", ref)


def test_sensors(st2: Client) -> None:
    listed = {sensor["ref"]: sensor for sensor in st2("sensor", "list", "-j").json()}
    assert listed["examples.SampleSensor"]["enabled"] is False
    assert st2("sensor", "enable", "examples.SampleSensor", "-j").json()["enabled"] is True
    eventually(lambda: "running" in str(st2("sensor", "get", "examples.SampleSensor", "-j").json().get("run")), 30)
    shown = st2("sensor", "get", "examples.SampleSensor", "-j").json()
    assert (shown["name"], shown["trigger_types"]) == ("SampleSensor", ["examples.event"])
    assert st2("sensor", "disable", "examples.SampleSensor", "-j").json()["enabled"] is False
    assert 'Sensor "no.such" is not found.' in st2("sensor", "get", "no.such", code=1).out


def test_a_webhook_runs_an_action(st2: Client, rule: Any, open_platform: Platform) -> None:
    rule("hooked", "core.st2.webhook", url="official/hook")
    listed = st2("webhook", "list", "-j").json()
    assert [hook["url"] for hook in listed if hook["url"] == "official/hook"]
    url = f"{open_platform.urls['ST2_API_URL']}/webhooks/official/hook"
    assert requests.post(url, json={"a": 1}, timeout=TIMEOUT).status_code == 202
    eventually(lambda: "hooked" in st2("execution", "list", "-a", "all", "-j").out, timeout=30)


def test_a_timer_runs_an_action(st2: Client, rule: Any) -> None:
    made = rule("ticking", "core.st2.IntervalTimer", unit="seconds", delta=1)
    eventually(lambda: "ticking" in st2("execution", "list", "-a", "all", "-j").out, timeout=30)
    every_second = {"unit": "seconds", "delta": 1}
    assert every_second in [each["parameters"] for each in st2("timer", "list", "-j").json()]
    shown = st2("timer", "get", made["trigger"]["ref"], "-j").json()
    assert shown["type"] == "core.st2.IntervalTimer"
    assert "has been successfully deleted" in st2("rule", "delete", made["ref"]).out
    assert every_second not in [each["parameters"] for each in st2("timer", "list", "-j").json()]
