"""YAQL expressions, bounded: an expression makes a limited number of calls over a limited number of items.

The functions of the workflows' languages are added with :func:`with_functions`; they find what they are about in
:class:`Evaluation`, of which each rendering has its own.
"""

from __future__ import annotations

import functools
import itertools
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaql
from yaql.language import contexts, conventions, exceptions, expressions, utils

from st2common.errors import ValidationError
from st2common.expressions import regexes, yaql_regexes

#: Items that one list, iterator or object may have.
MAX_ITEMS = 100_000
#: Calls (operators are calls too) in one evaluation, some 50 microseconds each.
MAX_CALLS = 20_000
#: Seconds of processor time of one evaluation.
MAX_SECONDS = 10.0
#: Bytes of one value, as Python counts them.
MAX_BYTES = 32 * 1024 * 1024

_SCOPE = "__scope"


class YaqlError(ValidationError):
    """A YAQL expression is not valid, or fails."""


class _Context(contexts.Context):  # type: ignore[misc]
    """A context whose descendants share one count of calls."""

    def __init__(self, parent_context: _Context | None = None, **more: Any) -> None:
        super().__init__(parent_context, **more)
        self.calls: Iterator[int] | None = parent_context.calls if parent_context else None
        self.until: float = parent_context.until if parent_context else float("inf")

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if self.calls is not None and next(self.calls, None) is None:
            raise YaqlError(f"The expression takes more than {MAX_CALLS} steps")
        if time.thread_time() > self.until:
            raise YaqlError(f"The expression takes longer than {MAX_SECONDS:.0f} seconds")
        called = super().__call__(name, *args, **kwargs)

        def call(*given: Any, **more: Any) -> Any:
            result = called(*given, **more)
            return _bounded(result) if isinstance(result, _ENDLESS) else result

        return call


# The library's own limit does not hold for those that it consumes itself: range(1000000000).len().
_ENDLESS = (type(iter(range(0))), types.GeneratorType, itertools.count, itertools.cycle, itertools.repeat)


def _bounded(items: Iterator[Any]) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number >= MAX_ITEMS:
            raise YaqlError(f"The expression goes through more than {MAX_ITEMS} items")
        yield item


def _bounded_power(base: Any, exponent: Any, modulus: Any = None) -> Any:
    """``pow`` whose result has no more than some hundred digits."""
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > 4096:
        raise YaqlError("The numbers are too large")
    return pow(base, exponent, modulus)


def _bounded_shift(value: int, bits_number: int) -> int:
    if not 0 <= bits_number <= 4096:
        raise YaqlError("The numbers are too large")
    return value << bits_number


_ENGINE = yaql.YaqlFactory().create({
    "yaql.limitIterators": MAX_ITEMS,
    "yaql.memoryQuota": MAX_BYTES,
    "yaql.convertTuplesToLists": True,
    "yaql.convertSetsToLists": True,
    # What expressions are about comes from functions, which convert it.
    "yaql.convertInputData": False,
})  # fmt: skip
# The parser keeps its state between calls.
_PARSING = threading.Lock()
yaql_regexes.install()
_LIBRARY = yaql.create_context(context=_Context(convention=conventions.CamelCaseConvention()))
_LIBRARY.register_function(_bounded_power, name="pow", exclusive=True)
_LIBRARY.register_function(_bounded_shift, name="shiftBitsLeft", exclusive=True)


def with_functions(functions: Mapping[str, Callable[..., Any]]) -> contexts.Context:
    """The standard library and ``functions``. A function that has a parameter ``context`` can ask :func:`scope_of`."""
    context = _LIBRARY.create_child_context()
    for name, function in functions.items():
        context.register_function(function, name=name)
    return context


def scope_of(context: contexts.Context) -> Any:
    """What :func:`evaluate` was given, for a function."""
    return context[_SCOPE]


@functools.lru_cache(maxsize=2048)
def compile_expression(text: str) -> Any:
    """
    Raises:
        YaqlError: the syntax is wrong; the message says where.
    """
    try:
        with _PARSING:
            return _ENGINE(text)
    except exceptions.YaqlParsingException as error:
        raise YaqlError(str(error)) from error
    except RecursionError as error:
        raise YaqlError("The expression is nested too deeply") from error


def evaluate(text: str, functions: contexts.Context, scope: Any) -> Any:
    """The value of an expression, of JSON's types.

    Raises:
        YaqlError: it is not valid, it fails, or takes too long.
    """
    statement = compile_expression(text)
    context = functions.create_child_context()
    context.calls = iter(range(MAX_CALLS))
    context.until = time.thread_time() + MAX_SECONDS
    context[_SCOPE] = scope
    try:
        return statement.evaluate(context=context)
    except regexes.RegexError as error:
        raise YaqlError(str(error)) from None
    except ValidationError:
        raise
    except KeyError as error:
        raise YaqlError(f"There is no {error}") from error
    except Exception as error:  # its operators and functions run on any value
        raise YaqlError(str(error) or type(error).__name__) from error


def frozen(value: Any) -> Any:
    """``value`` as YAQL's functions want it: nothing in it can be changed."""
    return utils.convert_input_data(value)


def plain(value: Any) -> Any:
    """The opposite of :func:`frozen`: lists and dicts, for functions that know no other ones."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset | Iterator):
        return [plain(item) for item in value]
    return value


def knows(functions: contexts.Context, name: str) -> bool:
    """Whether there is a function or a method with this name."""
    return bool(functions.collect_functions(name))


@dataclass(frozen=True)
class Call:
    """One call in an expression; operators are calls with names like ``#operator_.``."""

    name: str
    #: The arguments that are constants; None for the others.
    constants: tuple[Any, ...]
    #: The function whose result is the first argument, if it is called without arguments: ``ctx`` of ``ctx().x``.
    of: str | None


@functools.lru_cache(maxsize=2048)
def calls_in(text: str) -> tuple[Call, ...]:
    """All calls of an expression.

    Raises:
        YaqlError: the syntax is wrong.
    """
    found: list[Call] = []
    waiting: list[Any] = [compile_expression(text).expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, expressions.Function):
            constants = tuple(arg.value if isinstance(arg, expressions.Constant) else None for arg in node.args)
            first = node.args[0] if node.args else None
            of = first.name if isinstance(first, expressions.Function) and not first.args else None
            found.append(Call(node.name, constants, of))
            waiting.extend(node.args)
        elif isinstance(node, expressions.Wrap):
            waiting.append(node.expr)
        elif isinstance(node, expressions.MappingRuleExpression):
            waiting += [node.source, node.destination]
    return tuple(found)
