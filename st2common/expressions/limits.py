"""What a template may use up: the sandbox forbids what is dangerous, this what is endless or huge.

Whatever makes something (an operator, a filter, a call, an output) first looks how large it would be, and counts what
it made. What is left (a search in a long text, say) is bounded by the time that one rendering may take.
"""

from __future__ import annotations

import functools
import re
import string
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.filters import sync_do_join, sync_do_sum
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

#: Rounds of the loops of one rendering, and calls of macros and methods, all together.
MAX_ROUNDS = 100_000
#: Characters and items that one value may have, and all together that one rendering makes. An item counts as _ITEM
#: characters there: that is what it takes in memory.
MAX_SIZE = 16_000_000
MAX_ALL = 4 * MAX_SIZE
_ITEM = 8
#: Bits of a product or a power.
MAX_BITS = 4096
#: Seconds of processor time of one rendering.
MAX_SECONDS = 10.0
# How many looks at the clock are left out.
_LOOKS = 16
# Columns, digits and the like that something is formatted to.
_MAX_WIDTH = 10_000
# What the slow filters get.
_MAX_SLOW = 1_000_000

_COUNTED = "__counted"
_JOINED = "__joined"
_SPENT = "__spent"

# Filters that look at a part of what they get, or pass it on as it is.
_SHALLOW = frozenset(
    {"attr", "count", "d", "default", "first", "items", "last", "length", "list", "map", "reject", "rejectattr"}
    | {"reverse", "select", "selectattr"}
)
_SLOW = frozenset({"pprint", "striptags", "title", "urlize", "wordwrap", "xmlattr"})
_WIDE = frozenset({"batch", "center", "indent", "round", "slice", "truncate", "wordwrap"})
_NESTED = (dict, list, tuple, set, frozenset)
_PADDING = frozenset({"center", "expandtabs", "ljust", "rjust", "to_bytes", "zfill"})

# A width of more than four digits, or one that is an argument.
_WIDE_PERCENT = re.compile(r"%[^%a-zA-Z]*(?:\*|[0-9]{5})")
_WIDE_SPEC = re.compile(r"\{|[0-9]{5}")


class _Spent:
    """What one rendering has used up."""

    def __init__(self) -> None:
        self._rounds = 0
        self._made = 0
        self._looks = 0
        self._until = time.thread_time() + MAX_SECONDS

    def round(self) -> None:
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise OverflowError(f"the loops and calls go round more than {MAX_ROUNDS} times")
        self.look()

    def look(self) -> None:
        self._looks += 1
        # The clock costs more than most of what is looked at.
        if not self._looks % _LOOKS and time.thread_time() > self._until:
            raise OverflowError(f"it takes longer than {MAX_SECONDS:.0f} seconds")

    def made(self, value: Any) -> Any:
        if isinstance(value, str | bytes):
            self.makes(len(value))
        elif isinstance(value, list | tuple | dict):
            self.makes(len(value) * _ITEM)
        return value

    def makes(self, size: int) -> None:
        self._made += checked_size(size)
        if self._made > MAX_ALL:
            raise OverflowError(f"it makes more than {MAX_ALL} characters")


def checked_size(size: int, most: int = MAX_SIZE) -> int:
    """
    Raises:
        OverflowError: that is too much.
    """
    if size > most:
        raise OverflowError(f"the value is too long: more than {most} characters or items")
    return size


def weight(value: Any) -> int:
    """Characters and items of a value, as long as it would be as text. Each object is looked at once, however often it
    is a part of others."""
    return _weight(value, {})


def _weight(value: Any, known: dict[int, int]) -> int:
    if isinstance(value, str | bytes):
        return len(value) + 1
    if not isinstance(value, _NESTED):
        return 1
    identity = id(value)
    if identity not in known:
        known[identity] = 1
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        known[identity] = 1 + sum(_weight(part, known) for part in parts)
    return known[identity]


class _Context(Context):
    def __init__(self, environment: jinja2.Environment, parent: dict[str, Any], *more: Any, **options: Any) -> None:
        # One that is derived from another has its names too.
        self.spent: _Spent = parent.setdefault(_SPENT, _Spent())
        super().__init__(environment, parent, *more, **options)


def _spent(context: Context) -> _Spent:
    assert isinstance(context, _Context)  # noqa: S101 - the environment's
    return context.spent


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    context_class = _Context
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, filters: Mapping[str, Callable[..., Any]], **options: Any) -> None:
        super().__init__(finalize=_shown, **options)
        del self.globals["lipsum"]
        self.filters.update(filters)
        self.filters.update(join=_join, sum=_sum)
        self.filters = {name: _limited(name, function) for name, function in self.filters.items()}
        self.filters |= {_COUNTED: _counted, _JOINED: _joined}
        tests: Any = self.tests
        self.tests = {name: _watched(test) for name, test in tests.items()}
        self.concat = _concat  # type: ignore[method-assign]

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        spent = _spent(context)
        if operator == "%" and isinstance(left, str):
            _check_percent(left)
        elif isinstance(left, int) and isinstance(right, int):
            _check_number(operator, left, right)
        elif operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, str | bytes | list | tuple) and isinstance(other, int):
                    checked_size(len(one) * other)
        elif operator == "+" and isinstance(left, str | bytes | list | tuple) and hasattr(right, "__len__"):
            checked_size(len(left) + len(right))
        return spent.made(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as jinja has it
        spent = _spent(__context)
        spent.round()
        if isinstance(getattr(__obj, "__self__", None), str | bytes | int):
            args = _checked_arguments(__obj, args, kwargs)
        return spent.made(super().call(__context, __obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Any:
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            for _, _, spec, _ in string.Formatter().parse(value.__self__):
                if spec and _WIDE_SPEC.search(spec):
                    raise OverflowError("the width is too large")
        return wrapped


def limit(tree: nodes.Template) -> nodes.Template:
    """``tree`` with loops that count their rounds, and concatenations that look how long they become."""
    _Limiter().visit(tree)
    return tree


class _Limiter(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - named by jinja
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _COUNTED, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - named by jinja
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, _JOINED, [], [], None, None, lineno=node.lineno)


def _check_number(operator: str, left: int, right: int) -> None:
    bits = left.bit_length() * max(right, 0) if operator == "**" else left.bit_length() + right.bit_length()
    if bits > MAX_BITS:
        raise OverflowError("the number is too large")


def _check_percent(text: str) -> None:
    if _WIDE_PERCENT.search(text):
        raise OverflowError("the width is too large")


def _checked_arguments(method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments for a method of a text or a number that may make a long one."""
    owner, name = method.__self__, method.__name__
    if name in _PADDING:
        times = owner.count(type(owner)(b"\t") if isinstance(owner, bytes) else "\t") if name == "expandtabs" else 1
        for width in (*args, *kwargs.values()):
            checked_size(times * width if isinstance(width, int) else 0)
    elif name == "replace" and len(args) > 1:
        checked_size(len(owner) + owner.count(args[0]) * len(args[1]))
    elif name == "translate" and args and isinstance(args[0], dict):
        checked_size(len(owner) * max((len(new) for new in args[0].values() if isinstance(new, str)), default=1))
    elif name == "join" and args and isinstance(args[0], str):
        checked_size(len(args[0]) * (1 + len(owner)))
    elif name == "join" and args:
        items = list(args[0])
        checked_size(weight(items) + len(owner) * len(items))
        return (items, *args[1:])
    return args


def _limited(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that gets nothing too large, and whose result counts."""
    passed = getattr(function, "jinja_pass_arg", None)
    most = _MAX_SLOW if name in _SLOW else MAX_SIZE

    @jinja2.pass_context
    @functools.wraps(function)
    def limited(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        spent = _spent(context)
        spent.look()
        if name not in _SHALLOW:
            checked_size(weight([value, *args, *kwargs.values()]), most)
        if name in _WIDE and any(isinstance(one, int) and abs(one) > _MAX_WIDTH for one in (*args, *kwargs.values())):
            raise OverflowError("the width is too large")
        if name == "indent":
            checked_size(str(value).count("\n") * max((_width(one) for one in (*args, *kwargs.values())), default=4))
        elif name == "format":
            _check_percent(str(value))
        elif name == "replace" and len(args) > 1:
            checked_size(len(str(value)) + str(value).count(str(args[0])) * len(str(args[1])))
        first = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
        given = [first[passed.name]] if passed else []
        return spent.made(function(*given, value, *args, **kwargs))

    return limited


def _width(argument: Any) -> int:
    return len(argument) if isinstance(argument, str) else int(argument)


@jinja2.pass_context
def _shown(context: Context, value: Any) -> Any:
    """What goes into the text that is rendered."""
    if isinstance(value, str):
        _spent(context).makes(len(value))
    elif isinstance(value, _NESTED):
        _spent(context).makes(weight(value))
    return value


def _concat(pieces: Iterable[str]) -> str:
    parts: list[str] = []
    size = 0
    for piece in pieces:
        size = checked_size(size + len(piece))
        parts.append(piece)
    return "".join(parts)


@jinja2.pass_context
def _joined(context: Context, parts: list[Any]) -> str:
    checked_size(weight(parts))
    made: str = _spent(context).made("".join(map(str, parts)))
    return made


@jinja2.pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterable[Any]:
    spent = _spent(context)

    def counting() -> Iterator[Any]:
        for item in items:
            spent.round()
            yield item

    return counting()


def _watched(test: Callable[..., Any]) -> Callable[..., Any]:
    """A test that looks at the clock: a filter may ask it a hundred thousand times."""
    passed = getattr(test, "jinja_pass_arg", None)

    @jinja2.pass_context
    @functools.wraps(test)
    def watched(context: Context, *args: Any) -> Any:
        _spent(context).look()
        first = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
        return test(*([first[passed.name]] if passed else []), *args)

    return watched


@jinja2.pass_eval_context
def _join(eval_ctx: nodes.EvalContext, value: Iterable[Any], d: str = "", attribute: Any = None) -> str:
    items = list(value)
    checked_size(weight(items) + len(str(d)) * len(items))
    return sync_do_join(eval_ctx, items, d, attribute)


@jinja2.pass_environment
def _sum(environment: jinja2.Environment, iterable: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    if isinstance(start, list) and attribute is None:
        # Lists that are added up one after the other would be copied each time.
        return [*start, *(item for part in iterable for item in part)]
    return sync_do_sum(environment, iterable, attribute, start)
