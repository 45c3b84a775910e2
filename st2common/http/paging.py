"""Lists: ``limit`` and ``offset``, the selection of attributes, and the headers that tell the whole count."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response

from st2common.errors import ValidationError
from st2common.http import query
from st2common.http.responses import answer

Document = dict[str, Any]

# Where a request names no limit; resources whose lists are short pass None.
DEFAULT_LIMIT = 100
# A database takes no larger skip or limit.
_MAX_OFFSET = 2**31 - 1


@dataclass(frozen=True)
class Page:
    #: None: everything.
    limit: int | None
    offset: int

    @classmethod
    def of_request(cls, default_limit: int | None = DEFAULT_LIMIT) -> Page:
        """
        Raises:
            ValidationError: limit or offset is no integer or out of range. ``limit=-1`` asks for everything.
        """
        limit = query.integer("limit")
        offset = query.integer("offset") or 0
        if limit is None:
            limit = default_limit
        elif limit == -1:
            limit = None
        elif limit < 1:
            raise ValidationError(f'Limit, "{limit}" specified, must be a positive number.')
        if not 0 <= offset <= _MAX_OFFSET:
            raise ValidationError(f'Offset, "{offset}" specified, must be a positive number.')
        return cls(min(limit, _MAX_OFFSET) if limit else None, offset)

    def cut(self, items: list[Document]) -> list[Document]:
        end = None if self.limit is None else self.offset + self.limit
        return items[self.offset : end]

    def answer(self, items: list[Document], total: int) -> Response:
        """``items`` are those of this page, ``total`` counts the matches of all pages."""
        response = answer(items)
        response.headers["X-Total-Count"] = str(total)
        if self.limit is not None:
            response.headers["X-Limit"] = str(self.limit)
        return response


@dataclass(frozen=True)
class Attributes:
    """Which fields the client wants: paths such as ``action.ref``. The selection works on the first component."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def of_request(cls, known: Collection[str], may_exclude: Collection[str]) -> Attributes:
        """
        Raises:
            ValidationError: both lists are given, or one names a field that the resource does not have.
        """
        include = query.comma_list("include_attributes")
        exclude = query.comma_list("exclude_attributes")
        if include and exclude:
            raise ValidationError(
                "exclude_fields and include_fields arguments are mutually exclusive. "
                "You need to provide either one or another, but not both."
            )
        for path in include:
            if path.split(".")[0] not in known:
                raise ValidationError(f"Invalid or unsupported include attribute specified: {path}")
        for path in exclude:
            if path.split(".")[0] not in may_exclude:
                raise ValidationError(f"Invalid or unsupported exclude attribute specified: {path}")
        return cls(tuple(include), tuple(exclude))

    def wanted(self, name: str) -> bool:
        """Whether the top-level field is asked for, wholly or in part."""
        if self.include:
            return any(path.split(".")[0] == name for path in self.include)
        return name not in self.exclude

    def partly(self, name: str) -> bool:
        """Whether only parts of the top-level field are asked for."""
        return bool(self.include) and name not in self.include and self.wanted(name)

    def select(self, item: Mapping[str, Any], always: Collection[str] = ("id",)) -> Document:
        """The asked fields of ``item``, and those that are always there."""
        return {name: value for name, value in item.items() if name in always or self.wanted(name)}
