"""What the official client can do and the platform cannot yet: each is a test to write with its resource."""

from __future__ import annotations

import pytest

WORKFLOWS = "the platform has no workflow runners yet (orquesta, action-chain)"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=pytest.mark.skip(reason=reason))
        for command, reason in {
            "execution get <workflow>": WORKFLOWS,
            "execution tail <workflow>": WORKFLOWS,
            "execution pause <workflow>": WORKFLOWS,
            "execution resume <workflow>": WORKFLOWS,
            "execution re-run <workflow> --tasks t": WORKFLOWS,
            "run --show-tasks <workflow>": WORKFLOWS,
        }.items()
    ],
)
def test_command(command: str) -> None:
    raise NotImplementedError(command)
