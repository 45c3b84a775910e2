"""What follows from the tasks and their transitions alone: where a workflow begins, where branches part and meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from st2common.workflows.orquesta.spec import Task


class Graph:
    """The tasks of a workflow as nodes, the ``do`` of their transitions as edges."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self.following = {name: [to for to in task.following() if to in tasks] for name, task in tasks.items()}
        #: Of each task, the tasks that have a transition to it.
        self.sources: dict[str, list[str]] = {name: [] for name in tasks}
        for name, following in self.following.items():
            for to in following:
                self.sources[to].append(name)
        self._joins = {name for name, task in tasks.items() if task.join is not None}

    @cached_property
    def starts(self) -> list[str]:
        """The tasks that no transition points to, in the order of the definition."""
        return [name for name, sources in self.sources.items() if not sources]

    @cached_property
    def splits(self) -> frozenset[str]:
        """Tasks that several others lead to and that do not wait for them: each branch has its own run of them and of
        all that follows. A task in a cycle is none: it is visited again."""
        several = {name for name, sources in self.sources.items() if len(sources) > 1}
        return frozenset(several - self._joins - self.in_cycles)

    @cached_property
    def in_cycles(self) -> frozenset[str]:
        """Tasks that lead back to themselves."""
        return frozenset(
            name
            for part in self._strongly_connected()
            for name in part
            if len(part) > 1 or name in self.following[name]
        )

    def splits_before(self, name: str) -> set[str]:
        """The :attr:`splits` on the ways that lead to a task, itself included."""
        before: set[str] = set()
        waiting = [name] if self.splits else []
        while waiting:
            at = waiting.pop()
            if at not in before:
                before.add(at)
                waiting.extend(self.sources[at])
        return before & self.splits

    def reachable(self, names: Iterable[str], without: str | None = None) -> set[str]:
        """``names`` and the tasks that transitions lead to from them, on ways that do not go through ``without``."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(to for to in self.following[name] if to != without)
        return found

    def _strongly_connected(self) -> Iterable[list[str]]:
        """Kosaraju's algorithm: the tasks of each part can all be reached from each other."""
        order: list[str] = []
        seen: set[str] = set()
        for root in self.following:
            waiting = [(root, False)]
            while waiting:
                name, left = waiting.pop()
                if left:
                    order.append(name)
                elif name not in seen:
                    seen.add(name)
                    waiting.append((name, True))
                    waiting.extend((to, False) for to in self.following[name])
        assigned: set[str] = set()
        for root in reversed(order):
            part: list[str] = []
            backwards = [root]
            while backwards:
                name = backwards.pop()
                if name not in assigned:
                    assigned.add(name)
                    part.append(name)
                    backwards.extend(self.sources[name])
            if part:
                yield part
