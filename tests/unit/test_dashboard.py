from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from st2common import metrics

DASHBOARD = json.loads((Path(metrics.__file__).parent / "conf/grafana/st2.json").read_text())

# What Prometheus calls the series of a metric.
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}

_OUR_NAME = re.compile(r"\bst2_\w+")


def _declared() -> Iterator[str]:
    for collector in vars(metrics).values():
        if isinstance(collector, MetricWrapperBase):
            for metric in collector.describe():
                yield from (metric.name + suffix for suffix in _SUFFIXES[metric.type])


def _targets() -> list[dict[str, object]]:
    return [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def _named() -> set[str]:
    queries = [str(target["expr"]) for target in _targets()]
    variables = DASHBOARD["templating"]["list"]
    queries += [variable["query"]["query"] for variable in variables if variable["type"] == "query"]
    return {name for query in queries for name in _OUR_NAME.findall(query)}


def test_every_metric_of_the_dashboard_is_one_that_is_counted() -> None:
    assert _named() - set(_declared()) == set()


def test_every_metric_that_is_counted_is_on_the_dashboard() -> None:
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in _named()}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in _declared()} - shown == set()


def test_each_panel_asks_the_data_source_that_was_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert _targets()
    assert all(target["datasource"] == chosen for target in _targets())


def test_panels_have_ids_of_their_own_and_a_place_on_the_grid() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
