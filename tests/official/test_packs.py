"""Packs, through the official client: what an index says, installing, registering, removing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform
from tests.conditions import eventually
from tests.official.client import TIMEOUT, Client
from tests.official.conftest import Status
from tests.official.gate import Gate, gate_before

pytestmark = pytest.mark.full


@pytest.fixture
def gate(open_platform: Platform) -> Iterator[Gate]:
    with gate_before(open_platform.urls["ST2_STREAM_URL"]) as gate:
        yield gate


def test_packs_are_listed_and_shown(st2: Client) -> None:
    assert {"core", "packs", "examples"} <= {pack["ref"] for pack in st2("pack", "list", "-j").json()}
    assert st2("pack", "get", "core", "-j").json()["name"] == "core"
    assert 'Pack "no_such" is not found.' in st2("pack", "get", "no_such", code=1).out
    assert st2("pack", "show", "demo", "-j").json()["version"] == "0.1.0"
    assert [pack["name"] for pack in st2("pack", "search", "greeting", "-j").json()] == ["demo"]
    assert st2("pack", "show", "no_such").out == "No matching items found\n"
    assert st2("pack", "register", "core", "--types", "actions", "-j").json()["actions"] > 5
    assert "doesn't have a config schema" in st2("pack", "config", "core", code=2).out


def test_a_pack_comes_and_goes_and_its_client_is_late(
    st2: Client, open_platform: Platform, index: Path, gate: Gate, status: Status
) -> None:
    """Each time the work is done before the client listens."""
    installed = st2("pack", "install", "demo")
    assert "actions" in installed.out
    assert "0.1.0" in installed.out
    assert st2.ran("demo.hello")["result"]["stdout"] == "hello"

    late = st2.having(ST2_STREAM_URL=gate.url)
    with late.background("pack", "remove", "demo") as remove:
        gate.wait_for_a_client()
        [execution] = st2("execution", "list", "-n", "1", "-j").json()
        assert execution["action"]["ref"] == "packs.uninstall"
        eventually(lambda: status(execution["id"]) == "succeeded", timeout=TIMEOUT)
        gate.open()
        out, _ = remove.communicate(timeout=TIMEOUT)
    assert (remove.returncode, "A demo" in out) == (0, True), out
    assert st2("pack", "get", "demo", code=1)


def test_installing_what_is_not_there(st2: Client, tmp_path: Path) -> None:
    # Of what went wrong this client shows nothing: it fails over its own output. `execution get last` tells it.
    st2("pack", "install", f"file://{tmp_path}/nothing", code=1)
    failed = st2.execution("last")
    assert failed["status"] == "failed"
    assert f"{tmp_path}/nothing" in str(failed["result"])
