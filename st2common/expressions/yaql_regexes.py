"""YAQL's functions for regular expressions, with a limit on the time that a pattern takes.

The library's own use :mod:`re`, which a text of some thirty characters can keep busy for ever, and all of the process
with it. They are the same functions here, with other patterns.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

from yaql.language import yaqltypes
from yaql.standard_library import regex as functions

from st2common.expressions.regexes import DOT_ALL, IGNORE_CASE, MULTI_LINE, Regex, compiled


def install() -> None:
    """Before a context is made of the library."""
    functions.re = SimpleNamespace(
        compile=Regex,
        search=lambda pattern, text: compiled(pattern).search(text),
        escape=re.escape,
        UNICODE=0,
        IGNORECASE=IGNORE_CASE,
        MULTILINE=MULTI_LINE,
        DOTALL=DOT_ALL,
    )
    of_the_library, functions.REGEX_TYPE = functions.REGEX_TYPE, Regex
    for function in vars(functions).values():
        definition = getattr(function, "__yaql_function__", None)
        for parameter in definition.parameters.values() if definition else ():
            kind = parameter.value_type
            if isinstance(kind, yaqltypes.PythonType) and kind.python_type is of_the_library:
                kind.python_type = Regex
