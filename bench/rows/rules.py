"""Rules: how fast events are matched, and how long it takes from an event to the command that it starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bench import baselines
from bench.client import DEADLINE, Api
from bench.report import Row, percentile, percentiles
from bench.session import Session
from st2common.rules.matching import Event, Matcher

_RULES, _MATCHING = 1000, 10
_SECONDS = 2.0
_EVENTS = 50
# Seconds between two events.
_BETWEEN = 0.25

# What 1,000 rules ask: {how the row calls it: criteria of the n-th}. Of each, 10 match the event.
_KINDS: dict[str, Any] = {
    "equals": lambda n: {"trigger.body.host": {"type": "equals", "pattern": f"host-{n // _MATCHING}"}},
    "startswith": lambda n: {"trigger.body.host": {"type": "startswith", "pattern": f"host-{n // _MATCHING}."}},
    "regex": lambda n: {"trigger.body.host": {"type": "regex", "pattern": rf"^host-{n // _MATCHING}(\..*)?$"}},
    "greaterthan, all of them different": lambda n: {"trigger.body.load": {"type": "gt", "pattern": n}},
}
_EVENT = {
    "equals": {"body": {"host": "host-7", "load": 1}},
    "startswith": {"body": {"host": "host-7.example.com", "load": 1}},
    "regex": {"body": {"host": "host-7", "load": 1}},
    "greaterthan, all of them different": {"body": {"host": "x", "load": _MATCHING}},
}


def rows(session: Session) -> Iterator[Row]:
    for kind, criteria in _KINDS.items():
        yield _matching(kind, [{"ref": f"bench.r{n}", "criteria": criteria(n)} for n in range(_RULES)])
    yield _webhook_to_running(session)


def _matching(kind: str, rules: list[dict[str, Any]]) -> Row:
    matcher, payload = Matcher(rules), _EVENT[kind]
    found = len(matcher.match(Event(payload, None)))
    if found != _MATCHING:
        raise RuntimeError(f"{found} rules match by {kind}")
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS:
        matcher.match(Event(payload, None))
        count += 1
    rate = count / (time.perf_counter() - start)
    return Row(
        f"matching alone, {_RULES} rules of which {_MATCHING} match, {kind}",
        f"{rate:,.0f} events per s",
        aim=">= 2,000 per s",
        met=rate >= 2000,
    )


def _webhook_to_running(session: Session) -> Row:
    """The rule's command prints when it runs."""
    api = Api(session.platform)
    trigger = {"type": "core.st2.webhook", "parameters": {"url": "bench"}}
    cmd = "echo bench.{{ trigger.body.number }} $(date +%s.%N)"
    rule = {"name": "hook", "pack": "bench", "enabled": True, "trigger": trigger}
    api.call("POST", "/v1/rules", {**rule, "action": {"ref": "core.local", "parameters": {"cmd": cmd}}})
    sent: dict[str, float] = {}
    for number in range(_EVENTS):
        sent[f"bench.{number}"] = time.time()
        api.call("POST", "/v1/webhooks/bench", {"number": number})
        # Not a wait for something: one after the other, and nobody who looks keeps the machine busy.
        time.sleep(_BETWEEN)
    times = [(at - sent[name]) * 1000 for name, at in _started(api, _EVENTS).items()]
    api.call("DELETE", "/v1/rules/bench.hook")
    api.close()
    p50 = percentile(times, 50)
    return Row(
        "webhook POST to the command of its rule running, p50 / p95",
        f"{percentiles(times, 50, 95)} ms",
        f"insert_one {percentile(baselines.insert_ms(session.platform), 50):.1f} ms",
        aim="p50 <= 30 ms",
        met=p50 <= 30,
    )


def _started(api: Api, count: int) -> dict[str, float]:
    """{name of the event: when the command ran} of all events, once ``count`` of them have had their execution."""
    deadline = time.monotonic() + DEADLINE
    query = "/v1/executions?action=core.local&status=succeeded&limit=100&include_attributes=result"
    while time.monotonic() < deadline:
        texts = [(each.get("result") or {}).get("stdout") for each in api.call("GET", query)]
        found = {text.split()[0]: float(text.split()[1]) for text in texts if str(text).startswith("bench.")}
        if len(found) >= count:
            return found
        time.sleep(_BETWEEN)
    raise TimeoutError(f"{count} events have not had their executions after {DEADLINE:.0f} s")
