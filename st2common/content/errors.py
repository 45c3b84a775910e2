"""The error of content that cannot be registered."""

from __future__ import annotations

from st2common.errors import ValidationError


class ContentError(ValidationError):
    """A file of a pack is not valid. The message names the file, and the line where that is known."""
