"""Documents that a person has written into a file."""

from __future__ import annotations

from typing import Any

from st2cli.errors import CommandError


def load(path: str) -> dict[str, Any]:
    """The object in a JSON or YAML file; ``-`` is standard input.

    Raises:
        CommandError: it cannot be read, or holds something else.
    """
    from st2cli.key_files import parsed

    content = parsed(path)
    if not isinstance(content, dict):
        raise CommandError(f"{path} holds no object.")
    return content
