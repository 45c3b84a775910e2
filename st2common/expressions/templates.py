"""Jinja templates in values: sandboxed and limited, undefined names are errors, and nothing is ever rendered twice.

Strings with ``{{`` or ``{%`` are templates, at any depth of lists and objects. A text whose syntax is not Jinja's (a
shell snippet, a Go template) is no template and stays as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import meta, nodes

from st2common.errors import ValidationError
from st2common.expressions.filters import FILTERS
from st2common.expressions.key_names import join_key_names
from st2common.expressions.limits import LimitedEnvironment, checked_size, limit, weight

# Texts longer than this are compiled each time: the cache must not hold a request's files.
_MAX_CACHED = 4096
# A string inside a list or object that is exactly one name keeps the type of its value.
_ONE_NAME = re.compile(r"^\{\{\s*([A-Za-z_]\w*)\s*\}\}$")

# A text that is one expression: no end of another one in it, but in strings.
_ONE_EXPRESSION = re.compile(
    r"""^\s*\{\{((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?!\}\}|\{\{)[^"'])*)\}\}\s*$""", re.DOTALL
)


class TemplateError(ValidationError):
    """A template could not be rendered."""


_ENVIRONMENT = LimitedEnvironment(
    FILTERS,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # Values go to shells and scripts, never into HTML.
    autoescape=False,
)


def is_template(value: Any) -> bool:
    """Whether there is a template anywhere in ``value``."""
    return any("{{" in text or "{%" in text for text in _texts(value))


def names_in(value: Any) -> set[str]:
    """The names that the templates in ``value`` use.

    Raises:
        TemplateError: a template uses a filter or test that does not exist.
    """
    names: set[str] = set()
    for text in _texts(value):
        compiled = _compiled(text)
        if compiled:
            names |= compiled[1]
    return names


def render(value: Any, scope: Mapping[str, Any]) -> Any:
    """``value`` with every template in it rendered; a template by itself gives text.

    Raises:
        TemplateError: a name is undefined, a filter fails, or the sandbox forbids it.
    """
    if isinstance(value, str):
        return _render_text(value, scope)
    if isinstance(value, Mapping):
        return {_render_text(key, scope): _render_inner(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [_render_inner(item, scope) for item in value]
    return value


def evaluate_strictly(text: str, scope: Mapping[str, Any]) -> Any:
    """The value of a template whose syntax has to be right; one that is a single ``{{ expression }}`` keeps its type.

    Raises:
        TemplateError: the syntax is wrong, a name is undefined, a filter fails, or the sandbox forbids it.
    """
    try:
        if match := _ONE_EXPRESSION.match(text):
            value = _compiled_expression(match.group(1)).make_module(dict(scope)).value  # type: ignore[attr-defined]
            if isinstance(value, jinja2.Undefined):
                # Its error says which name is not there.
                str(value)
            checked_size(weight(value))
            return value
        return _compiled_strictly(text).render(scope)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.message} (line {error.lineno})") from error
    except TemplateError:
        raise
    except Exception as error:  # a template can raise anything: its filters and operators run on any value
        raise TemplateError(str(error) or type(error).__name__) from error


def parse_strictly(text: str) -> nodes.Template:
    """The syntax tree of a template, for those who want to know what it uses. Unknown filters are no error of it.

    Raises:
        TemplateError: the syntax is wrong.
    """
    try:
        return _ENVIRONMENT.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.message} (line {error.lineno})") from error
    except RecursionError as error:
        raise TemplateError("The template is too complex") from error


def is_filter(name: str) -> bool:
    return name in _ENVIRONMENT.filters


@functools.lru_cache(maxsize=512)
def _compiled_expression(text: str) -> jinja2.Template:
    """A template whose module has the value of the expression."""
    tree = join_key_names(_ENVIRONMENT.parse("{{" + text + "}}"))
    [output] = tree.body
    assert isinstance(output, nodes.Output)  # noqa: S101 - that is what the braces make
    tree.body = [nodes.Assign(nodes.Name("value", "store"), output.nodes[0], lineno=1)]
    return _ENVIRONMENT.from_string(limit(tree))


@functools.lru_cache(maxsize=512)
def _compiled_strictly(text: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(limit(join_key_names(_ENVIRONMENT.parse(text))))


def _render_inner(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and (match := _ONE_NAME.match(value)) and match.group(1) in scope:
        return scope[match.group(1)]
    return render(value, scope)


def _render_text(text: str, scope: Mapping[str, Any]) -> str:
    compiled = _compiled(text)
    if compiled is None:
        return text
    try:
        return compiled[0].render(scope)
    except Exception as error:  # a template can raise anything: its filters and operators run on any value
        raise TemplateError(str(error) or type(error).__name__) from error


def _compiled(text: str) -> tuple[jinja2.Template, frozenset[str]] | None:
    if "{{" not in text and "{%" not in text:
        return None
    return _compile_cached(text) if len(text) <= _MAX_CACHED else _compile(text)


def _compile(text: str) -> tuple[jinja2.Template, frozenset[str]] | None:
    try:
        tree = join_key_names(_ENVIRONMENT.parse(text))
        names = frozenset(meta.find_undeclared_variables(tree))
        return _ENVIRONMENT.from_string(limit(tree)), names
    except jinja2.TemplateAssertionError as error:
        raise TemplateError(error.message) from error
    except jinja2.TemplateSyntaxError:
        return None
    except (RecursionError, MemoryError, OverflowError) as error:
        raise TemplateError("The template is too complex") from error


_compile_cached = functools.lru_cache(maxsize=512)(_compile)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
