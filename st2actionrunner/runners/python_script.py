"""``python-script``: a Python class of a pack, in a process of its own: :mod:`st2common.runners.python_action`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from st2actionrunner.launch import Launch, Outcome, PythonParent, RunnerError, RunRequest
from st2actionrunner.runners.entry_point import entry_point, release
from st2actionrunner.runners.environment import platform_variables, user_variables
from st2actionrunner.runners.results import explain, is_storable, return_code
from st2actionrunner.runners.settings import RunnerSettings
from st2actionrunner.runners.timeouts import timeout_of
from st2common.models.statuses import Status
from st2common.runners.python_action import INVALID_STATUS_EXIT_CODE
from st2common.runners.python_environment import (
    NoVirtualenv,
    import_path,
    in_virtualenv,
    public_part,
    site_packages,
    virtualenv_of,
)

WRAPPER = "st2common.runners.python_action"

#: ``result`` of a process that left none.
NO_RESULT = "None"

# An action with this tag stands in for a workflow: what it returns is the result's ``output`` too, where clients of
# workflows look for it.
_OUTPUT_TAG = {"name": "result", "value": "output"}
# The pack whose actions change content, and so have to know where it lies.
_PACKS = "packs"

# Bytes. The database takes no document over 16 MiB, and there is more in an execution than its result.
_LARGEST_RESULT = 14 * 1024 * 1024

# An interpreter, its C library and its allocator read these when they start: a fork of a running one would not.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_")


class PythonScript:
    """Runner of ``python-script``."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings

    def prepare(self, run: RunRequest) -> Launch:
        virtualenv = self._virtualenv(run.action["pack"])
        python = str(virtualenv / "bin" / "python") if virtualenv else self._settings.python
        file_path = entry_point(run)
        path = self._import_path(run, virtualenv)
        user = user_variables(run)
        # The platform's own modules are found through it.
        user.pop("PYTHONPATH", None)
        return Launch(
            # -P: the working directory is no place to import from.
            argv=[python, "-P", "-u", "-m", WRAPPER],
            env=self._environment(run, virtualenv, path, user),
            stdin=self._request(run, file_path, virtualenv),
            timeout=timeout_of(run),
            parent=None if _needs_fresh_interpreter(user) else PythonParent(python, path, _watched(virtualenv)),
        )

    def conclude(self, run: RunRequest, outcome: Outcome) -> tuple[Status, dict[str, Any]]:
        release(run)
        code = return_code(outcome.exit)
        if outcome.result is not None and len(outcome.result) > _LARGEST_RESULT:
            return Status.FAILED, {"error": f"The result is larger than {_LARGEST_RESULT} bytes.", "exit_code": code}
        if code == INVALID_STATUS_EXIT_CODE:
            return Status.FAILED, {"error": outcome.stderr, "traceback": _traceback(outcome.stderr)}
        written = _written(outcome.result)
        result: dict[str, Any] = {
            "result": written.get("result", NO_RESULT),
            "exit_code": code,
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
        }
        if _OUTPUT_TAG in (run.action.get("tags") or ()):
            result["output"] = result["result"]
        if (error := explain(outcome.exit, timeout_of(run))) is not None:
            result["error"] = error
        if outcome.exit.timed_out:
            return Status.TIMEOUT, result
        succeeded = code == 0 and written.get("status") is not False
        return Status.SUCCEEDED if succeeded else Status.FAILED, result

    def _virtualenv(self, pack: str) -> Path | None:
        try:
            return virtualenv_of(self._settings.virtualenvs, pack)
        except NoVirtualenv as error:
            raise RunnerError(str(error)) from None

    def _import_path(self, run: RunRequest, virtualenv: Path | None) -> tuple[str, ...]:
        common = run.pack_path / "lib" if run.pack_path and self._settings.enable_common_libs else None
        # Packs without a library of their own share a parent.
        own = run.pack_path / "actions" / "lib" if run.pack_path else None
        inherited = os.environ.get("PYTHONPATH", "")
        own = own if own and own.is_dir() else None
        return import_path(virtualenv, common, own, inherited, self._settings.platform_path)

    def _environment(
        self, run: RunRequest, virtualenv: Path | None, path: tuple[str, ...], user: dict[str, str]
    ) -> dict[str, str]:
        environment = in_virtualenv(public_part(os.environ) | user | platform_variables(run), virtualenv)
        environment["PYTHONPATH"] = os.pathsep.join(path)
        if run.action["pack"] == _PACKS:
            environment.update(self._settings.content_options)
        environment["ST2_API_URL"] = run.api_url
        if run.auth_token:
            environment["ST2_AUTH_TOKEN"] = run.auth_token
        return environment

    def _request(self, run: RunRequest, file_path: Path, virtualenv: Path | None) -> bytes:
        """What the wrapper reads."""
        pack, level = run.action["pack"], run.runner_parameters.get("log_level")
        packages = site_packages(virtualenv) if virtualenv else None
        return json.dumps(
            {
                "pack": pack,
                "file_path": str(file_path),
                "parameters": dict(run.action_parameters),
                "config": dict(run.pack_config),
                "config_path": str(self._settings.configs / f"{pack}.yaml"),
                # "DEBUG" is the default of the runner type: whoever left it at that gets what the administrator chose.
                "log_level": level if level and level != "DEBUG" else self._settings.python_log_level,
                "result_path": str(run.directory / "result"),
                "site_paths": [str(packages)] if packages else [],
            }
        ).encode()


def _needs_fresh_interpreter(user: dict[str, str]) -> bool:
    return any(name == "TZ" or name.startswith(_READ_AT_START) for name in user)


def _watched(virtualenv: Path | None) -> str | None:
    """Installing a requirement changes this directory."""
    packages = site_packages(virtualenv) if virtualenv else None
    return str(packages) if packages else None


def _written(result: bytes | None) -> dict[str, Any]:
    """What the wrapper wrote: {"result": ..., "status": true | false | null}; nothing if it did not come so far."""
    try:
        written = json.loads(result or b"{}")
    except (ValueError, RecursionError):
        # Cut short: the process was ended while it wrote. Or lists in lists without end.
        return {}
    if not isinstance(written, dict):
        return {}
    if "result" in written and not is_storable(written["result"]):
        written["result"] = json.dumps(written["result"])
    return written


def _traceback(text: str) -> str:
    start = text.find("Traceback (most recent call last)")
    return text[start:] if start >= 0 else ""
