"""What a template may use up: the sandbox forbids what is dangerous, this what is endless or huge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

#: Times that the loops of one template go round, all together.
MAX_ROUNDS = 100_000
#: Characters or items that a repetition may make, and bits of a power.
MAX_SIZE = 10_000_000
MAX_BITS = 4096

_COUNTED = "__counted"
_ROUNDS = "__rounds"


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters[_COUNTED] = _counted

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * max(right, 0) > MAX_BITS:
                raise OverflowError("the number is too large")
        elif operator == "*":
            for one, other in ((left, right), (right, left)):
                repeats = isinstance(one, str | bytes | list | tuple) and isinstance(other, int)
                if repeats and len(one) * other > MAX_SIZE:
                    raise OverflowError("the repetition is too long")
        return super().call_binop(context, operator, left, right)


def limit_loops(tree: nodes.Template) -> nodes.Template:
    """``tree`` with loops that count their rounds."""
    _Counter().visit(tree)
    return tree


class _Counter(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - named by jinja
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _COUNTED, [], [], None, None, lineno=node.lineno)
        return node


@jinja2.pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterable[Any]:
    rounds = context.vars.setdefault(_ROUNDS, [0])

    def counting() -> Iterator[Any]:
        for item in items:
            rounds[0] += 1
            if rounds[0] > MAX_ROUNDS:
                raise OverflowError(f"the loops go round more than {MAX_ROUNDS} times")
            yield item

    return counting()
