"""One path for each resource, whatever prefix and trailing slash the client writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

# What a WSGI server passes and takes.
Environ = dict[str, Any]


class CanonicalPaths:
    """WSGI: strips the first matching prefix and trailing slashes; redirects would break clients that POST.

    Routes are declared without prefix; ``/v1/executions/``, ``/executions`` and ``/api/v1/executions`` arrive alike.
    """

    def __init__(self, application: Any, prefixes: Sequence[str]) -> None:
        self._application = application
        # The longest first, so that a prefix that starts another one does not hide it.
        self._prefixes = sorted(prefixes, key=len, reverse=True)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["st2.path"] = path
        environ["PATH_INFO"] = self._canonical(path)
        result: Iterable[bytes] = self._application(environ, start_response)
        return result

    def _canonical(self, path: str) -> str:
        path = path.rstrip("/")
        for prefix in self._prefixes:
            if path == prefix or path.startswith(prefix + "/"):
                return path[len(prefix) :] or "/"
        return path or "/"
