"""Which sensors a container runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oslo_config import cfg

from st2common import config as configuration
from st2common.content.errors import ContentError
from st2common.errors import ConfigError
from st2reactor.container.partitions import hash_of, hash_ranges, provider


def partition(database: Any = None, **options: str) -> Any:
    config: cfg.ConfigOpts = configuration.load([], prog="test")
    config.set_override("partition_provider", options, group="sensorcontainer")
    return provider(config, database or {"key_value_pair_d_b": None})


def test_all_of_them() -> None:
    assert partition(name="default")()("any.Sensor")


def test_those_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "partitions.yaml"
    path.write_text("sensornode1: [a.A, b.B]\nother: [c.C]\n")
    mine = partition(name="file", partition_file=str(path))()
    assert [mine(reference) for reference in ("a.A", "b.B", "c.C")] == [True, True, False]
    path.write_text("other: [a.A]\n")
    assert not partition(name="file", partition_file=str(path))()("a.A")
    path.write_text("sensornode1: a.A\n")
    with pytest.raises(ContentError, match="a list of references"):
        partition(name="file", partition_file=str(path))()


@given(st.text(min_size=1), st.integers(1, 2**32 - 1))
def test_two_nodes_share_by_hash(reference: str, border: int) -> None:
    halves = [partition(name="hash", hash_ranges=text)()(reference) for text in (f"MIN..{border}", f"{border}..MAX")]
    assert sorted(halves) == [False, True]
    assert hash_of(reference) in range(2**32)


def test_ranges() -> None:
    assert hash_ranges("MIN..10|20..MAX") == [(0, 10), (20, 2**32)]


@pytest.mark.parametrize(
    "options",
    [
        {"name": "nosuch"},
        {"name": "file"},
        {"name": "hash"},
        {"name": "hash", "hash_ranges": "10"},
        {"name": "hash", "hash_ranges": "20..10"},
        {"name": "hash", "hash_ranges": "a..b"},
        {"name": "hash", "hash_ranges": "0..99999999999"},
    ],
)
def test_what_is_not_understood(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="partition_provider"):
        partition(**options)
