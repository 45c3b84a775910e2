"""Criteria of one rule: compiled once, checked against each event.

A criterion is ``<path>: {type: <operator>, pattern: <value>}``. All must hold. An event that one of them says "no" to
does not match; where none does but one cannot be checked, the rule has failed for this event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from st2common.errors import ValidationError
from st2common.expressions import regexes, templates
from st2common.rules import paths
from st2common.rules.operators import (
    EQUALS,
    OPERATORS,
    REGEXES,
    SEARCH,
    TAKE_NULL,
    CriterionError,
    Operator,
    kind_of,
)

CONDITIONS = ("any", "all", "all2any", "any2any")


Root = Mapping[str, Any]
Scope = Mapping[str, Any]


class Criterion:
    def __init__(self, key: str, definition: Mapping[str, Any]) -> None:
        """
        Raises:
            CriterionError: it can never be checked.
        """
        self.key = key
        self.path = paths.without_comment(key)
        self.operator = str(definition.get("type"))
        self.pattern = definition.get("pattern")
        #: Two criteria of the same identity have the same answer for the same event.
        self.identity = json.dumps(
            [self.path, self.operator, self.pattern, definition.get("condition")], sort_keys=True, default=str
        )
        self._is_template = isinstance(self.pattern, str) and templates.is_template(self.pattern)
        #: Gives the value that it is about.
        self.find = paths.finder(self.path)
        self._search = _Search(self.pattern, definition.get("condition")) if self.operator == SEARCH else None
        if not self._search and self.operator not in OPERATORS:
            raise CriterionError(f'there is no operator "{self.operator}"')
        self._compare = OPERATORS.get(self.operator)
        #: How the value is compared with the pattern, where that is all that there is to it; else None.
        self.plain_comparison: Operator | None = None if self._is_template or self.pattern is None else self._compare

    def equal_to(self) -> Any:
        """What the value must be equal to, where that is all and is known before; else None."""
        plain = isinstance(self.pattern, str | int | float) and not self._is_template
        return self.pattern if plain and self.operator in EQUALS else None

    def check(self, root: Root, scope: Scope) -> bool:
        """``root`` is what the path is followed in, ``scope`` what a template sees.

        Raises:
            CriterionError, TemplateError: the comparison fails, or the pattern cannot be rendered.
        """
        value = self.find(root)
        if self._search:
            return self._search.check(value, scope)
        pattern = templates.evaluate_strictly(str(self.pattern), scope) if self._is_template else self.pattern
        if pattern is None and self.operator not in TAKE_NULL:
            return False
        assert self._compare  # noqa: S101 - only "search" has none
        return self._compare(value, pattern)


class _Search:
    """Nested criteria on the items of a list. An object counts as a list of itself."""

    def __init__(self, nested: Any, condition: Any) -> None:
        if not isinstance(nested, Mapping):
            raise CriterionError("the pattern of search is criteria on item.<field>")
        if condition not in CONDITIONS:
            raise CriterionError(f"search needs a condition, one of {', '.join(CONDITIONS)}")
        self._condition = condition
        self._nested = [_nested(key, definition) for key, definition in nested.items()]

    def check(self, value: Any, scope: Scope) -> bool:
        items = [value] if isinstance(value, Mapping) else value
        if not isinstance(items, list):
            raise CriterionError(f"the value is {kind_of(value)}, and search is for lists and objects")
        every_criterion = self._condition in ("any", "all")
        met = (self._meets(item, scope, every_criterion) for item in items)
        return any(met) if self._condition in ("any", "any2any") else all(met)

    def _meets(self, item: Any, scope: Scope, every_criterion: bool) -> bool:
        root, seen = {"item": item}, {**scope, "item": item}
        answers = (criterion.check(root, seen) for criterion in self._nested)
        return all(answers) if every_criterion else any(answers)


def _nested(key: str, definition: Any) -> Criterion:
    if not isinstance(definition, Mapping):
        raise CriterionError(f"{key}: an object with type and pattern is expected")
    return Criterion(key, definition)


def check(criteria: Mapping[str, Any]) -> None:
    """Whether these are criteria. What is inside of a ``search`` shows when the rule is used.

    Raises:
        ValidationError: what is wrong first.
    """
    for key, definition in criteria.items():
        place = f'criteria "{key}"'
        if not isinstance(definition, Mapping) or "type" not in definition:
            raise ValidationError(f"{place}: an object with type and pattern is expected")
        operator, pattern = definition["type"], definition.get("pattern")
        if operator != SEARCH and operator not in OPERATORS:
            known = ", ".join(sorted((*OPERATORS, SEARCH)))
            raise ValidationError(f'{place}: there is no operator "{operator}". There are: {known}')
        if pattern is None:
            raise ValidationError(f'{place}: a pattern is missing; operator "{operator}" needs one as all others do')
        try:
            paths.finder(paths.without_comment(key))
            if operator in REGEXES and isinstance(pattern, str) and not templates.is_template(pattern):
                regexes.compiled(pattern)
        except ValidationError as error:
            raise ValidationError(f"{place}: {error}") from None
