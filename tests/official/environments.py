"""Environments of the official clients: away from ours, made once, kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Not `.venv`: the clients must not see our packages, nor we theirs.
DIRECTORY = Path(__file__).resolve().parents[2] / ".venv-official"

PYTHON_CLIENT = "st2client==3.9.0"
JAVASCRIPT_CLIENT = "st2client@1.2.6"

# Seconds for an installation over a slow line.
_INSTALL_TIMEOUT = 270


def python_client() -> Path:
    """The program ``st2`` of the official Python client, installed from PyPI where it is missing."""
    environment = DIRECTORY / PYTHON_CLIENT.replace("==", "-")
    installed = environment / ".installed"
    if not installed.exists():
        _run(sys.executable, "-m", "venv", "--clear", str(environment))
        pip = (str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, PYTHON_CLIENT)
        installed.touch()
    return environment / "bin" / "st2"


def javascript_client() -> Path:
    """A directory whose ``node_modules`` has the official JavaScript client, installed by npm where it is missing."""
    environment = DIRECTORY / JAVASCRIPT_CLIENT.replace("@", "-js-")
    installed = environment / ".installed"
    if not installed.exists():
        environment.mkdir(parents=True, exist_ok=True)
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(environment), JAVASCRIPT_CLIENT)
        installed.touch()
    return environment


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT)
    assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}{done.stderr}"
