"""The official JavaScript client, which chat bots use: a session of it against a platform with authentication."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.platforms import Platform
from tests.official import environments
from tests.official.conftest import PASSWORD, USER

SESSION = Path(__file__).parent / "js" / "session.js"

# Seconds; the client looks once a second when it watches.
_TIMEOUT = 120


@pytest.mark.full
def test_a_session(guarded_platform: Platform) -> None:
    modules = environments.javascript_client()
    urls = guarded_platform.urls
    # This client adds /v1 to all of them but that of the authentication service.
    services = [
        urls["ST2_API_URL"].removesuffix("/v1"),
        urls["ST2_AUTH_URL"],
        urls["ST2_STREAM_URL"].removesuffix("/v1"),
    ]
    words = ["node", str(SESSION), str(modules), *services, USER, PASSWORD]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
