from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests takes part in them."""
    for name in list(os.environ):
        if name.startswith("ST2_"):
            monkeypatch.delenv(name)
