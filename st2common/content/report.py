"""What registration has done, and the pack that it is at."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from st2common.content.overrides import Overrides
from st2common.errors import ValidationError

LOG = logging.getLogger(__name__)


@dataclass
class Report:
    """How many of each kind are registered, and a line for each file that is not."""

    counts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, kind: str, count: int) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + count

    @contextmanager
    def collecting(self, path: Path) -> Iterator[None]:
        """Turns an error of the file ``path`` into a line of the report."""
        try:
            yield
        except ValidationError as error:
            text = str(error)
            line = text if text.startswith(str(path)) else f"{path}: {text}"
            LOG.error("%s", line)
            self.errors.append(line)


@dataclass(frozen=True)
class PackContent:
    """A pack whose files are being registered."""

    reference: str
    directory: Path
    overrides: Overrides
    #: The administrator's configuration of the pack; it need not be there.
    config_file: Path
