"""What is wrong with a definition of a workflow, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from st2common.errors import ValidationError

Place = tuple[str | int, ...]

# Characters of a message: it may quote a whole file.
_LONGEST = 500

Kind = Literal["content", "context", "expression", "semantic", "syntax"]


@dataclass(frozen=True)
class Problem:
    """One fault of a definition, found before anything runs."""

    kind: Kind
    message: str
    #: Where it stands in the definition: ``("tasks", "check", "next", 0, "when")``.
    place: Place = ()
    #: Which rule of the language it breaks, as a path of a JSON Schema.
    schema_path: str = ""
    expression: str | None = None
    language: Literal["yaql", "jinja"] | None = None
    #: From 1; None where the definition did not come as text.
    line: int | None = None

    @property
    def spec_path(self) -> str:
        """``tasks.check.next[0].when``."""
        return path(self.place)

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "type": self.kind,
            "message": self.message,
            "spec_path": self.spec_path,
            "schema_path": self.schema_path,
        }
        more = {"expression": self.expression, "language": self.language, "line": self.line}
        return shown | {name: value for name, value in more.items() if value is not None}


class InvalidWorkflow(ValidationError):
    """The definition of the workflow is not valid."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = "; ".join(f"{problem.spec_path or 'the file'}: {problem.message}" for problem in problems[:3])
        rest = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        super().__init__(f"The definition of the workflow is not valid: {shown}{rest}")


def syntax_problems(schema: Draft4Validator, definition: Any) -> list[Problem]:
    """What does not fit the form of the language."""
    problems = []
    for found in schema.iter_errors(definition):
        # Of the forms that a value may have, the one that it comes closest to.
        error = best_match([found]) or found
        problems.append(
            Problem(
                kind="syntax",
                message=error.message if len(error.message) <= _LONGEST else error.message[:_LONGEST] + "...",
                place=tuple(error.absolute_path),
                schema_path=path(error.absolute_schema_path),
            )
        )
    return problems


def path(steps: Iterable[str | int]) -> str:
    """``["tasks", "check", "next", 0]`` -> ``tasks.check.next[0]``."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
