"""Rules: how fast events are matched alone, and how fast from webhooks to the ends of what they start."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

from bench import baselines
from bench.client import DEADLINE, Api
from bench.processes import CpuMeter
from bench.report import Row
from bench.session import Session
from st2common.rules.matching import Event, Matcher

_RULES, _MATCHING = 1000, 10
_SECONDS = 2.0
_FLOOD, _THREADS = 600, 6
# Seconds between two looks whether all have ended; the times are the database's.
_LOOK = 0.5

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
    yield _end_to_end(session)


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


def _end_to_end(session: Session) -> Row:
    """From the first request to the end of the last action, with what the database says of the times."""
    trigger = {"type": "core.st2.webhook", "parameters": {"url": "bench-flood"}}
    rule = {"name": "flood", "pack": "bench", "enabled": True, "trigger": trigger, "action": {"ref": "core.noop"}}
    session.api.call("POST", "/v1/rules", rule)
    meter = CpuMeter(session.platform.everything())
    began = time.time()
    threads = [threading.Thread(target=_post_some, args=(session,)) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    posted = time.time() - began
    took = _last_end(session) - began
    cpu = ", ".join(
        f"{name} {each * 1000 / _FLOOD:.1f}" for name, each in meter.seconds().items() if each * 1000 > _FLOOD
    )
    session.api.call("DELETE", "/v1/rules/bench.flood")
    rate = _FLOOD / took
    inserted = 1000 / statistics.mean(baselines.insert_ms(session.platform))
    return Row(
        f"{_FLOOD} webhooks from {_THREADS} threads, a rule with core.noop, POST to the last action's end",
        f"{rate:.0f} events per s (taken at {_FLOOD / posted:.0f} per s; ms of CPU for each: {cpu})",
        f"insert_one {inserted:,.0f} per s",
        ratio=f"{rate / inserted:.2f}",
    )


def _post_some(session: Session) -> None:
    api = Api(session.platform)
    for number in range(_FLOOD // _THREADS):
        api.call("POST", "/v1/webhooks/bench-flood", {"number": number})
    api.close()


def _last_end(session: Session) -> float:
    """When the last execution of the flood ended, in seconds since the epoch; once all have."""
    mine = {"action.ref": "core.noop", "context.rule.name": "flood", "end_timestamp": {"$exists": True}}
    deadline = time.monotonic() + DEADLINE
    with session.platform.database() as database:
        while time.monotonic() < deadline:
            ends = [each["end_timestamp"] for each in database["action_execution_d_b"].find(mine, {"end_timestamp": 1})]
            if len(ends) == _FLOOD:
                return float(max(ends)) / 1_000_000
            time.sleep(_LOOK)
    raise TimeoutError(f"{_FLOOD - len(ends)} of {_FLOOD} events have not had their executions")
