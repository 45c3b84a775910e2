"""What was shown of a workflow: of each of its steps, up to where."""

from __future__ import annotations

from typing import Any

# Executions whose places are told to the server when the stream goes on: as many as it takes in one list. What it sends
# again of the others is left out here.
MAX_TOLD = 100
# Behind every part of a chunk.
_WHOLE = 2**31


class Places:
    def __init__(self) -> None:
        #: (number, part) of the last output of each execution, the latest last.
        self._seen: dict[str, tuple[int, int]] = {}
        self._paths: dict[str, str] = {}
        self._ended: set[str] = set()

    def starts(self, document: dict[str, Any]) -> bool:
        """Whether a step begins that was not known."""
        execution_id = str(document["execution_id"])
        new = execution_id not in self._paths
        self._paths[execution_id] = str(document.get("path") or "")
        return new

    def ends(self, execution_id: str) -> bool:
        """Whether a step has ended that had not."""
        new = execution_id not in self._ended
        self._ended.add(execution_id)
        return new

    def adds(self, document: dict[str, Any]) -> bool:
        """Whether output is new."""
        execution_id, _, cursor = str(document["id"]).partition(":")
        number, _, part = cursor.partition(".")
        place = int(number), int(part) if part else _WHOLE
        if place <= self._seen.get(execution_id, (0, 0)):
            return False
        self._seen.pop(execution_id, None)
        self._seen[execution_id] = place
        return True

    def path(self, execution_id: str) -> str:
        return self._paths.get(execution_id, "")

    def since(self) -> str:
        """What the server need not send again."""
        latest = [*self._seen.items()][-MAX_TOLD:]
        return ",".join(f"{execution_id}:{number - (part != _WHOLE)}" for execution_id, (number, part) in latest)
