from __future__ import annotations

import re
from collections.abc import Iterator

from prometheus_client.metrics import MetricWrapperBase

from st2common import metrics
from tests import dashboard

# What Prometheus calls the series of a metric.
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def _declared() -> Iterator[str]:
    for collector in vars(metrics).values():
        if isinstance(collector, MetricWrapperBase):
            for metric in collector.describe():
                yield from (metric.name + suffix for suffix in _SUFFIXES[metric.type])


def _named() -> set[str]:
    return {name for query in dashboard.queries() for name in dashboard.metrics_of(query)}


def test_every_metric_of_the_dashboard_is_one_that_is_counted() -> None:
    assert _named() - set(_declared()) == set()


def test_every_metric_that_is_counted_is_on_the_dashboard() -> None:
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in _named()}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in _declared()} - shown == set()


def test_labels_by_which_the_dashboard_groups_are_those_of_the_metrics() -> None:
    declared = {
        metric.name + suffix: set(collector._labelnames)
        for collector in vars(metrics).values()
        if isinstance(collector, MetricWrapperBase)
        for metric in collector.describe()
        for suffix in _SUFFIXES[metric.type]
    }
    grouped = [(name, labels) for query in dashboard.queries() for name, labels in dashboard.labels_of(query)]
    assert [(name, labels) for name, labels in grouped if labels != declared[name]] == []
    assert {name for name, labels in declared.items() if labels} == {name for name, labels in grouped if labels}


def test_each_panel_asks_the_data_source_that_was_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    variables = {variable["name"]: variable for variable in dashboard.DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert dashboard.targets()
    assert all(target["datasource"] == chosen for target in dashboard.targets())


def test_panels_have_ids_of_their_own_and_a_place_on_the_grid() -> None:
    panels = dashboard.DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
