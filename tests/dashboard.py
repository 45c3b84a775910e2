"""What the dashboard for Grafana asks Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path

DASHBOARD = json.loads((Path(__file__).parents[1] / "conf" / "grafana" / "st2.json").read_text())

_METRIC = re.compile(r"\bst2_\w+")
_GROUPED = re.compile(r"\b(?:sum|max) by \(([^)]*)\) \((?:rate\()?(st2_\w+)")

# What Prometheus adds to each series that it reads, and histograms to theirs.
_ADDED = {"job", "instance", "le"}


def targets() -> list[dict[str, object]]:
    return [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def queries() -> list[str]:
    """Of the panels and of the variables."""
    variables = [each for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    return [*(str(target["expr"]) for target in targets()), *(each["query"]["query"] for each in variables)]


def metrics_of(query: str) -> set[str]:
    return set(_METRIC.findall(query))


def labels_of(query: str) -> list[tuple[str, set[str]]]:
    """Each metric that the query groups, with the labels by which it does, as the daemon calls them."""
    return [
        (name, {label.removeprefix("exported_") for label in labels.split(", ")} - (_ADDED - _renamed(labels)))
        for labels, name in _GROUPED.findall(query)
    ]


def _renamed(labels: str) -> set[str]:
    """Labels of ours that Prometheus renames, because it adds one of that name."""
    return {label.removeprefix("exported_") for label in labels.split(", ") if label.startswith("exported_")}
