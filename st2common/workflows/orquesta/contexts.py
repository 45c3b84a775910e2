"""The variables of the branches of a workflow.

Each branch sees its own values: what one publishes, the others do not see. Where branches meet, the value that was
published last wins, variable by variable; a branch that only inherited a variable overwrites nothing.
So every value has a number, in the order of publication, and a context maps names to numbers. A context that adds few
variables to another one names it as its base, so that a long workflow does not copy its variables at each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Bases in a row until the next context is written out in full.
_MAX_DEPTH = 16

_Numbers = dict[str, int]


class Contexts:
    """All contexts of one execution; each is known by a number."""

    def __init__(self, stored: Mapping[str, Any] | None = None) -> None:
        stored = stored or {}
        self._next: int = stored.get("next", 0)
        self._values: dict[str, Any] = dict(stored.get("values", {}))
        # [base or None, depth, {name: number of its value}]
        self._layers: dict[str, list[Any]] = dict(stored.get("layers", {}))

    def stored(self, used: Iterable[int]) -> dict[str, Any]:
        """As JSON: those contexts that are still ``used``, what they are based on, and their values."""
        layers: dict[str, list[Any]] = {}
        waiting: list[int | None] = list(used)
        while waiting:
            number = waiting.pop()
            if number is not None and str(number) not in layers:
                layers[str(number)] = layer = self._layers[str(number)]
                waiting.append(layer[0])
        kept = {str(number) for layer in layers.values() for number in layer[2].values()}
        values = {number: value for number, value in self._values.items() if number in kept}
        return {"next": self._next, "values": values, "layers": layers}

    def extend(self, base: int | None, values: Mapping[str, Any]) -> int:
        """The context ``base`` with ``values`` published to it."""
        if base is not None and not values:
            return base
        numbers: _Numbers = {}
        for name, value in values.items():
            numbers[name] = self._number()
            self._values[str(numbers[name])] = value
        return self._add(base, numbers)

    def merge(self, contexts: Iterable[int]) -> int:
        """The context of a branch that goes on where ``contexts`` meet."""
        first, *others = dict.fromkeys(contexts)
        merged = mine = self._numbers(first)
        for other in others:
            theirs = self._numbers(other)
            merged = {name: max(merged.get(name, -1), theirs.get(name, -1)) for name in (*merged, *theirs)}
        changed = {name: number for name, number in merged.items() if mine.get(name) != number}
        return self._add(first, changed) if changed else first

    def read(self, context: int) -> dict[str, Any]:
        """The variables of a context."""
        return {name: self._values[str(number)] for name, number in self._numbers(context).items()}

    def _add(self, base: int | None, numbers: _Numbers) -> int:
        depth = 0 if base is None else self._layers[str(base)][1] + 1
        if base is not None and depth > _MAX_DEPTH:
            numbers = {**self._numbers(base), **numbers}
            base, depth = None, 0
        number = self._number()
        self._layers[str(number)] = [base, depth, numbers]
        return number

    def _numbers(self, context: int) -> _Numbers:
        found: _Numbers = {}
        number: int | None = context
        while number is not None:
            number, _, numbers = self._layers[str(number)]
            found = {**numbers, **found}
        return found

    def _number(self) -> int:
        self._next += 1
        return self._next
