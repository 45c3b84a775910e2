"""The enabled rules of one trigger, and which of them an event matches.

Made for many rules: what several rules ask alike is checked once for an event, and rules that ask for a certain value
of a field are looked up by the value that the event has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from st2common.errors import ValidationError
from st2common.models.connection import Document
from st2common.models.rules import BACKSTOP
from st2common.rules import paths
from st2common.rules.criteria import Criterion


class Event:
    """What an event says, and the datastore: ``root`` is what paths are followed in, ``scope`` what templates see."""

    def __init__(self, payload: Mapping[str, Any], st2kv: Any) -> None:
        self.payload = payload
        system = getattr(st2kv, "system", {})
        self.root: Mapping[str, Any] = {"trigger": payload, "system": _Keys(system)}
        self.scope: Mapping[str, Any] = {"trigger": payload, "st2kv": st2kv, "system": system}


class _Keys(Mapping[str, Any]):
    """The datastore as paths see it: a missing key is null."""

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> Any:
        return self._scope[name] or None

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] or default

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True)
class Match:
    """A rule that an event matches, or for which that cannot be told."""

    rule: Document
    #: Why it cannot be told.
    error: str | None = None


@dataclass(frozen=True)
class _Compiled:
    rule: Document
    #: Numbers of its criteria among those of all rules.
    criteria: tuple[int, ...]
    #: Why its criteria can never be checked.
    broken: str | None = None
    #: Place in the order in which rules are told.
    order: int = 0

    @property
    def is_backstop(self) -> bool:
        return bool((self.rule.get("type") or {}).get("ref") == BACKSTOP)


class Matcher:
    """The rules of one trigger."""

    def __init__(self, rules: Sequence[Document]) -> None:
        """``rules``: enabled ones, in their API form."""
        self._criteria: list[Criterion] = []
        self._numbers: dict[str, int] = {}
        compiled = [self._compile(rule, order) for order, rule in enumerate(rules)]
        self._backstops = _Rules([rule for rule in compiled if rule.is_backstop], self._criteria)
        self._standard = _Rules([rule for rule in compiled if not rule.is_backstop], self._criteria)

    def match(self, event: Event) -> list[Match]:
        """The rules that the event matches, and those that have failed for it, in their order.

        Those of type ``backstop`` are asked only where no other one matches.
        """
        answers: list[Any] = [None] * len(self._criteria)
        found = self._standard.match(event, answers)
        if self._backstops and all(match.error for match in found):
            found += self._backstops.match(event, answers)
        return found

    def _compile(self, rule: Document, order: int) -> _Compiled:
        numbers = []
        try:
            for key, definition in (rule.get("criteria") or {}).items():
                numbers.append(self._number(Criterion(key, definition)))
        except ValidationError as error:
            return _Compiled(rule, (), f"criteria: {error}", order)
        return _Compiled(rule, tuple(numbers), order=order)

    def _number(self, criterion: Criterion) -> int:
        number = self._numbers.setdefault(criterion.identity, len(self._criteria))
        if number == len(self._criteria):
            self._criteria.append(criterion)
        return number


class _Rules:
    """Rules of one type. Those with an ``equals`` are found by the value of that field, the others by the first of
    their criteria, which many may share."""

    def __init__(self, rules: Sequence[_Compiled], criteria: list[Criterion]) -> None:
        self._criteria = criteria
        self._count = len(rules)
        # Rules without criteria, and those that are broken.
        self._always: list[_Compiled] = []
        # {path: {value: rules that ask for it}}
        self._by_value: dict[str, dict[Any, list[_Compiled]]] = {}
        # {path: {number of a criterion: rules that have it first}}
        self._by_first: dict[str, dict[int, list[_Compiled]]] = {}
        for rule in rules:
            self._place(rule)

    def __len__(self) -> int:
        return self._count

    def match(self, event: Event, answers: list[Any]) -> list[Match]:
        found: list[tuple[int, Match]] = []
        for rule in self._candidates(event, answers):
            match = self._check(rule, event, answers)
            if match:
                found.append((rule.order, match))
        found.sort(key=lambda each: each[0])
        return [match for _, match in found]

    def _place(self, rule: _Compiled) -> None:
        if not rule.criteria:
            self._always.append(rule)
            return
        for number in rule.criteria:
            criterion = self._criteria[number]
            value = criterion.equal_to()
            if value is not None:
                self._by_value.setdefault(criterion.path, {}).setdefault(value, []).append(rule)
                return
        first = rule.criteria[0]
        self._by_first.setdefault(self._criteria[first].path, {}).setdefault(first, []).append(rule)

    def _candidates(self, event: Event, answers: list[Any]) -> Iterator[_Compiled]:
        yield from self._always
        if not event.payload:
            return
        for path, rules in self._by_value.items():
            value = paths.finder(path)(event.root)
            # Lists and objects are equal to none of the values.
            if isinstance(value, str | int | float):
                yield from rules.get(value, ())
        for path, firsts in self._by_first.items():
            value = paths.finder(path)(event.root)
            for number, first_rules in firsts.items():
                if answers[number] is None:
                    answers[number] = self._answer(number, event, value)
                if answers[number] is not False:
                    yield from first_rules

    def _check(self, rule: _Compiled, event: Event, answers: list[Any]) -> Match | None:
        """``answers``: what is known already of each criterion, True, False or the reason why it cannot be told."""
        error = rule.broken
        for number in rule.criteria:
            answer = answers[number]
            if answer is None:
                answer = answers[number] = self._answer(number, event, self._criteria[number].find(event.root))
            if answer is False:
                return None
            if answer is not True:
                error = error or answer
        return Match(rule.rule, error)

    def _answer(self, number: int, event: Event, value: Any) -> Any:
        """``value``: what the criterion is about."""
        criterion = self._criteria[number]
        try:
            if compare := criterion.plain_comparison:
                return compare(value, criterion.pattern)
            return criterion.check(event.root, event.scope)
        except ValidationError as error:
            return f'criteria "{criterion.key}": {error}'
